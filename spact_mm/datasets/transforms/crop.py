"""Square crops."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch import Tensor

from ...registration import register
from .frames import get_frames, set_frames
from .person_boxes import crop_person_boxes


@register(TRANSFORMS)
class SquareCrop(BaseTransform):
    """Crop a square whose side is a fraction of the shorter side of the frame.

    All frames of a clip get the same crop. A random crop may lie anywhere in the frame (the
    official code of SPAct never reached the right edge of a video).

    Required Keys:

    - imgs (list[np.ndarray]) or img (np.ndarray): (H, W, 3).

    Modified Keys:

    - imgs or img
    - img_shape
    - person_boxes, if present

    Args:
        scale (float | tuple[float, float]): Side relative to the shorter side of the frame, in (0,
            1], or a range for a random side. Defaults to (0.6, 1.0), SPAct's training crop.
        random (bool): Whether the position is random; else the crop is central. Defaults to True.

    Raises:
        ValueError: If ``scale`` is out of range, or a range although ``random`` is False.
    """

    def __init__(
        self, scale: float | tuple[float, float] = (0.6, 1.0), random: bool = True
    ) -> None:
        low, high = scale if isinstance(scale, (tuple, list)) else (scale, scale)
        if not 0 < low <= high <= 1:
            raise ValueError(f'scale of SquareCrop must lie in (0, 1], but is {scale}.')
        if not random and low != high:
            raise ValueError(
                f'scale of SquareCrop is the range {scale}, but random=False; give one number.'
            )
        self.scale = (low, high)
        self.random = random

    def transform(self, results: dict) -> dict:
        """Crop all frames alike."""
        frames = get_frames(results)
        height, width = frames[0].shape[:2]
        top, left, side = self._draw(height, width)
        crop_person_boxes(
            results, left / width, top / height, (left + side) / width, (top + side) / height
        )
        return set_frames(results, [x[top : top + side, left : left + side] for x in frames])

    def augment(self, frames: Tensor) -> Tensor:
        """Crop frames (T, 3, H, W) on a device."""
        top, left, side = self._draw(*frames.shape[-2:])
        return frames[..., top : top + side, left : left + side]

    def _draw(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the first row and column and the side of the square."""
        factor = np.random.uniform(*self.scale) if self.random else self.scale[0]
        side = max(1, round(factor * min(height, width)))
        free = height - side, width - side
        top, left = (np.random.randint(n + 1) if self.random else n // 2 for n in free)
        return top, left, side

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale}, random={self.random})'
