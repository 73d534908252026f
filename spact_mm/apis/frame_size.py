"""The size that frames are brought to before they are anonymized."""

from pathlib import Path

import cv2
import numpy as np

from .image_file import MAX_PIXELS, check_pixels


def fit_size(
    height: int,
    width: int,
    size: int | None,
    path: str | Path,
    max_pixels: int = MAX_PIXELS,
) -> tuple[int, int]:
    """Return height and width with the shorter side of a length; the longer one becomes even.

    Args:
        height (int): As it is.
        width (int): As it is.
        size (int | None): The length, None to leave all as it is.
        path (str | Path): What to name if they become too large.
        max_pixels (int): Most pixels they may have then.

    Raises:
        ValueError: If they have more.
    """
    if size is None or min(height, width) == size:
        return height, width
    longer = max(size, 2 * round(max(height, width) * size / min(height, width) / 2))
    height, width = (size, longer) if width >= height else (longer, size)
    check_pixels(path, width, height, max_pixels)
    return height, width


def resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a frame (H, W, 3) in another size, averaged where it becomes smaller."""
    if frame.shape[:2] == (height, width):
        return frame
    interpolation = cv2.INTER_AREA if frame.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(frame, (width, height), interpolation=interpolation)
