"""Channels-last weights or frames: they decide the memory format of convolutions."""

import torch
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


#: Least number of input channels: with fewer, oneDNN's weight gradient of strided 1x1 convolutions
#: of channels-last inputs writes past its buffer on CPUs with AVX2
#: (github.com/uxlfoundation/oneDNN/issues/6035).
_LEAST_CHANNELS = 8

#: Whether channels-last is also faster in training; with AVX2 oneDNN's weight gradient is slower.
_TRAINS_FASTER = torch.backends.cpu.get_cpu_capability() == 'AVX512'


def use_channels_last(module: nn.Module, trained: bool = True) -> nn.Module:
    """Store the weights of convolutions channels-last; the results stay the same.

    A convolution runs in the format of its weights, and its output has the same format.
    Channels-last is faster on GPUs with tensor cores, in inference on CPUs, and for narrow
    networks. Training wide networks is slower on CPUs with AVX2 and about as fast with AVX-512
    (docs/performance.md).

    Args:
        module (nn.Module): Changed in place.
        trained (bool): Whether gradients of the weights will be computed. Defaults to True.

    Returns:
        nn.Module: The same module.

    Raises:
        ValueError: If a strided 1x1 convolution to be trained has fewer than 8 input channels; its
            gradient would corrupt memory on CPUs.
    """
    for name, layer in module.named_modules():
        is_conv = isinstance(layer, nn.Conv2d | nn.Conv3d)
        if trained and is_conv and max(layer.kernel_size) == 1 and max(layer.stride) > 1:
            if layer.in_channels // layer.groups < _LEAST_CHANNELS:
                raise ValueError(
                    f'channels_last cannot be used with {name}, a strided 1x1 convolution of '
                    f'{layer.in_channels} channels, as oneDNN computes its gradient wrongly; widen '
                    'the network or set channels_last=False.'
                )
    for parameter in module.parameters():
        if parameter.dim() in _FORMATS:
            parameter.data = parameter.data.contiguous(memory_format=_FORMATS[parameter.dim()])
    return module


def to_faster_format(frames: Tensor) -> Tensor:
    """Return frames in the memory format in which a CPU's convolutions are faster; same values.

    The faster format is channels-last, except for training on a CPU without AVX-512
    (docs/performance.md). On other devices frames stay as they are; the network's weights decide
    the format.

    Args:
        frames (Tensor): (N, C, H, W).

    Returns:
        Tensor: The same, perhaps channels-last.
    """
    is_slower = torch.is_grad_enabled() and not _TRAINS_FASTER
    if frames.device.type != 'cpu' or frames.dim() != 4 or is_slower:
        return frames
    return frames.contiguous(memory_format=torch.channels_last)
