"""The drawing primitives of the figures: polygons and round-ended lines with dark rims."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Color = tuple[int, int, int]

SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Pen:
    """Draws on an RGB canvas in the figure's coordinates.

    Attributes:
        canvas (np.ndarray): ``(H, W, 3)`` uint8, drawn upon.
        x (float): Column of the figure's origin, in pixels.
        ground (float): Row of the figure's origin, in pixels.
        height (float): The body height, in pixels.
        mirrored (bool): Whether +x points to the left.
    """

    canvas: np.ndarray
    x: float
    ground: float
    height: float
    mirrored: bool = False

    def __post_init__(self) -> None:
        unit = 1 << SUBPIXEL_BITS
        across = -self.height if self.mirrored else self.height
        # A frozen dataclass sets derived values by the base class's setter.
        object.__setattr__(self, '_scale', unit * np.array([across, -self.height]))
        object.__setattr__(self, '_offset', unit * np.array([self.x, self.ground]))

    def polygon(self, points: np.ndarray, color: Color, outline: float = 0.0) -> None:
        """Fill a polygon ``(P, 2)``; ``outline`` is the width of a dark rim around it."""
        pixels = self._pixels(points)
        if outline:
            rim = self._width(2 * outline)
            cv2.polylines(
                self.canvas, [pixels], True, darker(color), rim, cv2.LINE_AA, SUBPIXEL_BITS
            )
        cv2.fillPoly(self.canvas, [pixels], color, cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, points: np.ndarray, color: Color, width: float, closed: bool = False) -> None:
        """Draw a line with round ends through ``(P, 2)`` points."""
        cv2.polylines(
            self.canvas,
            [self._pixels(points)],
            closed,
            color,
            self._width(width),
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )

    def dot(self, point: np.ndarray, color: Color, width: float, outline: float = 0.0) -> None:
        """Draw a disc; ``outline`` is the width of a dark rim around it."""
        # OpenCV draws nothing for a line of one point.
        twice = np.array([point, point])
        if outline:
            self.line(twice, darker(color), width + 2 * outline)
        self.line(twice, color, width)

    def limb(
        self, joints: Sequence[np.ndarray], colors: Sequence[Color], width: float, outline: float
    ) -> None:
        """Draw a chain of capsules in one dark rim; missing colours are the first colour."""
        chain = np.array(joints)
        self.line(chain, darker(colors[0]), width + 2 * outline)
        self.line(chain, colors[0], width)
        for start, color in enumerate(colors[1:], start=1):
            self.line(chain[start : start + 2], color, width)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return np.rint(points * self._scale + self._offset).astype(np.int32)

    def _width(self, width: float) -> int:
        return max(1, round(width * self.height))


def darker(color: Color) -> Color:
    """Return the colour of the rim around a part of this colour."""
    return tuple(int(0.35 * channel) for channel in color)
