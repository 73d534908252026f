"""Similarity of two images: PSNR and SSIM."""

import torch
from torch import Tensor

#: Cap of PSNR in dB, also the value of equal images, whose PSNR is infinite.
MAX_PSNR = 100.0

_WINDOW = 11
_SIGMA = 1.5


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, over all pixels and channels, for a peak of 1.

    Args:
        x (Tensor): Images in [0, 1], (N, C, H, W).
        y (Tensor): Images to compare with, same shape.

    Returns:
        Tensor: dB, (N,), capped at 100; equal images have 100.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(x, y)
    mse = (x.double() - y.double()).square().flatten(1).mean(1)
    return (-10 * mse.log10()).clamp(max=MAX_PSNR).float()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al. 2004, Equation 13).

    With a Gaussian window of 11x11 and sigma 1.5, K1 = 0.01, K2 = 0.03 and a dynamic range of 1;
    the mean over channels and over all windows within the image, each channel separately.

    Args:
        x (Tensor): Images in [0, 1], (N, C, H, W), H and W at least 11.
        y (Tensor): Images to compare with, same shape.

    Returns:
        Tensor: (N,), at most 1; equal images have 1.

    Raises:
        ValueError: If the shapes differ or the images are smaller than the window.
    """
    _check(x, y)
    if min(x.shape[-2:]) < _WINDOW:
        raise ValueError(
            f'SSIM needs images of at least {_WINDOW}x{_WINDOW} pixels, but got '
            f'{tuple(x.shape[-2:])}; enlarge the images.'
        )
    # Variances are differences of squares: single precision would lose those of flat windows.
    x, y = x.double(), y.double()
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variances = xx - mean_x**2 + yy - mean_y**2
    covariance = xy - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (variances + c2)
    return similarity.flatten(1).mean(1).float()


def _blur(images: Tensor) -> Tensor:
    """Average over the Gaussian windows within the images, (..., H, W)."""
    rows, columns = (_band(size, images) for size in images.shape[-2:])
    return rows @ images @ columns.t()


def _band(size: int, like: Tensor) -> Tensor:
    """Return the one-dimensional blur as a matrix: BLAS is faster than a convolution."""
    positions = torch.arange(size, dtype=like.dtype, device=like.device)
    half = _WINDOW // 2
    offsets = positions - positions[half : size - half, None]
    weights = (-(offsets**2) / (2 * _SIGMA**2)).exp() * (offsets.abs() <= half)
    return weights / weights.sum(1, keepdim=True)


def _check(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(
            'Images are compared in two batches of one shape (N, C, H, W), but got '
            f'{tuple(x.shape)} and {tuple(y.shape)}.'
        )
