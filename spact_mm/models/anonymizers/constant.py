"""The anonymizer that removes all information."""

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


@register(MODELS)
class ConstantAnonymizer(BaseModule):
    """Return grey frames without any information: the lower bound of a protocol's measurements.

    Args:
        value (float): The grey value, in [0, 1]. Defaults to 0.5.

    Raises:
        ValueError: If ``value`` is out of range.
    """

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        if not 0 <= value <= 1:
            raise ValueError(f'value of ConstantAnonymizer must be in [0, 1], but is {value}.')
        self.value = value

    def forward(self, frames: Tensor) -> Tensor:
        """Return grey frames of the shape of ``frames``, (N, 3, H, W)."""
        return torch.full_like(frames, self.value)

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'value={self.value}'
