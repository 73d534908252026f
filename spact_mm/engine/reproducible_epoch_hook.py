"""Reproducible epochs for loops other than the minimax's own."""

from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from ..registration import register


@register(HOOKS)
class ReproducibleEpochHook(Hook):
    """Seed everything random in an epoch by the run's seed, the epoch and the rank.

    What ``MinimaxTrainLoop`` does by itself, for MMEngine's ``EpochBasedTrainLoop``: a run that is
    resumed at an epoch's end goes on as if it had not been interrupted.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the epoch's streams of random numbers."""
        diff_rank = get_rank() if runner._randomness_cfg.get('diff_rank_seed', False) else 0
        # The data sets of all ranks have to agree.
        seed = runner.seed - diff_rank
        dataset = runner.train_loop.dataloader.dataset
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.epoch, seed)
        set_random_seed(((seed * 1_000_003 + runner.epoch) * 4_099 + get_rank()) % 2**32)
