"""Networks that stay as they are: for good, or while gradients pass through them."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_FORWARDS = (_BatchNorm.forward, nn.SyncBatchNorm.forward)


class _FrozenParameter(nn.Parameter):
    """A parameter of a network that is not trained, whatever the model around it is told."""

    requires_grad = property(lambda self: False, lambda self, value: None)

    def requires_grad_(self, requires_grad: bool = True) -> nn.Parameter:
        return self


def freeze(network: nn.Module) -> None:
    """Set eval mode and take the parameters out of training for good."""
    network.eval()
    replaced = {}
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                # By identity, so that shared parameters stay shared.
                module._parameters[name] = replaced.setdefault(
                    id(parameter), _FrozenParameter(parameter.detach(), requires_grad=False)
                )


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Let gradients through the networks to their inputs only, with less kept for it.

    A BatchNorm in eval mode is ``x * scale + shift``. PyTorch's own keeps its input for the
    backward pass all the same, about half of what a residual network keeps; written as a product
    and a sum it keeps nothing.

    Args:
        networks (nn.Module): Parameters that are frozen already stay so afterwards.
    """
    layers = [layer for network in networks for layer in network.modules()]
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    norms = {layer for layer in layers if type(layer).forward in _FORWARDS and _is_affine(layer)}
    for parameter in parameters:
        parameter.requires_grad_(False)
    for norm in norms:
        # A method, unlike a partial function, is what torch.compile has seen the last time.
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
    # Of half precision the product is of full precision, as within PyTorch's own.
    return (x * scale.view(shape)).add_(shift.view(shape)).to(x.dtype)
