"""The training loop of the minimax."""

from collections.abc import Iterator, Mapping

from mmaction.registry import LOOPS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from ..models.unwrapped import unwrapped
from ..registration import register
from .accumulation import begin_accumulation, check_accumulation
from .early_check import check_early
from .paired_dataloader import PairedDataLoader
from .phase_hook import MinimaxPhaseHook, find_phase_hook
from .reproducible_epoch_hook import seed_epoch
from .resumable_loop import ResumableTrainLoop
from .stage_schedulers import resolve_stages

#: Default that differs from None, as None means views from the clips.
_TOP_LEVEL = 'top level'


@register(LOOPS)
class MinimaxTrainLoop(ResumableTrainLoop):
    """Epochs over the action loader, zipped with a privacy loader.

    Each batch is ``dict(action=..., privacy=...)``. At its start an epoch is seeded by the run's
    seed, the epoch and the rank, so a resumed run gives the same result as an uninterrupted one.

    The loop needs a :class:`MinimaxPhaseHook` and takes its epochs from there. It replaces the
    names of stages in the runner's ``param_scheduler`` (:func:`resolve_stages`) before the
    schedulers are built.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The action loader (the runner passes ``train_dataloader``).
        max_epochs (int, optional): Number of epochs. None, the default, means the sum of the
            schedule; fewer need ``allow_partial=True`` of the hook.
        privacy_dataloader (DataLoader | dict, optional): The privacy loader; None takes the views
            from the clips. By default it is the config's ``privacy_dataloader``, the usual place,
            beside ``train_dataloader``.
        epoch_length (str): ``'action'`` (the privacy loader cycles) or ``'shortest'``.
            Defaults to ``'action'``.
        **kwargs: Arguments of :class:`ResumableTrainLoop`.

    Raises:
        ValueError: If there is not exactly one :class:`MinimaxPhaseHook`, ``max_epochs`` or a
            scheduler does not fit its schedule, the privacy loader is given twice, a loader is
            empty, ``epoch_length`` is unknown or without effect, or a batch can be smaller than the
            privacy branch needs.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int | None = None,
        privacy_dataloader: DataLoader | dict | str | None = _TOP_LEVEL,
        epoch_length: str = 'action',
        **kwargs,
    ) -> None:
        hook = find_phase_hook(runner)
        hook.check_phases(runner.model)
        max_epochs = _count_epochs(hook, max_epochs)
        privacy_dataloader = _choose_privacy_loader(runner, privacy_dataloader)
        if privacy_dataloader is None and epoch_length == 'shortest':
            raise ValueError(
                "train_cfg.epoch_length='shortest' compares the action loader with the privacy "
                'loader, and there is none; give privacy_dataloader or take it out.'
            )
        diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
        action, privacy = (
            runner.build_dataloader(loader, seed=runner.seed, diff_rank_seed=diff_rank_seed)
            if isinstance(loader, dict)
            else loader
            for loader in (dataloader, privacy_dataloader)
        )
        paired = PairedDataLoader(action, privacy, epoch_length)
        model = unwrapped(runner.model)
        least = getattr(getattr(model, 'privacy_branch', None), 'min_batch_size', 1)
        _check_batch_sizes(paired, least)
        _check_view_distance(runner, paired)
        super().__init__(runner, paired, max_epochs, **kwargs)
        # The runner builds the schedulers next.
        runner.param_schedulers = resolve_stages(
            runner.param_schedulers, hook.all_stages, len(paired)
        )

    def run(self) -> nn.Module:
        """Run all epochs, after a test of all phases by a small batch.

        Another check before is that each player gets enough batches for its gradient accumulation.
        """
        check_accumulation(self.runner)
        check_early(self.runner)
        return super().run()

    def run_epoch(self) -> None:
        """Run one epoch, or the rest of an interrupted one."""
        self.seed_epoch()
        begin_accumulation(self.runner, self.batches_done)
        super().run_epoch()

    def _iterate_from(self, first: int) -> Iterator[dict]:
        return self.dataloader.iterate_from(first)

    def seed_epoch(self) -> None:
        """Seed data, dropout and other random numbers by seed, epoch and rank."""
        seed_epoch(self.runner, self.dataloader, self.epoch)


def _count_epochs(hook: MinimaxPhaseHook, max_epochs: int | None) -> int:
    """Return the epochs of the run; refuse a number that contradicts the schedule."""
    planned = hook.all_stages[-1].end
    if max_epochs is None:
        return planned
    if max_epochs > planned or (max_epochs < planned and not hook.allow_partial):
        raise ValueError(
            f'The schedule of MinimaxPhaseHook covers {planned} epochs, but train_cfg.max_epochs '
            f'is {max_epochs}; take max_epochs out and change epochs in the schedule, or set '
            'allow_partial=True in MinimaxPhaseHook to stop before the schedule ends.'
        )
    return max_epochs


def _choose_privacy_loader(
    runner: Runner, given: DataLoader | dict | str | None
) -> DataLoader | dict | None:
    """Return the privacy loader of the config, from either place."""
    at_top = runner.cfg.get('privacy_dataloader', _TOP_LEVEL)
    if isinstance(given, str):
        return None if isinstance(at_top, str) else at_top
    if not isinstance(at_top, str) and at_top != given:
        raise ValueError(
            'privacy_dataloader and train_cfg.privacy_dataloader are both given and differ; keep '
            'privacy_dataloader, beside train_dataloader, and take the other out.'
        )
    return given


def _check_view_distance(runner: Runner, paired: PairedDataLoader) -> None:
    """Refuse ``view_distance`` if the views come from the privacy loader."""
    model = runner.cfg.get('model')
    if 'privacy' in paired.loaders and isinstance(model, Mapping) and 'view_distance' in model:
        raise ValueError(
            'model.view_distance is for views from the clips, but privacy_dataloader gives the '
            'views; take view_distance out, or set privacy_dataloader=None.'
        )


def _check_batch_sizes(paired: PairedDataLoader, least: int) -> None:
    """Refuse loaders with a batch that is too small for the privacy branch."""
    name = 'privacy' if 'privacy' in paired.loaders else 'action'
    loader = paired.loaders[name]
    key = 'privacy_dataloader' if name == 'privacy' else 'train_dataloader'
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
