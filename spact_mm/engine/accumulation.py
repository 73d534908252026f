"""Gradients that are accumulated over the batches of each player."""

from collections import Counter

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from ..models.minimax import PLAYERS
from ..registration import register
from .phase_hook import MinimaxPhaseHook


def check_accumulation(runner: Runner) -> None:
    """Check that each player of the minimax gets the batches that its optimizer accumulates.

    Args:
        runner (Runner): The runner, with optimizers and data loader built.

    Raises:
        ValueError: If a player has turns in an epoch, but fewer than ``accumulative_counts``.
    """
    if not _accumulating(runner):
        return
    hook = _phase_hook(runner)
    for stage in hook.stages:
        # Where the turns of an epoch begin repeats after as many epochs as there are phases.
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


def begin_accumulation(runner: Runner) -> None:
    """Begin the sums of gradients of an epoch anew, for each player of the minimax.

    Each counts its own turns. What remains when the epoch's last turn of a player comes is an
    update too, by the mean of its batches.
    """
    turns = _turns(runner, runner.epoch) if _accumulating(runner) else {}
    for name, wrapper in runner.optim_wrapper.items():
        wrapper.zero_grad()
        wrapper._inner_count = 0
        if name in turns:
            wrapper._max_counts = turns[name]
            wrapper._remainder_counts = turns[name] % wrapper._accumulative_counts


@register(HOOKS)
class GradientAccumulationHook(Hook):
    """Keep gradients that are accumulated, but not yet applied, in checkpoints.

    So a run that is resumed between two updates goes on as if it had not been interrupted, in the
    minimax as in other trainings. With ``accumulative_counts=1`` it does nothing. With several
    processes each holds a sum of its own and the main one's is kept, which stands for all after
    ``--resume``.
    """

    def __init__(self) -> None:
        self._resumed: dict = {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add ``accumulated``: the sums by optimizer, in the order of its parameters."""
        kept = {}
        for name, wrapper in _named(runner.optim_wrapper).items():
            if wrapper._accumulative_counts > 1 and 0 < wrapper._inner_count != wrapper._max_counts:
                gradients = [None if p.grad is None else p.grad.cpu() for p in _parameters(wrapper)]
                kept[name] = dict(
                    every=wrapper._accumulative_counts,
                    count=wrapper._inner_count,
                    gradients=gradients,
                )
        if not kept:
            return
        checkpoint['accumulated'] = kept
        if get_world_size() > 1:
            runner.logger.warning(
                'The checkpoint lies between two updates (accumulative_counts): of the gradients '
                'accumulated so far it holds those of the main process only.'
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the sums until the epoch begins."""
        if runner._resume:
            self._resumed = checkpoint.get('accumulated', {})

    @torch.no_grad()
    def before_train_epoch(self, runner: Runner) -> None:
        """Put the sums of the checkpoint in place."""
        for name, kept in self._resumed.items():
            wrapper = _named(runner.optim_wrapper)[name]
            if wrapper._accumulative_counts != kept['every']:
                runner.logger.warning(
                    f'accumulative_counts of {name} was {kept["every"]} and is '
                    f'{wrapper._accumulative_counts}: the gradients of '
                    f'{kept["count"] % kept["every"]} batches in the checkpoint are dropped.'
                )
                continue
            wrapper._inner_count = kept['count']
            for parameter, gradient in zip(_parameters(wrapper), kept['gradients'], strict=True):
                parameter.grad = None if gradient is None else gradient.to(parameter)
        self._resumed = {}


def _named(optim_wrapper: OptimWrapper | OptimWrapperDict) -> dict[str, OptimWrapper]:
    is_dict = isinstance(optim_wrapper, OptimWrapperDict)
    return dict(optim_wrapper.items()) if is_dict else dict(model=optim_wrapper)


def _parameters(wrapper: OptimWrapper) -> list[nn.Parameter]:
    return [p for group in wrapper.optimizer.param_groups for p in group['params']]


def _accumulating(runner: Runner) -> dict[str, int]:
    """Return the players that accumulate, and how many batches."""
    counts = {name: w._accumulative_counts for name, w in runner.optim_wrapper.items()}
    return {name: count for name, count in counts.items() if count > 1}


def _phase_hook(runner: Runner) -> MinimaxPhaseHook:
    hooks = [hook for hook in runner.hooks if isinstance(hook, MinimaxPhaseHook)]
    if not hooks:
        raise ValueError(
            'optim_wrapper sets accumulative_counts, but custom_hooks has no MinimaxPhaseHook, '
            'whose schedule says whose turn each batch is; add it.'
        )
    return hooks[0]


def _turns(runner: Runner, epoch: int) -> Counter:
    """Count the iterations of an epoch that update each player."""
    hook, length = _phase_hook(runner), len(runner.train_dataloader)
    phases = Counter(hook.phase_at(epoch, iteration, length) for iteration in range(length))
    turns = Counter()
    for phase, count in phases.items():
        turns.update({player: count for player in PLAYERS[phase]})
    return turns
