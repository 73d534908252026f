"""The averaged weights of an ``EMAHook``, which validations see."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmaction.registry import HOOKS
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from ..registration import register
from .state_dicts import flattener


@contextmanager
def evaluated_weights(runner: Runner) -> Iterator[None]:
    """Give the model the averaged weights inside the context if an ``EMAHook`` keeps such.

    MMEngine's validation and its checkpoints' ``state_dict`` have them; while training the model
    holds its own.

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
    """Store the averages of an ``EMAHook`` under the names of a model that nothing is wrapped in.

    As :class:`~spact_mm.engine.PlainCheckpointHook` does with the weights, so that a run may be
    resumed with another number of processes, and with several at all: MMEngine's hook looks for
    the wrapped names.
    """

    # After MMEngine's hook has built and saved its average.
    priority = 'BELOW_NORMAL'

    def before_run(self, runner: Runner) -> None:
        """Let each average be loaded from flat names."""
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
