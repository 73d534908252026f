"""Obfuscation by blur."""

from collections.abc import Iterator

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register

#: Number of rows that one matrix product blurs; half or twice as many were slower.
_BLOCK = 64


@register(MODELS)
class GaussianBlurAnonymizer(BaseModule):
    """Blur by a Gaussian, as ``cv2.GaussianBlur`` on float images.

    The baselines of SPAct and its successors: weak is ``kernel_size=13, sigma=10``, strong is
    ``kernel_size=21, sigma=10``.

    Args:
        kernel_size (int): Side of the kernel in pixels, odd.
        sigma (float): Standard deviation in pixels, > 0.

    Raises:
        ValueError: If ``kernel_size`` is not a positive odd number or ``sigma`` is not positive.
    """

    def __init__(self, kernel_size: int, sigma: float) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0 or not sigma > 0:
            raise ValueError(
                'GaussianBlurAnonymizer needs an odd kernel_size >= 1 and a sigma > 0, '
                f'but got {kernel_size} and {sigma}.'
            )
        self.kernel_size = kernel_size
        self.sigma = sigma
        offsets = torch.arange(kernel_size, dtype=torch.float64) - kernel_size // 2
        kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
        self.register_buffer('kernel', (kernel / kernel.sum()).float(), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Obfuscate frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W). Frames are mirrored beyond the
                border without repeating the border pixel; an axis too short for mirroring repeats
                the border pixel.

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        height, width = frames.shape[-2:]
        rows, columns = (self._matrix(size).to(frames) for size in (height, width))
        # In another memory format each matrix product would copy its operands.
        frames = frames.contiguous()
        frames = torch.cat([m @ frames[..., near, :] for m, near in self._blocks(rows)], dim=-2)
        frames = torch.cat([frames[..., near] @ m.mT for m, near in self._blocks(columns)], dim=-1)
        # The kernel sums to one up to rounding only.
        return frames.clamp_(0, 1)

    def _matrix(self, size: int) -> Tensor:
        """Return the blur of an axis as a matrix (size, size), on the CPU, where sums are exact."""
        radius, last = self.kernel_size // 2, size - 1
        places = torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)
        is_long = radius < size
        places = last - (last - places.abs()).abs() if is_long else places.clamp(0, last)
        weights = self.kernel.cpu().expand(size, -1)
        return torch.zeros(size, size).scatter_add_(1, places, weights)

    def _blocks(self, matrix: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Cut a blur's matrix into blocks of rows, each without the columns that are zero.

        These few matrix products take a fraction of a convolution's time.
        """
        radius = self.kernel_size // 2
        for start in range(0, len(matrix), _BLOCK):
            near = slice(max(0, start - radius), start + _BLOCK + radius)
            yield matrix[start : start + _BLOCK, near], near

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'kernel_size={self.kernel_size}, sigma={self.sigma}'
