"""Freezing of networks: permanently, or while gradients pass through them."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_FORWARDS = (_BatchNorm.forward, nn.SyncBatchNorm.forward)


class _FrozenParameter(nn.Parameter):
    """A parameter that is never trained, also after ``requires_grad_()`` of the model around it."""

    requires_grad = property(lambda self: False, lambda self, value: None)

    def requires_grad_(self, requires_grad: bool = True) -> nn.Parameter:
        return self


def freeze(network: nn.Module) -> None:
    """Set eval mode and freeze the parameters permanently."""
    network.eval()
    replaced = {}
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                # Looked up by identity, so that shared parameters stay shared.
                module._parameters[name] = replaced.setdefault(
                    id(parameter), _FrozenParameter(parameter.detach(), requires_grad=False)
                )


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Freeze the networks while gradients pass through them to their inputs, in less memory.

    A BatchNorm in eval mode is ``x * scale + shift``. PyTorch's BatchNorm keeps its input for the
    backward pass nevertheless, about half of the activations of a residual network. Written as a
    product and a sum, BatchNorm keeps nothing.

    Args:
        networks (nn.Module): The networks; parameters that are already frozen stay frozen
            afterwards.
    """
    layers = [layer for network in networks for layer in network.modules()]
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    norms = {layer for layer in layers if type(layer).forward in _FORWARDS and _is_affine(layer)}
    for parameter in parameters:
        parameter.requires_grad_(False)
    for norm in norms:
        # torch.compile recognises the same method the next time; a new partial function would make
        # it compile again.
        norm.forward = MethodType(_scale_and_shift, norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward
        for parameter in parameters:
            parameter.requires_grad_(True)


def _is_affine(norm: _BatchNorm) -> bool:
    """Tell whether a BatchNorm normalizes by its running statistics."""
    return not norm.training and norm.running_mean is not None


def _scale_and_shift(norm: _BatchNorm, x: Tensor) -> Tensor:
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.affine:
        scale = scale * norm.weight
    shift = -norm.running_mean * scale
    if norm.affine:
        shift = shift + norm.bias
    shape = (1, -1) + (1,) * (x.dim() - 2)
    # For half-precision inputs the product is computed in full precision, as in PyTorch's
    # BatchNorm.
    return (x * scale.view(shape)).add_(shift.view(shape)).to(x.dtype)
