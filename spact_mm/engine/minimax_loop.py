"""The training loop of the minimax."""

from mmaction.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed
from torch import nn
from torch.utils.data import DataLoader

from ..registration import register
from .early_check import check_early
from .paired_dataloader import PairedDataLoader


@register(LOOPS)
class MinimaxTrainLoop(EpochBasedTrainLoop):
    """Epochs over the action loader, zipped with a privacy loader.

    Each batch is ``dict(action=..., privacy=...)``. Everything random in an epoch is seeded by the
    run's seed, the epoch and the rank when it starts, so a run resumed at an epoch's end goes on
    as if it had not been interrupted.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The action loader (the runner passes ``train_dataloader``).
        max_epochs (int): Epochs in all, the sum of the schedule of :class:`MinimaxPhaseHook`.
        privacy_dataloader (DataLoader | dict, optional): The privacy loader. None, the default,
            takes the views from the clips.
        epoch_length (str): ``'action'`` (the privacy loader cycles) or ``'shortest'``.
            Defaults to ``'action'``.
        **kwargs: As :class:`mmengine.runner.EpochBasedTrainLoop`.

    Raises:
        ValueError: If a loader is empty, ``epoch_length`` is unknown, or a batch can be smaller
            than what the privacy branch needs.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        privacy_dataloader: DataLoader | dict | None = None,
        epoch_length: str = 'action',
        **kwargs,
    ) -> None:
        diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
        self._seed_offset = get_rank() if diff_rank_seed else 0
        action, privacy = (
            runner.build_dataloader(loader, seed=runner.seed, diff_rank_seed=diff_rank_seed)
            if isinstance(loader, dict)
            else loader
            for loader in (dataloader, privacy_dataloader)
        )
        paired = PairedDataLoader(action, privacy, epoch_length)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        least = getattr(getattr(model, 'privacy_branch', None), 'min_batch_size', 1)
        _check_batch_sizes(paired, least)
        super().__init__(runner, paired, max_epochs, **kwargs)

    def run(self) -> nn.Module:
        """Run all epochs, if a small batch passes all that they will do."""
        check_early(self.runner)
        return super().run()

    def run_epoch(self) -> None:
        """Run one epoch."""
        self.seed_epoch()
        self._forget_partial_sums()
        super().run_epoch()

    def _forget_partial_sums(self) -> None:
        """Drop gradients that the last epoch has accumulated without an update.

        A resumed run does not have them, and those of another phase belong to another loss.
        """
        for wrapper in self.runner.optim_wrapper.values():
            wrapper.zero_grad()
            wrapper._inner_count = 0

    def seed_epoch(self) -> None:
        """Make data, dropout and draws a function of seed, epoch and rank from here on."""
        # The loaders of all ranks have to agree on the order of the samples.
        seed = self.runner.seed - self._seed_offset
        self.dataloader.set_epoch(self.epoch, seed)
        set_random_seed(((seed * 1_000_003 + self.epoch) * 4_099 + get_rank()) % 2**32)


def _check_batch_sizes(paired: PairedDataLoader, least: int) -> None:
    """Refuse loaders one of whose batches is too small for the privacy branch."""
    name = 'privacy' if 'privacy' in paired.loaders else 'action'
    loader = paired.loaders[name]
    key = 'train_cfg.privacy_dataloader' if name == 'privacy' else 'train_dataloader'
    if loader.batch_size < least:
        raise ValueError(
            f'{key}.batch_size is {loader.batch_size}, but the privacy branch compares images with '
            f'each other and needs at least {least} in a batch; raise it.'
        )
    last = len(loader.sampler) % loader.batch_size
    if not loader.drop_last and 0 < last < least:
        raise ValueError(
            f'The last batch of {key} holds {last} of {len(loader.sampler)} samples, but the '
            f'privacy branch needs at least {least}; set {key}.drop_last=True.'
        )
