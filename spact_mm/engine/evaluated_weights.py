"""The averaged weights of an ``EMAHook``, which validations use."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmaction.registry import HOOKS
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from ..registration import register
from .state_dicts import flattener


@contextmanager
def evaluated_weights(runner: Runner) -> Iterator[None]:
    """Give the model the averaged weights inside the context if there is an ``EMAHook``.

    MMEngine's validation and the ``state_dict`` of checkpoints use averaged weights; during
    training the model has its own weights.

    Args:
        runner (Runner): The runner.
    """
    averages = _averages(runner)
    for hook in averages:
        hook.before_val_epoch(runner)
    try:
        yield
    finally:
        for hook in reversed(averages):
            hook.after_val_epoch(runner)


@register(HOOKS)
class FlatAveragesHook(Hook):
    """Store the averages of an ``EMAHook`` under the names of a model without wrappers.

    :class:`~spact_mm.engine.PlainCheckpointHook` does the same with the weights. So a run can be
    resumed with another number of processes. Without this hook it could not be resumed with several
    processes: MMEngine's hook expects the wrapped names.
    """

    # Runs after MMEngine's hook, which builds and saves the average.
    priority = 'BELOW_NORMAL'

    def before_run(self, runner: Runner) -> None:
        """Make each average load from flat names."""
        for hook in _averages(runner):
            flatten = flattener(hook.ema_model)
            names = {flatten(name): name for name in hook.ema_model.state_dict()}

            def rename(state, *_, names=names) -> None:
                for flat in [flat for flat, name in names.items() if flat != name]:
                    if flat in state:
                        state[names[flat]] = state.pop(flat)

            hook.ema_model._register_load_state_dict_pre_hook(rename)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make the names flat."""
        for hook in _averages(runner):
            flatten = flattener(hook.ema_model)
            state = checkpoint['ema_state_dict']
            checkpoint['ema_state_dict'] = {flatten(k): value for k, value in state.items()}


def _averages(runner: Runner) -> list[EMAHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
