"""Obfuscations of decoded frames (uint8), without PyTorch and its conversion to floating point."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import cv2
import numpy as np

from .byte_blur import blur
from .threads import make_threads

#: Largest number of pixels whose bytes sum to less than 2 ** 31.
_MOST_PIXELS = 2**31 // 256
#: A thread for each core: OpenCV's filters use one, and leave the interpreter free.
_threads = make_threads(len(os.sched_getaffinity(0)))


def find_byte_function(config: Mapping) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return a function on bytes that is equivalent to an obfuscation of numbers in [0, 1].

    Args:
        config (Mapping): Config of f_A, with all arguments of its class.

    Returns:
        Callable: From RGB uint8, (N, H, W, 3), to the same, within one of 255 levels of the
        network's output. None if there is no such function for its class.
    """
    function = _FUNCTIONS.get(config['type'])
    options = {key: value for key, value in config.items() if key != 'type'}
    return function and partial(_map_frames, partial(function, **options))


def _map_frames(function: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> np.ndarray:
    return np.stack(list(_threads().map(function, map(np.ascontiguousarray, frames))))


def _constant(frame: np.ndarray, value: float) -> np.ndarray:
    return np.full_like(frame, np.rint(np.float32(value) * 255))


def _pixelate(frame: np.ndarray, block: int) -> np.ndarray:
    height, width = frame.shape[:2]
    edges = [np.append(np.arange(0, size, block), size) for size in (height, width)]
    blocks = _average(frame, *((edge[:-1], edge[1:]) for edge in edges))
    # OpenCV's nearest neighbour takes a wrong block where the quotient of sizes is rounded.
    rows = blocks.repeat(block, 1)[:, :width]
    return rows.repeat(block, 0)[:height]


def _downsample(frame: np.ndarray, factor: float) -> np.ndarray:
    height, width = frame.shape[:2]
    ranges = []
    for size in (height, width):
        count = max(1, round(size / factor))
        index = np.arange(count)
        # Ranges include pixels that are covered in part, as in PyTorch's interpolation by area.
        ranges.append((index * size // count, -(-(index + 1) * size // count)))
    small = _average(frame, *ranges)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _average(frame: np.ndarray, rows: Sequence, columns: Sequence) -> np.ndarray:
    """Return the means of rectangles.

    Args:
        frame (np.ndarray): uint8, (H, W, 3).
        rows (Sequence): Two arrays: first rows and end rows (exclusive).
        columns (Sequence): The same for columns.

    Returns:
        np.ndarray: uint8, one value for each pair of a row range and a column range.
    """
    is_large = frame.shape[0] * frame.shape[1] > _MOST_PIXELS
    sums = cv2.integral(frame, sdepth=cv2.CV_64F if is_large else cv2.CV_32S)
    sums = sums[rows[1]] - sums[rows[0]]
    sums = sums[:, columns[1]] - sums[:, columns[0]]
    areas = np.outer(rows[1] - rows[0], columns[1] - columns[0])
    return np.rint(sums / areas[..., None]).astype(np.uint8)


_FUNCTIONS = dict(
    ConstantAnonymizer=_constant,
    DownsampleAnonymizer=_downsample,
    GaussianBlurAnonymizer=blur,
    PixelateAnonymizer=_pixelate,
)
