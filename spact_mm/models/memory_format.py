"""Channels-last weights, which decide the memory format in which convolutions run."""

import torch
from torch import nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def use_channels_last(module: nn.Module) -> nn.Module:
    """Store the weights of convolutions channels-last; what they compute stays the same.

    Convolutions follow the format of their weights and hand it on. It is faster on GPUs with
    tensor cores, in inference on CPUs, and for narrow networks; training wide networks on a CPU
    is slower (docs/performance.md).

    Args:
        module (nn.Module): Changed in place.

    Returns:
        nn.Module: The same module.
    """
    for parameter in module.parameters():
        if parameter.dim() in _FORMATS:
            parameter.data = parameter.data.contiguous(memory_format=_FORMATS[parameter.dim()])
    return module
