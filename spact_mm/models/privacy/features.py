"""The outputs of MMPretrain's image backbones as feature maps."""

from collections.abc import Sequence

from torch import Tensor


def feature_maps(outputs: Tensor | Sequence, channels: int | None = None) -> tuple[Tensor, ...]:
    """Lay out the output of any image backbone as feature maps for necks and pooling.

    Maps (N, C, h, w) stay as they are. Vectors (N, C), such as a class token, become maps of one
    pixel. Tokens (N, L, C) or (N, C, L) become maps of L x 1 pixels, so their mean is kept. If a
    stage gives several outputs (patch tokens and a class token, two kinds of tokens), the last one
    is used.

    Args:
        outputs (Tensor | Sequence): One output, or one for each stage.
        channels (int, optional): C, to distinguish (N, L, C) from (N, C, L). None means (N, L, C).

    Returns:
        tuple[Tensor, ...]: (N, C, h, w) of each stage with an output.

    Raises:
        ValueError: If an output has another number of axes.
    """
    stages = (outputs,) if isinstance(outputs, Tensor) else outputs
    return tuple(_as_map(stage, channels) for stage in stages if stage is not None)


def in_channels(config: dict | Sequence[dict]) -> int | None:
    """Return the input channels of a neck or head by its config; None if there is not one number.

    Args:
        config (dict | Sequence[dict]): One config, or a sequence of successive modules.
    """
    first = config if isinstance(config, dict) else config[0]
    channels = first.get('in_channels')
    return channels if isinstance(channels, int) else None


def _as_map(features: Tensor | Sequence, channels: int | None) -> Tensor:
    if not isinstance(features, Tensor):
        return _as_map(features[-1], channels)
    if features.ndim == 4:
        return features
    if features.ndim == 2:
        return features[..., None, None]
    if features.ndim == 3:
        is_channels_first = features.shape[1] == channels != features.shape[2]
        return (features if is_channels_first else features.transpose(1, 2)).unsqueeze(-1)
    raise ValueError(
        f'The backbone of the privacy branch gives features of shape {tuple(features.shape)}, but '
        'an image backbone gives maps (N, C, h, w), tokens (N, L, C) or vectors (N, C); use one of '
        "MMPretrain's."
    )
