"""Models without what MMEngine puts around them for distributed training."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return what a wrapper for distributed training holds, else the model itself."""
    return model.module if is_model_wrapper(model) else model
