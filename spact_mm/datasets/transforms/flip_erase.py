"""Horizontal flip and random erasing."""

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch import Tensor

from ...registration import register
from .frames import get_frames, set_frames
from .person_boxes import flip_person_boxes


@register(TRANSFORMS)
class FlipOrErase(BaseTransform):
    """Flip a clip horizontally, or erase a rectangle of it, or neither; never both.

    All frames of a clip get the same change. The defaults are SPAct's (official code). Their sizes
    are for frames of 112 x 112 pixels: put this transform after the resize, or give fractions.

    Required Keys:

    - imgs (list[np.ndarray]) or img (np.ndarray): (H, W, 3).

    Modified Keys:

    - imgs or img
    - person_boxes, if present

    Args:
        flip (float): Probability of a flip. Defaults to 0.5.
        erase (float): Probability of erasing. Defaults to 0.25.
        erase_size (tuple[int, int] | tuple[float, float]): Range of the rectangle's sides,
            including both ends: two ints are pixels, two floats are fractions of the shorter side
            of the frame. Defaults to (9, 18).
        value (int): Value of the filled rectangle, in [0, 255]. Defaults to 0.

    Raises:
        ValueError: If the sum of the probabilities exceeds 1, or the sizes are no range.
    """

    def __init__(
        self,
        flip: float = 0.5,
        erase: float = 0.25,
        erase_size: tuple[float, float] = (9, 18),
        value: int = 0,
    ) -> None:
        if flip < 0 or erase < 0 or flip + erase > 1:
            raise ValueError(
                'flip and erase of FlipOrErase exclude each other, so their probabilities may add '
                f'up to 1, but are {flip} and {erase}.'
            )
        low, high = erase_size
        self.is_relative = isinstance(low, float) and isinstance(high, float)
        is_pixels = isinstance(low, int) and isinstance(high, int)
        if not (self.is_relative and 0 < low <= high <= 1 or is_pixels and 1 <= low <= high):
            raise ValueError(
                'erase_size of FlipOrErase must be two ints (pixels) or two floats in (0, 1] '
                f'(fractions), the smaller first, but is {erase_size}.'
            )
        self.flip = flip
        self.erase = erase
        self.erase_size = (low, high)
        self.value = value

    def transform(self, results: dict) -> dict:
        """Flip, erase or leave the frames."""
        draw = np.random.rand()
        frames = get_frames(results)
        if draw < self.flip:
            flip_person_boxes(results)
            return set_frames(results, [cv2.flip(frame, 1) for frame in frames])
        if draw >= 1 - self.erase:
            return set_frames(results, self._erase(frames))
        return results

    def augment(self, frames: Tensor) -> Tensor:
        """Flip, erase or leave frames (T, 3, H, W) in [0, 1] on a device."""
        draw = np.random.rand()
        if draw < self.flip:
            return frames.flip(-1)
        if draw >= 1 - self.erase:
            rows, columns = self._draw_rectangle(frames.shape[-2:])
            frames = frames.clone()
            frames[..., rows, columns] = self.value / 255
        return frames

    def _erase(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """Return copies of the frames with one rectangle filled."""
        rows, columns = self._draw_rectangle(frames[0].shape[:2])
        frames = [frame.copy() for frame in frames]
        for frame in frames:
            frame[rows, columns] = self.value
        return frames

    def _draw_rectangle(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of a rectangle in frames of this height and width."""
        low, high = self.erase_size
        if self.is_relative:
            low, high = (max(1, round(side * min(size))) for side in self.erase_size)
        sides = np.minimum(np.random.randint(low, high + 1, size=2), size)
        top, left = np.random.randint(np.subtract(size, sides) + 1)
        return slice(top, top + sides[0]), slice(left, left + sides[1])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(flip={self.flip}, erase={self.erase}, '
            f'erase_size={self.erase_size}, value={self.value})'
        )
