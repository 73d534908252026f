"""What the image backbones of MMPretrain give, as feature maps."""

from collections.abc import Sequence

from torch import Tensor


def feature_maps(outputs: Tensor | Sequence, channels: int | None = None) -> tuple[Tensor, ...]:
    """Lay out the output of any image backbone as necks and pooling take it.

    Maps (N, C, h, w) stay as they are. Vectors (N, C), as of a class token, become maps of one
    pixel; tokens (N, L, C) or (N, C, L) maps of L x 1 pixels, whose mean is theirs. Where a stage
    gives several outputs (patch tokens and a class token, two kinds of tokens), the last counts.

    Args:
        outputs (Tensor | Sequence): One output, or one for each stage.
        channels (int, optional): C, which tells (N, L, C) from (N, C, L). None means (N, L, C).

    Returns:
        tuple[Tensor, ...]: (N, C, h, w) of each stage that gives something.

    Raises:
        ValueError: If an output has another number of axes.
    """
    stages = (outputs,) if isinstance(outputs, Tensor) else outputs
    return tuple(_as_map(stage, channels) for stage in stages if stage is not None)


def in_channels(config: dict | Sequence[dict]) -> int | None:
    """Return how many channels a neck or head takes by its config, None if that is not one number.

    Args:
        config (dict | Sequence[dict]): One, or several that follow each other.
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
