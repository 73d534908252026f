"""A truncated Gaussian blur of decoded frames (uint8), also for wide kernels."""

from functools import lru_cache

import cv2
import numpy as np

#: Standard deviations in pixels at which an axis is blurred in two parts, and the number of pixels
#: that the second part takes as one, as a part of the standard deviation.
_WIDE, _STEPS = 64, 16


def blur(frame: np.ndarray, kernel_size: int, sigma: float) -> np.ndarray:
    """Blur a frame as :class:`~spact_mm.models.GaussianBlurAnonymizer` does.

    Args:
        frame (np.ndarray): uint8, (H, W, 3).
        kernel_size (int): Side of the kernel in pixels, odd.
        sigma (float): Standard deviation in pixels.

    Returns:
        np.ndarray: Same shape and type, within one of 255 levels.
    """
    # An axis that is too short to be mirrored repeats its border pixel.
    rows, columns = (
        cv2.BORDER_REFLECT_101 if kernel_size // 2 < size else cv2.BORDER_REPLICATE
        for size in frame.shape[:2]
    )
    if sigma >= _WIDE and rows == columns == cv2.BORDER_REFLECT_101 and kernel_size > sigma:
        x = frame.astype(np.float32)
        for axis in (0, 1):
            x = _blur_wide(x, kernel_size, sigma, axis)
        return cv2.convertScaleAbs(x)  # rounds and converts to bytes
    kernel = cv2.getGaussianKernel(kernel_size, sigma, cv2.CV_32F)
    if rows == columns:
        return cv2.sepFilter2D(frame, -1, kernel, kernel, borderType=rows)
    one = np.ones((1, 1), np.float32)
    blurred = cv2.sepFilter2D(frame, cv2.CV_32F, one, kernel, borderType=rows)
    blurred = cv2.sepFilter2D(blurred, cv2.CV_32F, kernel, one, borderType=columns)
    return cv2.convertScaleAbs(blurred)


def _blur_wide(x: np.ndarray, kernel_size: int, sigma: float, axis: int) -> np.ndarray:
    """Blur an axis of (H, W, 3), float32, in less time than a sum of all products takes.

    The kernel is cut off where it is still high, so it is a box and a bump on it. Sums over a box
    cost the same for any width. The bump begins and ends with zero: a filter of means of some
    pixels, enlarged again, differs from it by less than half a grey level.
    """
    edge, step, bump = _split(kernel_size, sigma)
    border = cv2.BORDER_REFLECT_101
    window = _of(axis, kernel_size, 1)
    box = cv2.boxFilter(x, cv2.CV_32F, window, normalize=False, borderType=border)
    before = kernel_size // 2 + 2 * step
    size = x.shape[axis]
    after = before + -(size + 2 * before) % step
    around = (before, after, 0, 0) if axis == 0 else (0, 0, before, after)
    wide = cv2.copyMakeBorder(x, *around, border)
    length, other = wide.shape[axis], wide.shape[1 - axis]
    means = cv2.resize(wide, _of(axis, length // step, other), interpolation=cv2.INTER_AREA)
    one = np.ones(1, np.float32)
    kernels = (one, bump) if axis == 0 else (bump, one)
    means = cv2.sepFilter2D(means, cv2.CV_32F, *kernels, borderType=cv2.BORDER_REPLICATE)
    blurred = cv2.resize(means, _of(axis, length, other), interpolation=cv2.INTER_LINEAR)
    inside = slice(before, before + size)
    blurred = blurred[inside] if axis == 0 else blurred[:, inside]
    return cv2.addWeighted(box, edge, blurred, 1.0, 0.0)


def _of(axis: int, along: int, across: int) -> tuple[int, int]:
    """Return OpenCV's size (width, height) of lengths along an axis and across it."""
    return (across, along) if axis == 0 else (along, across)


@lru_cache(maxsize=8)
def _split(kernel_size: int, sigma: float) -> tuple[float, int, np.ndarray]:
    """Return the height of the box, the pixels in a mean, and the weights of the bump."""
    edge = float(cv2.getGaussianKernel(kernel_size, sigma, cv2.CV_64F)[0, 0])
    step, reach = int(sigma // _STEPS), kernel_size // 2
    places = np.arange(-(reach // step), reach // step + 1) * step
    bump = np.exp(-0.5 * (places / sigma) ** 2) - np.exp(-0.5 * (reach / sigma) ** 2)
    # All weights together sum to one.
    return edge, step, (bump * (1 - edge * kernel_size) / bump.sum()).astype(np.float32)
