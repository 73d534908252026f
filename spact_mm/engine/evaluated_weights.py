"""The weights that a validation would see."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.hooks import EMAHook
from mmengine.runner import Runner


@contextmanager
def evaluated_weights(runner: Runner) -> Iterator[None]:
    """Give the model the averaged weights inside the context if an ``EMAHook`` keeps such.

    MMEngine's validation and its checkpoints' ``state_dict`` have them; while training the model
    holds its own.

    Args:
        runner (Runner): The runner.
    """
    averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    for hook in averages:
        hook.before_val_epoch(runner)
    try:
        yield
    finally:
        for hook in reversed(averages):
            hook.after_val_epoch(runner)
