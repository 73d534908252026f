"""Obfuscation by mosaic."""

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


@register(MODELS)
class PixelateAnonymizer(BaseModule):
    """Replace square blocks by their mean.

    Blocks start at the upper left corner; blocks at the other edges are smaller where ``block``
    does not divide the size.

    Args:
        block (int): Side of a block in pixels, >= 1; 4 and 16 in the literature.

    Raises:
        ValueError: If ``block`` is below 1.
    """

    def __init__(self, block: int) -> None:
        super().__init__()
        if block < 1:
            raise ValueError(f'block of PixelateAnonymizer must be 1 or more, but is {block}.')
        self.block = block

    def forward(self, frames: Tensor) -> Tensor:
        """Obfuscate frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W).

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        height, width = frames.shape[-2:]
        means = F.avg_pool2d(frames, self.block, ceil_mode=True, count_include_pad=False)
        blocks = means.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
        return blocks[..., :height, :width]

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'block={self.block}'
