"""Obfuscation by a lower resolution."""

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


@register(MODELS)
class DownsampleAnonymizer(BaseModule):
    """Shrink the frames and enlarge them again, the "downsample 2x / 4x" baselines of SPAct.

    Args:
        factor (float): Ratio of the sides, >= 1. The small frame has ``round(side / factor)``
            pixels, at least 1, each the mean of the pixels it covers; enlarging is bilinear.

    Raises:
        ValueError: If ``factor`` is below 1.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        if not factor >= 1:  # also refuses NaN
            raise ValueError(f'factor of DownsampleAnonymizer must be 1 or more, but is {factor}.')
        self.factor = factor

    def forward(self, frames: Tensor) -> Tensor:
        """Obfuscate frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W).

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        size = frames.shape[-2:]
        small = [max(1, round(side / self.factor)) for side in size]
        frames = F.interpolate(frames, small, mode='area')
        # The weights sum to one up to rounding only.
        return F.interpolate(frames, size, mode='bilinear', align_corners=False).clamp(0, 1)

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'factor={self.factor}'
