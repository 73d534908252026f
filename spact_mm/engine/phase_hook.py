"""The schedule of the training phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..models.unwrapped import unwrapped
from ..registration import register
from .resumable_loop import batches_done


@dataclass(frozen=True)
class ScheduleStage:
    """A number of epochs whose iterations alternate between phases."""

    phases: tuple[str, ...]
    begin: int
    end: int
    #: Name of the stage, for schedulers.
    name: str = ''

    def __str__(self) -> str:
        return f'{" / ".join(self.phases)} (epochs {self.begin + 1} to {self.end})'


def parse_schedule(schedule: Sequence[dict]) -> list[ScheduleStage]:
    """Check a schedule and give each stage its epochs and its name.

    Args:
        schedule (Sequence[dict]): ``dict(phase=name or sequence of names, epochs=n)`` in order,
            each optionally with a ``name``. The default name is ``'minimax'`` for several phases,
            ``'warmup'`` for ``adversaries`` alone, else the name of the phase.

    Returns:
        list[ScheduleStage]: All stages; those with ``epochs=0`` end where they begin.

    Raises:
        ValueError: If an entry has other keys, no phase, a bad number of epochs or the name of
            another entry.
    """
    stages, begin = [], 0
    for entry in schedule:
        if not {'phase', 'epochs'} <= set(entry) <= {'phase', 'epochs', 'name'}:
            raise ValueError(
                f'An entry of the schedule of MinimaxPhaseHook is {dict(entry)}; '
                'write dict(phase=..., epochs=...), and name=... if you like.'
            )
        phases, epochs = entry['phase'], entry['epochs']
        phases = (phases,) if isinstance(phases, str) else tuple(phases)
        if not phases:
            raise ValueError(
                'An entry of the schedule of MinimaxPhaseHook has no phase; give it one, such as '
                "'reconstruction', or several that take turns."
            )
        if not isinstance(epochs, int) or epochs < 0:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook gives {" / ".join(phases)} epochs={epochs!r}; '
                'use a whole number, 0 or more.'
            )
        name = entry.get('name') or _default_name(phases)
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                f'The schedule of MinimaxPhaseHook names a stage {name!r}; use letters, digits and '
                'underscores, as schedulers call it so.'
            )
        stages.append(ScheduleStage(phases, begin, begin + epochs, name))
        begin += epochs
    names = [stage.name for stage in stages]
    for entry in schedule:
        if names.count(entry.get('name')) > 1:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook calls two stages {entry["name"]!r}; give each a '
                'name of its own.'
            )
    if not begin:
        raise ValueError(
            'The schedule of MinimaxPhaseHook has no epochs; give it entries such as '
            "dict(phase='reconstruction', epochs=5)."
        )
    return stages


def _default_name(phases: tuple[str, ...]) -> str:
    if len(phases) > 1:
        return 'minimax'
    return 'warmup' if phases == ('adversaries',) else phases[0]


@register(HOOKS)
class MinimaxPhaseHook(Hook):
    """Set the phase of each iteration, which depends only on the epoch and the iteration in it.

    :class:`MinimaxTrainLoop` takes its number of epochs, and the epochs of named stages, from this
    hook.

    After ``reconstruction`` the hook measures f_A, and before a stage with the phase ``anonymizer``
    it measures f_A and f_T, on training batches in eval mode. It refuses a hopeless start: without
    a faithful f_A and a recognizer above chance the minimax gives useless pictures and a useless
    recognizer.

    Args:
        schedule (list[dict]): For instance ``[dict(phase='reconstruction', epochs=5),
            dict(phase='adversaries', epochs=20, name='warmup'),
            dict(phase=('anonymizer', 'adversaries'), epochs=100)]``; several phases alternate by
            iteration, across the ends of epochs. Schedulers of ``param_scheduler`` may begin and
            end at the names (:func:`~spact_mm.engine.resolve_stages`).
        max_reconstruction_l1 (float): Largest mean L1 of f_A(x) and x, in [0, 1], for a start of
            the minimax. Defaults to 0.03.
        readiness_clips (int): Number of training clips for this measurement. Defaults to 128.
        force (bool): Start the minimax without this measurement. Defaults to False.
        allow_partial (bool): Allow ``train_cfg.max_epochs`` to end the run before the schedule
            ends; schedulers stay those of the whole schedule. Defaults to False.

    Raises:
        ValueError: If the schedule is not valid.
    """

    priority = 'HIGH'

    def __init__(
        self,
        schedule: Sequence[dict],
        max_reconstruction_l1: float = 0.03,
        readiness_clips: int = 128,
        force: bool = False,
        allow_partial: bool = False,
    ) -> None:
        #: All stages, including those without epochs, which schedulers may name.
        self.all_stages = parse_schedule(schedule)
        self.stages = [stage for stage in self.all_stages if stage.begin < stage.end]
        self.max_reconstruction_l1 = max_reconstruction_l1
        self.readiness_clips = readiness_clips
        self.force = force
        self.allow_partial = allow_partial
        self._stage = None

    def stage_at(self, epoch: int) -> ScheduleStage:
        """Return the stage of a 0-based epoch."""
        return next(stage for stage in self.stages if stage.begin <= epoch < stage.end)

    def phase_at(self, epoch: int, iteration: int, epoch_length: int) -> str:
        """Return the phase of an iteration.

        Args:
            epoch (int): 0-based epoch.
            iteration (int): 0-based iteration in it.
            epoch_length (int): Iterations of each epoch. Turns continue across epochs; otherwise
                with epochs of one iteration the second phase would never come.
        """
        stage = self.stage_at(epoch)
        turn = (epoch - stage.begin) * epoch_length + iteration
        return stage.phases[turn % len(stage.phases)]

    def check_phases(self, model: nn.Module) -> None:
        """Refuse phases that a model does not have.

        Args:
            model (nn.Module): A :class:`MinimaxAnonymization`, perhaps in its wrapper.

        Raises:
            ValueError: If there is one.
        """
        model = unwrapped(model)
        known = getattr(model, 'phases', {})
        named = [phase for stage in self.all_stages for phase in stage.phases]
        unknown = [phase for phase in named if phase not in known]
        if unknown:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook names the phase {unknown[0]!r}, which '
                f'{type(model).__name__} does not have; choose from {list(known)}.'
            )

    def before_train(self, runner: Runner) -> None:
        """Refuse a loop that does not follow the schedule, and a checkpoint of another schedule."""
        if not hasattr(runner.train_loop, 'seed_epoch'):
            raise ValueError(
                f'train_cfg is a {type(runner.train_loop).__name__}, which does not follow the '
                "schedule of MinimaxPhaseHook; set train_cfg.type='MinimaxTrainLoop' or take the "
                'hook off custom_hooks.'
            )
        spans = [[stage.name, stage.begin, stage.end] for stage in self.all_stages]
        # A resumed message hub holds the schedule.
        trained = runner.message_hub.runtime_info.get('schedule', spans)
        if trained != spans:
            raise ValueError(
                'The checkpoint to resume was trained with another schedule of MinimaxPhaseHook, '
                f'{_describe(trained)} instead of {_describe(spans)}, to which its schedulers '
                'keep; take that schedule, or begin a new run with its weights by load_from.'
            )
        runner.message_hub.update_info('schedule', spans)

    def before_train_epoch(self, runner: Runner) -> None:
        """Log a new stage, and check f_A and f_T before the minimax."""
        stage = self.stage_at(runner.epoch)
        if stage is self._stage:
            return
        self._stage = stage
        runner.logger.info(f'Phase: {stage}')
        self._forget_other_phases(runner, stage)
        begins = runner.epoch == stage.begin and not batches_done(runner)
        if begins and not self.force:
            self._refuse_hopeless_start(runner, stage)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the phase of this iteration."""
        phase = self.phase_at(runner.epoch, batch_idx, len(runner.train_dataloader))
        unwrapped(runner.model).set_phase(phase)
        runner.message_hub.update_info('phase', phase)

    def _forget_other_phases(self, runner: Runner, stage: ScheduleStage) -> None:
        """Drop the running means of finished phases, which the log would repeat otherwise."""
        phases = unwrapped(runner.model).phases
        over = tuple(f'train/{phase}/' for phase in phases if phase not in stage.phases)
        scalars = runner.message_hub.log_scalars
        for key in [key for key in scalars if key.startswith(over)]:
            del scalars[key]

    def _refuse_hopeless_start(self, runner: Runner, stage: ScheduleStage) -> None:
        """Check f_A after ``reconstruction``, and f_A and f_T before the minimax."""
        starts = 'anonymizer' in stage.phases
        coming = any('anonymizer' in s.phases for s in self.stages if s.begin > stage.begin)
        was_reconstructing = any(
            s.end == stage.begin and 'reconstruction' in s.phases for s in self.stages
        )
        if not starts and not (coming and was_reconstructing):
            return
        model, loader = unwrapped(runner.model), runner.train_dataloader
        batches = math.ceil(self.readiness_clips / loader.batch_size)
        total = torch.zeros(4, dtype=torch.float64)
        for batch in islice(iter(loader), batches):
            measured = model.measure_readiness(batch)
            chance = 1 / measured.pop('classes')
            total += torch.tensor(list(measured.values()), dtype=torch.float64)
        # Random numbers drawn by the measurement must not affect the epoch.
        runner.train_loop.seed_epoch()
        all_reduce(total)
        l1_sum, frames, correct, clips = total.tolist()
        l1, top1 = l1_sum / frames, correct / clips
        # Three standard errors above chance; guessing reaches this value once in 700 tries.
        least = min(chance + 3 * math.sqrt(chance * (1 - chance) / clips), 1.0)
        runner.logger.info(
            f'Before minimax, on {clips:.0f} training clips: reconstruction L1 {l1:.4f} (at most '
            f'{self.max_reconstruction_l1}), Top-1 {top1:.4f} (more than {least:.4f}).'
        )
        if l1 > self.max_reconstruction_l1:
            raise ValueError(
                f'Minimax cannot start: the reconstruction L1 of the anonymizer is {l1:.4f}, above '
                f'max_reconstruction_l1={self.max_reconstruction_l1}; train the phase '
                'reconstruction longer, load an anonymizer by init_cfg, or set force=True in '
                'MinimaxPhaseHook.'
            )
        if starts and top1 <= least:
            raise ValueError(
                f'Minimax cannot start: the recognizer has a Top-1 of {top1:.4f} on anonymized '
                f'training clips, which is chance ({chance:.4f}) within the error of the '
                'measurement; train the phase adversaries longer before it, load a recognizer by '
                'init_cfg, or set force=True in MinimaxPhaseHook.'
            )


def _describe(spans: Sequence) -> str:
    """Return the stages of a schedule as text."""
    return ', '.join(f'{name} {begin} to {end}' for name, begin, end in spans)


def find_phase_hook(runner: Runner) -> MinimaxPhaseHook:
    """Return the hook with the schedule.

    Raises:
        ValueError: If there is none, or more than one.
    """
    hooks = [hook for hook in runner.hooks if isinstance(hook, MinimaxPhaseHook)]
    if len(hooks) != 1:
        raise ValueError(
            f'MinimaxTrainLoop needs one MinimaxPhaseHook, but custom_hooks has {len(hooks)}; a '
            "child config's custom_hooks replaces that of its base, so write custom_hooks = "
            '[*_base_.custom_hooks, dict(type=...)] to add hooks.'
        )
    return hooks[0]
