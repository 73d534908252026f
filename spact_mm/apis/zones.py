"""Parts of all frames that are hidden or kept raw."""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

Polygon = tuple[tuple[float, float], ...]


def parse_zone(text: str) -> Polygon:
    """Return the polygon of a text such as ``'0,0 0.5,0 0.5,1 0,1'``.

    Args:
        text (str): Corners x,y separated by blanks, as fractions of width and height: 0,0 is the
            upper left corner of the frame and 1,1 the lower right one.

    Raises:
        ValueError: If the text is no polygon.
    """
    try:
        corners = tuple(tuple(map(float, corner.split(','))) for corner in text.split())
        if len(corners) < 3 or any(len(corner) != 2 for corner in corners):
            raise ValueError
        if not all(0 <= value <= 1 for corner in corners for value in corner):
            raise ValueError
    except ValueError:
        raise ValueError(
            f'{text!r} is no zone: give three corners or more as parts of width and height, such '
            'as "0,0 0.5,0 0.5,1 0,1" for the left half.'
        ) from None
    return corners


@dataclass(frozen=True)
class Zones:
    """Parts of all upright frames of a video.

    Attributes:
        keep (tuple[Polygon, ...]): Parts that stay RAW.
        hide (tuple[Polygon, ...]): Parts that are made black before any processing, also within
            kept parts.
    """

    keep: tuple[Polygon, ...] = ()
    hide: tuple[Polygon, ...] = ()
    _masks: dict = field(default_factory=dict, repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.keep or self.hide)

    def around(self, anonymize: Callable[[np.ndarray], np.ndarray]) -> Callable:
        """Return a function of frames that applies ``anonymize`` outside of the zones."""
        if not self:
            return anonymize

        def function(frames: np.ndarray) -> np.ndarray:
            kept, hidden = self._find_masks(*frames.shape[1:3])
            if self.hide:
                frames = np.where(hidden, np.uint8(0), frames)
            done = anonymize(frames)
            if self.keep:
                done = np.where(kept, frames, done)
            if self.hide:
                done = np.where(hidden, np.uint8(0), done)
            return done

        function.clip_length = getattr(anonymize, 'clip_length', 1)
        return function

    def _find_masks(self, height: int, width: int) -> list[np.ndarray]:
        if (height, width) not in self._masks:
            self._masks[height, width] = [
                _draw(self.keep, height, width, touched=False),
                _draw(self.hide, height, width, touched=True),
            ]
        return self._masks[height, width]


def _draw(polygons: tuple[Polygon, ...], height: int, width: int, touched: bool) -> np.ndarray:
    """Return the mask of pixels within polygons, (H, W, 1).

    Args:
        polygons (tuple[Polygon, ...]): Any number.
        height (int): Of the frame.
        width (int): Of the frame.
        touched (bool): Whether the mask includes pixels that are partly within a polygon.
    """
    scale = 8
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        fine = np.zeros((height, width), np.uint8)
        corners = np.array(polygon) * (width, height) - 0.5
        # Drawn with fractional bits and with the border, which covers all touched pixels.
        points = np.rint(corners * 2**scale).astype(np.int64).clip(-(2**30), 2**30)
        points = points.astype(np.int32)[None]
        cv2.fillPoly(fine, points, 1, shift=scale)
        if not touched:
            border = np.zeros_like(fine)
            cv2.polylines(border, points, isClosed=True, color=1, shift=scale)
            fine &= ~border & 1
        mask |= fine
    return mask[..., None].astype(bool)
