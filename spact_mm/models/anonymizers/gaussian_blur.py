"""Obfuscation by blur."""

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


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
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W). Beyond the border they are mirrored
                without repeating the border pixel; an axis too short for that repeats it.

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        kernel = self.kernel.to(frames)
        frames = _convolve_rows(frames.transpose(2, 3), kernel)
        # The kernel sums to one up to rounding only.
        return _convolve_rows(frames.transpose(2, 3), kernel).clamp(0, 1)

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'kernel_size={self.kernel_size}, sigma={self.sigma}'


def _convolve_rows(frames: Tensor, kernel: Tensor) -> Tensor:
    pad = len(kernel) // 2
    mode = 'reflect' if pad < frames.shape[-1] else 'replicate'
    channels = frames.shape[1]
    weight = kernel.expand(channels, 1, 1, -1)
    return F.conv2d(F.pad(frames, (pad, pad, 0, 0), mode), weight, groups=channels)
