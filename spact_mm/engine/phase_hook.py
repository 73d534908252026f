"""Who learns when: the schedule of the phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..models.minimax import PHASES
from ..registration import register


@dataclass(frozen=True)
class Stage:
    """Some epochs whose iterations take the phases in turn."""

    phases: tuple[str, ...]
    begin: int
    end: int

    def __str__(self) -> str:
        return f'{" / ".join(self.phases)} (epochs {self.begin + 1} to {self.end})'


def parse_schedule(schedule: Sequence[dict]) -> list[Stage]:
    """Check a schedule and give each stage its epochs.

    Args:
        schedule (Sequence[dict]): ``dict(phase=name or sequence of names, epochs=n)`` in order.

    Returns:
        list[Stage]: The stages that have epochs; ``epochs=0`` leaves a stage out.

    Raises:
        ValueError: If an entry has other keys, an unknown phase, or a bad number of epochs.
    """
    stages, begin = [], 0
    for entry in schedule:
        if set(entry) != {'phase', 'epochs'}:
            raise ValueError(
                f'An entry of the schedule of MinimaxPhaseHook is {dict(entry)}; '
                'write dict(phase=..., epochs=...).'
            )
        phases, epochs = entry['phase'], entry['epochs']
        phases = (phases,) if isinstance(phases, str) else tuple(phases)
        unknown = [phase for phase in phases if phase not in PHASES]
        if unknown or not phases:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook names the phase {(unknown or [None])[0]!r}, '
                f'which does not exist; choose from {list(PHASES)}.'
            )
        if not isinstance(epochs, int) or epochs < 0:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook gives {" / ".join(phases)} epochs={epochs!r}; '
                'use a whole number, 0 or more.'
            )
        if epochs:
            stages.append(Stage(phases, begin, begin + epochs))
            begin += epochs
    return stages


@register(HOOKS)
class MinimaxPhaseHook(Hook):
    """Set the phase of each iteration, a function of the epoch and the iteration in it alone.

    ``before_run`` it checks that the schedule covers the run. When ``reconstruction`` is over it
    measures f_A, and when a stage with the phase ``anonymizer`` begins f_A and f_T, on training
    batches in eval mode, and refuses a start that has no hope: without a faithful f_A and a
    recognizer above chance the minimax yields useless pictures and a useless recognizer.

    Args:
        schedule (list[dict]): For instance ``[dict(phase='reconstruction', epochs=5),
            dict(phase='adversaries', epochs=20),
            dict(phase=('anonymizer', 'adversaries'), epochs=100)]``; several phases take turns,
            iteration by iteration.
        max_reconstruction_l1 (float): Largest mean L1 of f_A(x) and x, in [0, 1], that minimax
            may start from. Defaults to 0.03.
        readiness_clips (int): Number of training clips to measure on. Defaults to 128.
        force (bool): Start the minimax whatever was measured. Defaults to False.

    Raises:
        ValueError: If the schedule is not valid or shorter than the run.
    """

    priority = 'HIGH'

    def __init__(
        self,
        schedule: Sequence[dict],
        max_reconstruction_l1: float = 0.03,
        readiness_clips: int = 128,
        force: bool = False,
    ) -> None:
        self.stages = parse_schedule(schedule)
        self.max_reconstruction_l1 = max_reconstruction_l1
        self.readiness_clips = readiness_clips
        self.force = force
        self._stage = None

    def stage_at(self, epoch: int) -> Stage:
        """Return the stage of a 0-based epoch."""
        return next(stage for stage in self.stages if stage.begin <= epoch < stage.end)

    def phase_at(self, epoch: int, iteration: int, epoch_length: int) -> str:
        """Return the phase of an iteration.

        Args:
            epoch (int): 0-based epoch.
            iteration (int): 0-based iteration in it.
            epoch_length (int): Iterations of each epoch; turns go on over epochs, or an epoch of
                one iteration would never be that of a second phase.
        """
        stage = self.stage_at(epoch)
        turn = (epoch - stage.begin) * epoch_length + iteration
        return stage.phases[turn % len(stage.phases)]

    def before_run(self, runner: Runner) -> None:
        """Check the schedule against the run, before anything is loaded or trained."""
        planned = self.stages[-1].end if self.stages else 0
        if runner.max_epochs is not None and planned < runner.max_epochs:
            raise ValueError(
                f'The schedule of MinimaxPhaseHook covers {planned} epochs, but '
                f'train_cfg.max_epochs is {runner.max_epochs}; make them equal.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Announce a stage, and check that a minimax has something to start from."""
        stage = self.stage_at(runner.epoch)
        if stage is self._stage:
            return
        self._stage = stage
        runner.logger.info(f'Phase: {stage}')
        self._forget_other_phases(runner, stage)
        if runner.epoch == stage.begin and not self.force:
            self._refuse_hopeless_start(runner, stage)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the phase of this iteration."""
        phase = self.phase_at(runner.epoch, batch_idx, len(runner.train_dataloader))
        _unwrapped(runner).set_phase(phase)
        runner.message_hub.update_info('phase', phase)

    def _forget_other_phases(self, runner: Runner, stage: Stage) -> None:
        """Drop the running means of phases that are over, or the log would repeat their last."""
        over = tuple(f'train/{phase}/' for phase in PHASES if phase not in stage.phases)
        scalars = runner.message_hub.log_scalars
        for key in [key for key in scalars if key.startswith(over)]:
            del scalars[key]

    def _refuse_hopeless_start(self, runner: Runner, stage: Stage) -> None:
        """Check f_A once reconstruction is over, and f_T too when minimax starts."""
        starts = 'anonymizer' in stage.phases
        coming = any('anonymizer' in s.phases for s in self.stages if s.begin > stage.begin)
        was_reconstructing = any(
            s.end == stage.begin and 'reconstruction' in s.phases for s in self.stages
        )
        if not starts and not (coming and was_reconstructing):
            return
        model, loader = _unwrapped(runner), runner.train_dataloader
        batches = math.ceil(self.readiness_clips / loader.batch_size)
        total = torch.zeros(4, dtype=torch.float64)
        for batch in islice(iter(loader), batches):
            measured = model.measure_readiness(batch)
            chance = 1 / measured.pop('classes')
            total += torch.tensor(list(measured.values()), dtype=torch.float64)
        # Whatever drew random numbers meanwhile, the epoch itself must not notice.
        runner.train_loop.seed_epoch()
        all_reduce(total)
        l1_sum, frames, correct, clips = total.tolist()
        l1, top1 = l1_sum / frames, correct / clips
        # Three standard errors above chance: what guessing reaches once in 700 tries.
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


def _unwrapped(runner: Runner):
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
