"""Channels-last weights or frames, which decide the memory format in which convolutions run."""

import torch
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


#: Below it oneDNN's weight gradient of strided 1x1 convolutions of channels-last inputs writes past
#: its buffer on CPUs with AVX2 (github.com/uxlfoundation/oneDNN/issues/6035).
_LEAST_CHANNELS = 8

#: Whether channels-last is faster in training, too; with AVX2 oneDNN's weight gradient is slower.
_TRAINS_FASTER = torch.backends.cpu.get_cpu_capability() == 'AVX512'


def use_channels_last(module: nn.Module, trained: bool = True) -> nn.Module:
    """Store the weights of convolutions channels-last; what they compute stays the same.

    Convolutions follow the format of their weights and hand it on. It is faster on GPUs with
    tensor cores, in inference on CPUs, and for narrow networks; training wide networks is slower on
    CPUs with AVX2 and about the same with AVX-512 (docs/performance.md).

    Args:
        module (nn.Module): Changed in place.
        trained (bool): Whether gradients of its weights will be computed. Defaults to True.

    Returns:
        nn.Module: The same module.

    Raises:
        ValueError: If a strided 1x1 convolution to be trained has fewer than 8 input channels,
            whose gradient corrupts memory on CPUs.
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
    """Return frames as a CPU's convolutions take them in less time; their values stay the same.

    That is channels-last, but for trainings on a CPU without AVX-512 (docs/performance.md). On
    other devices frames stay as they are and the network's weights decide.

    Args:
        frames (Tensor): (N, C, H, W).

    Returns:
        Tensor: The same, perhaps channels-last.
    """
    is_slower = torch.is_grad_enabled() and not _TRAINS_FASTER
    if frames.device.type != 'cpu' or frames.dim() != 4 or is_slower:
        return frames
    return frames.contiguous(memory_format=torch.channels_last)
