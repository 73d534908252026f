"""A control: fresh noise in each frame, which protects nothing."""

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


@register(MODELS)
class NoiseAnonymizer(BaseModule):
    r"""Add Gaussian noise that is new in each frame and in each call, also in eval mode.

    It protects nothing: in the mean over T frames the noise is :math:`\sqrt T` times weaker, so the
    mean restores still parts of the scene, up to a fixed monotone curve, as values are clamped. It
    is a control: an attacker who averages (``view='mean'`` of ``AnonymizedClipPreprocessor``) must
    see through it, while an attacker who looks at single frames may be blind.

    The noise comes from PyTorch's global generator of the frames' device: two calls differ, and two
    runs with one seed are the same.

    Args:
        std (float): Standard deviation, in (0, 1], for frames in [0, 1]. Defaults to 0.2.

    Raises:
        ValueError: If ``std`` is out of range.
    """

    #: Whether the output is random: the same frames give another output in another call.
    is_random = True

    def __init__(self, std: float = 0.2) -> None:
        super().__init__()
        if not 0 < std <= 1:
            raise ValueError(f'std of NoiseAnonymizer must be in (0, 1], but is {std}.')
        self.std = std

    def forward(self, frames: Tensor) -> Tensor:
        """Add noise to frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W).

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        return (frames + self.std * torch.randn_like(frames)).clamp(0, 1)

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'std={self.std}'
