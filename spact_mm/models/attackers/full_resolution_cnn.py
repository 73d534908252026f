"""A plain convolutional network that starts at full resolution."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from ...registration import register


@register(MODELS)
class FullResolutionCNN(BaseModule):
    """Pairs of 3x3 convolutions, the first pair at the resolution of the input.

    Anonymized frames often keep fine texture, which a strided stem averages away. This is a
    backbone for MMPretrain's ``ImageClassifier``.

    Args:
        in_channels (int): Channels of the input. Defaults to 3.
        widths (Sequence[int]): Channels of each pair; each but the first halves the resolution.
            Defaults to (24, 48, 96, 96).
        stem_stride (int): Stride of the first pair. Defaults to 1; 2 takes a quarter of the
            computation and finds less.
        init_cfg (dict, optional): Initialization config.
    """

    def __init__(
        self,
        in_channels: int = 3,
        widths: Sequence[int] = (24, 48, 96, 96),
        stem_stride: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        pairs = []
        for index, width in enumerate(widths):
            pairs += _convolution(in_channels, width, 2 if index else stem_stride)
            pairs += _convolution(width, width, 1)
            in_channels = width
        self.layers = Sequential(*pairs)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Compute the last feature map.

        Args:
            x (Tensor): (N, C, H, W).

        Returns:
            tuple[Tensor]: One map (N, C', H / 2^(n-1), W / 2^(n-1)) for n widths.
        """
        return (self.layers(x),)


def _convolution(inner: int, outer: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    ]
