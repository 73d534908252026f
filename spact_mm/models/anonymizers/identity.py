"""The anonymizer that changes nothing: raw videos in the same pipeline."""

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register


@register(MODELS)
class IdentityAnonymizer(BaseModule):
    """Return the frames unchanged, which gives raw numbers in every recipe and protocol."""

    def forward(self, frames: Tensor) -> Tensor:
        """Return ``frames``, shape (N, 3, H, W), RGB in [0, 1], as they are."""
        return frames
