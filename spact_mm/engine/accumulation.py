"""Gradient accumulation over the batches of each player."""

from collections import Counter

from mmaction.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from ..models.unwrapped import unwrapped
from ..registration import register
from .phase_hook import find_phase_hook
from .training_state import capture_sums, restore_sums


def check_accumulation(runner: Runner) -> None:
    """Check that each player of the minimax gets the batches that its optimizer accumulates.

    Args:
        runner (Runner): The runner, with optimizers and data loader built.

    Raises:
        ValueError: If a player has turns in an epoch, but fewer than ``accumulative_counts``.
    """
    if not _accumulating(runner):
        return
    hook = find_phase_hook(runner)
    for stage in hook.stages:
        # The first turn of an epoch repeats with a period of as many epochs as there are phases.
        for epoch in range(stage.begin, min(stage.end, stage.begin + len(stage.phases))):
            turns = _turns(runner, epoch)
            for name, count in _accumulating(runner).items():
                if 0 < turns[name] < count:
                    raise ValueError(
                        f'accumulative_counts of optim_wrapper.{name} is {count}, but in epoch '
                        f'{epoch + 1} only {turns[name]} of {len(runner.train_dataloader)} '
                        f'iterations update it, and no epoch leaves a sum for the next; set it to '
                        f'{turns[name]} or less, or give the epoch more batches (a smaller '
                        'train_dataloader.batch_size, or a RepeatDataset).'
                    )


def begin_accumulation(runner: Runner, done: int = 0) -> None:
    """Restart the accumulated gradients at the beginning of an epoch, for each player.

    Each player counts its own turns. The batches that remain at a player's last turn of the epoch
    also make an update, by their mean.

    Args:
        runner (Runner): The runner.
        done (int): Finished iterations of the epoch. Defaults to 0.
    """
    accumulates = bool(_accumulating(runner))
    turns, before = (
        _turns(runner, runner.epoch, stop) if accumulates else Counter() for stop in (None, done)
    )
    for name, wrapper in runner.optim_wrapper.items():
        wrapper.zero_grad()
        wrapper._inner_count = before[name]
        wrapper._max_counts = turns[name] if accumulates else -1
        wrapper._remainder_counts = turns[name] % wrapper._accumulative_counts


@register(HOOKS)
class GradientAccumulationHook(Hook):
    """Save gradients that are accumulated beyond the end of an epoch in its checkpoint.

    MMEngine's loops continue an accumulation in the next epoch (``accumulative_counts``); without
    this hook a resumed run loses the gradients that are not applied yet.
    :class:`~spact_mm.engine.MinimaxTrainLoop` ends each epoch without such gradients. With several
    processes each has its own sums; only the main process's sums are saved, and all processes use
    them after ``--resume``.
    """

    def __init__(self) -> None:
        self._resumed: dict | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add ``accumulated``: the sums, in the order of the optimizer's parameters."""
        wrapper = runner.optim_wrapper
        is_minimax = isinstance(wrapper, OptimWrapperDict)
        if is_minimax or runner.iter % len(runner.train_dataloader):
            return
        if wrapper._inner_count % wrapper._accumulative_counts and not wrapper.should_update():
            sums = capture_sums(wrapper)
            checkpoint['accumulated'] = dict(every=wrapper._accumulative_counts, **sums)
            if get_world_size() > 1:
                runner.logger.warning(
                    'The epoch ends between two updates (accumulative_counts): the checkpoint '
                    'holds the gradients of the main process only.'
                )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the sums until the training begins."""
        self._resumed = checkpoint.get('accumulated') if runner._resume else None

    def before_train(self, runner: Runner) -> None:
        """Put the sums of the checkpoint in place."""
        kept, wrapper = self._resumed, runner.optim_wrapper
        self._resumed = None
        if kept is None:
            return
        if wrapper._accumulative_counts != kept['every']:
            runner.logger.warning(
                f'optim_wrapper.accumulative_counts was {kept["every"]} and is '
                f'{wrapper._accumulative_counts}: the gradients of '
                f'{kept["count"] % kept["every"]} batches in the checkpoint are dropped.'
            )
            return
        restore_sums(wrapper, kept)


def _accumulating(runner: Runner) -> dict[str, int]:
    """Return the players that accumulate gradients, and their numbers of batches."""
    counts = {name: w._accumulative_counts for name, w in runner.optim_wrapper.items()}
    return {name: count for name, count in counts.items() if count > 1}


def _turns(runner: Runner, epoch: int, stop: int | None = None) -> Counter:
    """Count the iterations of an epoch, or of its first ``stop``, that update each player."""
    hook, length = find_phase_hook(runner), len(runner.train_dataloader)
    iterations = range(length)[:stop]
    phases = Counter(hook.phase_at(epoch, iteration, length) for iteration in iterations)
    model = unwrapped(runner.model)
    turns = Counter()
    for phase, count in phases.items():
        turns.update({player: count for player in model.phases[phase]})
    return turns
