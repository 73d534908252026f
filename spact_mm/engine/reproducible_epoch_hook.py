"""Reproducible epochs for loops other than the minimax's own."""

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed

from ..registration import register


def seed_epoch(runner: Runner, data, epoch: int) -> None:
    """Seed data, dropout and other random numbers by seed, epoch and rank.

    Args:
        runner (Runner): The runner.
        data: Source of the samples; its ``set_epoch`` is called if it has one.
        epoch (int): 0-based epoch.
    """
    # All ranks need the same seed for the data.
    seed = runner.seed
    if runner._randomness_cfg.get('diff_rank_seed', False):
        seed -= get_rank()
    if hasattr(data, 'set_epoch'):
        data.set_epoch(epoch, seed)
    set_random_seed(((seed * 1_000_003 + epoch) * 4_099 + get_rank()) % 2**32)


@register(HOOKS)
class ReproducibleEpochHook(Hook):
    """Seed everything random in an epoch by the run's seed, the epoch and the rank.

    For loops other than ``MinimaxTrainLoop``, which seeds its epochs itself. A resumed run gives
    the same result as an uninterrupted one if its data set is a
    :class:`~spact_mm.datasets.ReproducibleDataset`. With MMEngine's ``EpochBasedTrainLoop`` a run
    is resumed at an epoch's end, with :class:`~spact_mm.engine.ResumableTrainLoop` at any
    iteration.

    Raises:
        ValueError: If the loop has no epochs: all passes over the data would be the same.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Refuse a loop without epochs."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(
                f'ReproducibleEpochHook seeds epochs, but train_cfg is a '
                f'{type(runner.train_loop).__name__}; set train_cfg.by_epoch=True or take the hook '
                'off custom_hooks.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the random numbers of the epoch."""
        seed_epoch(runner, runner.train_loop.dataloader.dataset, runner.epoch)
        self._state = torch.get_rng_state()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Undo the effect of the workers' start on the random numbers.

        A loader draws a seed when it starts its workers. Persistent workers start in the first
        epoch of a process, which is another epoch in a resumed run. The draw must not affect
        dropout.
        """
        # Tools that draw schedules have no loader of torch.
        if batch_idx == 0 and getattr(runner.train_loop.dataloader, 'num_workers', 0) > 0:
            torch.set_rng_state(self._state)
