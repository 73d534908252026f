"""The state beside weights and optimizers that a training needs to continue within an epoch."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner


def capture_state(runner: Runner) -> dict:
    """Return the state of this process between two iterations.

    Args:
        runner (Runner): The runner.

    Returns:
        dict: The states of the random generators; for each optimizer its number of batches and,
        with gradient accumulation, the gradients that are not applied yet; with several processes
        the buffers of the model, which differ between processes until the epoch ends.
    """
    state = dict(
        python=random.getstate(),
        numpy=np.random.get_state(),
        torch=torch.get_rng_state(),
        optimizers={name: capture_sums(wrapper) for name, wrapper in _wrappers(runner)},
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    if get_world_size() > 1:
        state['buffers'] = [buffer.detach().cpu().clone() for buffer in runner.model.buffers()]
    return state


def restore_state(runner: Runner, state: dict) -> None:
    """Restore the result of :func:`capture_state`.

    Args:
        runner (Runner): The runner, with the weights and optimizers of the same moment.
        state (dict): The state of the same process.
    """
    for name, wrapper in _wrappers(runner):
        restore_sums(wrapper, state['optimizers'][name])
    if 'buffers' in state:
        with torch.no_grad():
            for buffer, value in zip(runner.model.buffers(), state['buffers'], strict=True):
                buffer.copy_(value)
    random.setstate(state['python'])
    np.random.set_state(state['numpy'])
    # A checkpoint is loaded to the accelerator, but generators need their state on the CPU.
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def _wrappers(runner: Runner) -> Iterator[tuple[str, OptimWrapper]]:
    """Yield each optimizer wrapper and its name; the only one of a plain loop is ``all``."""
    wrapper = runner.optim_wrapper
    yield from wrapper.items() if isinstance(wrapper, OptimWrapperDict) else [('all', wrapper)]


def _parameters(wrapper: OptimWrapper) -> list[torch.nn.Parameter]:
    return [p for group in wrapper.optimizer.param_groups for p in group['params']]


def capture_sums(wrapper: OptimWrapper) -> dict:
    """Return an optimizer's number of batches and the gradients that are not applied yet."""
    sums = dict(count=wrapper._inner_count)
    if wrapper._inner_count % wrapper._accumulative_counts:
        sums['gradients'] = [
            None if p.grad is None else p.grad.detach().cpu().clone() for p in _parameters(wrapper)
        ]
    return sums


def restore_sums(wrapper: OptimWrapper, sums: dict) -> None:
    """Restore the result of :func:`capture_sums`."""
    wrapper._inner_count = sums['count']
    if 'gradients' in sums:
        for parameter, gradient in zip(_parameters(wrapper), sums['gradients'], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
