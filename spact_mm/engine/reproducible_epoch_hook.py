"""Reproducible epochs for loops other than the minimax's own."""

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed

from ..registration import register


def seed_epoch(runner: Runner, data, epoch: int) -> None:
    """Make data, dropout and draws a function of seed, epoch and rank from here on.

    Args:
        runner (Runner): The runner.
        data: What gives the samples; its ``set_epoch`` is told, if it has one.
        epoch (int): 0-based.
    """
    # The data of all ranks have to agree.
    seed = runner.seed
    if runner._randomness_cfg.get('diff_rank_seed', False):
        seed -= get_rank()
    if hasattr(data, 'set_epoch'):
        data.set_epoch(epoch, seed)
    set_random_seed(((seed * 1_000_003 + epoch) * 4_099 + get_rank()) % 2**32)


@register(HOOKS)
class ReproducibleEpochHook(Hook):
    """Seed everything random in an epoch by the run's seed, the epoch and the rank.

    What ``MinimaxTrainLoop`` does by itself, for other loops: a resumed run goes on as if it had
    not been interrupted, if its data set is a :class:`~spact_mm.datasets.ReproducibleDataset`. With
    MMEngine's ``EpochBasedTrainLoop`` it is resumed at an epoch's end, with
    :class:`~spact_mm.engine.ResumableTrainLoop` at any iteration.

    Raises:
        ValueError: If the training is not one of epochs, which would all be the same.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Refuse a loop that has no epochs."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(
                f'ReproducibleEpochHook seeds epochs, but train_cfg is a '
                f'{type(runner.train_loop).__name__}; set train_cfg.by_epoch=True or take the hook '
                'off custom_hooks.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the epoch's streams of random numbers."""
        seed_epoch(runner, runner.train_loop.dataloader.dataset, runner.epoch)
        self._state = torch.get_rng_state()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Undo what the start of the workers drew.

        A loader draws a seed when it starts its workers; persistent ones start at the first epoch
        of a process, which is another one in a resumed run. Dropout must not notice.
        """
        # Tools that draw schedules have a loader that is none of torch's.
        if batch_idx == 0 and getattr(runner.train_loop.dataloader, 'num_workers', 0) > 0:
            torch.set_rng_state(self._state)
