"""Trying something with a model without changing it, bit for bit."""

import copy
import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from mmengine.logging import MessageHub
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.optim import Optimizer


@contextmanager
def unchanged(model: nn.Module, message_hub: MessageHub) -> Iterator[None]:
    """Undo all changes within the context to a model, gradients, logged values and random states.

    Parameters, buffers, gradients, BatchNorm modes, and attributes and layers that a forward pass
    adds or replaces are restored, and so are the generators of Python, NumPy and torch, on the CPU
    and on the model's device. In distributed training no gradients are exchanged.

    Args:
        model (nn.Module): The model, perhaps wrapped for distributed training or compiled.
        message_hub (MessageHub): The message hub of the run.
    """
    modules = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    attributes = [(vars(module), _copy_attributes(module)) for module in modules]
    tensors = [*model.parameters(), *model.buffers()]
    # Copied to the CPU, as the steps need the accelerator's memory.
    values = [tensor.detach().to('cpu', copy=True) for tensor in tensors]
    gradients = [tensor.grad for tensor in tensors]
    hub = [message_hub._log_scalars, message_hub._runtime_info, message_hub._resumed_keys]
    logged = [copy.deepcopy(hub[0]), dict(hub[1]), dict(hub[2])]
    with ExitStack() as stack:
        stack.enter_context(_same_random_numbers(tensors))
        for module in modules:
            if exchanges_gradients(module):
                stack.enter_context(module.no_sync())
        for tensor in tensors:
            tensor.grad = None
        _drop_compiled(model)
        try:
            yield
        finally:
            for now, before in attributes:
                _restore(now, before)
            with torch.no_grad():
                for tensor, value, gradient in zip(tensors, values, gradients, strict=True):
                    if not torch.equal(tensor.cpu(), value):
                        tensor.copy_(value)
                    tensor.grad = gradient
            for now, before in zip(hub, logged, strict=True):
                now.clear()
                now.update(before)


def exchanges_gradients(module: nn.Module) -> bool:
    """Tell whether a module itself, not only its children, is wrapped for distributed training.

    Args:
        module (nn.Module): Any module.
    """
    # MMEngine's wrapper for several optimizers is a subclass, but wraps only the children.
    return isinstance(module, nn.parallel.DistributedDataParallel) and not isinstance(
        module, MMSeparateDistributedDataParallel
    )


def resting(optim_wrapper: OptimWrapper | OptimWrapperDict) -> OptimWrapper | OptimWrapperDict:
    """Return copies of optimizer wrappers that do everything (precision, scaling) except the step.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict): The wrappers, which are not changed.
    """
    result = copy.copy(optim_wrapper)
    if isinstance(optim_wrapper, OptimWrapperDict):
        result.optim_wrappers = {key: resting(one) for key, one in optim_wrapper.items()}
        return result
    # Schedulers replace `step` of an instance by a method bound to that instance.
    for name in [name for name in vars(result) if callable(getattr(type(result), name, None))]:
        delattr(result, name)
    result.optimizer = _RestingOptimizer(optim_wrapper.optimizer)
    if hasattr(result, 'loss_scaler'):
        result.loss_scaler = copy.deepcopy(result.loss_scaler)
    return result


class _RestingOptimizer(Optimizer):
    """An optimizer of the same parameters that changes neither parameters nor gradients."""

    def __init__(self, optimizer: Optimizer) -> None:
        groups = [dict(group) for group in optimizer.param_groups]
        super().__init__(groups, dict(optimizer.defaults))

    def step(self, closure=None) -> None:
        """Do nothing."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Do nothing."""


def _copy_attributes(module: nn.Module) -> dict:
    """Map the names of a module's attributes to their values, and to copies of containers."""
    return {
        name: (value, copy.copy(value) if type(value) in (dict, OrderedDict, list) else None)
        for name, value in vars(module).items()
    }


def _restore(now: dict, before: dict) -> None:
    now.clear()
    for name, (value, content) in before.items():
        now[name] = value
        if content is not None:
            value.clear()
            (value.extend if isinstance(value, list) else value.update)(content)


def _drop_compiled(model: nn.Module) -> None:
    """Use the original methods instead of MMEngine's compiled ones, which adapt to each shape."""
    for name, value in list(vars(model).items()):
        if hasattr(value, '_torchdynamo_orig_callable'):
            delattr(model, name)


@contextmanager
def _same_random_numbers(tensors: list[torch.Tensor]) -> Iterator[None]:
    kinds = {tensor.device.type for tensor in tensors} - {'cpu', 'meta'}
    states = random.getstate(), np.random.get_state()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        for kind in kinds:
            devices = range(getattr(torch, kind).device_count())
            stack.enter_context(torch.random.fork_rng(devices, device_type=kind))
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
