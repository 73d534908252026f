"""Resizing of frames before they are anonymized."""

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
    """Return height and width for a length of the shorter side; the longer side becomes even.

    Args:
        height (int): Height of the frame.
        width (int): Width of the frame.
        size (int | None): Length of the shorter side; None for no resizing.
        path (str | Path): The file, for an error.
        max_pixels (int): Largest number of pixels after resizing.

    Raises:
        ValueError: If the resized frames would have more pixels.
    """
    if size is None or min(height, width) == size:
        return height, width
    longer = max(size, 2 * round(max(height, width) * size / min(height, width) / 2))
    height, width = (size, longer) if width >= height else (longer, size)
    check_pixels(path, width, height, max_pixels)
    return height, width


def resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a frame (H, W, 3) in another size; areas are averaged if it becomes smaller."""
    if frame.shape[:2] == (height, width):
        return frame
    interpolation = cv2.INTER_AREA if frame.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(frame, (width, height), interpolation=interpolation)
