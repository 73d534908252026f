"""Models without MMEngine's wrapper for distributed training."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside a wrapper for distributed training, or the model itself."""
    return model.module if is_model_wrapper(model) else model
