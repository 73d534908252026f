"""Parameter schedulers that begin and end with the stages of a schedule."""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from .phase_hook import ScheduleStage

_REFERENCE = re.compile(r'(?P<name>[^\W\d]\w*)(?P<end>\.end)?(?:\s*\+\s*(?P<offset>\d+(\.\d+)?))?')
#: Schedulers that need two steps, as MMEngine ends them one step early: with a single step the
#: first value would stay forever.
_RAMPS = ('Linear', 'Constant', 'CosineAnnealing', 'Poly')
#: Those among them that end at the initial value, unless end_factor is set.
_WITHOUT_TRACE = ('Linear', 'Constant')


def resolve_stages(
    schedulers: Mapping | Sequence | None, stages: Sequence[ScheduleStage], epoch_length: int
) -> dict | list | None:
    """Replace the names of stages in ``param_scheduler`` by epochs, and check the numbers there.

    ``begin``, ``end`` and ``milestones`` may be ``'minimax'`` (the beginning of that stage),
    ``'minimax.end'`` or ``'minimax+2'`` (two epochs after its beginning; in a stage of at most two
    epochs, a begin or end is half-way through the stage, and a milestone is at its end). So the
    length of a stage is changed by one number, its ``epochs`` in the schedule. Milestones given as
    names count from the first epoch, numbers from ``begin``, as in MMEngine. A scheduler without
    ``end`` ends with the schedule. A ramp in a stage with too few steps is left out if it would end
    at its initial value.

    A number that is no boundary of stages was probably written for another schedule, and is
    refused.

    Args:
        schedulers (Mapping | Sequence, optional): ``param_scheduler`` of a config: by child of the
            model, or the same for all children.
        stages (Sequence[ScheduleStage]): All stages of the schedule, in order.
        epoch_length (int): Iterations of an epoch.

    Returns:
        The same with numbers; the input is not changed.

    Raises:
        ValueError: If a name is no stage, a begin, end or milestone is no boundary of stages, or a
            scheduler has too few steps.
    """
    return _Resolver(stages, epoch_length).resolve(schedulers, 'param_scheduler')


def resolve_epoch(value: int | float | str, stages: Sequence[ScheduleStage], key: str):
    """Return the epoch of a number or of the name of a stage.

    Args:
        value (int | float | str): As in :func:`resolve_stages`, but any number is allowed.
        stages (Sequence[ScheduleStage]): All stages of the schedule; empty without a schedule.
        key (str): Name of the value, for errors.

    Raises:
        ValueError: If the value is a name, but of no stage.
    """
    if not isinstance(value, str):
        return value
    if not stages:
        raise ValueError(f'{key} is {value!r}, but the run has no stages; write an epoch.')
    return _Resolver(stages, 1).read(value, key)[0]


class _Resolver:
    """Resolve the schedulers of one run."""

    def __init__(self, stages: Sequence[ScheduleStage], epoch_length: int) -> None:
        self.stages = stages
        self.total = stages[-1].end
        self.epoch_length = epoch_length

    def resolve(self, node, key: str):
        """Resolve a scheduler, or the schedulers in a container; built schedulers are unchanged."""
        if isinstance(node, Mapping) and 'type' not in node:
            return {name: self.resolve(child, f'{key}.{name}') for name, child in node.items()}
        if isinstance(node, (list, tuple)):
            found = [self.resolve(child, f'{key}.{i}') for i, child in enumerate(node)]
            return [scheduler for scheduler in found if scheduler is not None]
        if isinstance(node, Mapping):
            return self._resolve_one(deepcopy(dict(node)), key)
        return node

    def _resolve_one(self, scheduler: dict, key: str) -> dict | None:
        """Return a scheduler with numbers; None if it would have no epoch."""
        if not scheduler.get('by_epoch', True):
            return self._check_iterations(scheduler, key)
        begin = self._epoch(scheduler, 'begin', 0, key)
        end = self._epoch(scheduler, 'end', self.total, key)
        kind = scheduler['type'].split('.')[-1]
        steps = end - begin
        if scheduler.get('convert_to_iter_based'):
            steps = int(steps * self.epoch_length)
        if steps < (2 if kind.startswith(_RAMPS) else 1):
            is_tied = any(isinstance(scheduler.get(name), str) for name in ('begin', 'end'))
            leaves_trace = scheduler.get('end_factor', 1) != 1
            if is_tied and kind.startswith(_WITHOUT_TRACE) and not leaves_trace:
                return None
            if is_tied and begin >= self.total:
                # The scheduler is of a last stage without epochs, so it is never used.
                return None
            raise ValueError(
                f'{key} ({kind}) has {max(steps, 0)} steps, from epoch {begin} to {end}, which are '
                f'too few for what it does: {self._describe()}; lengthen the stage, step by '
                'iterations (convert_to_iter_based=True), or take the scheduler out and set the '
                'learning rate that it would have left.'
            )
        if 'begin' in scheduler:
            scheduler['begin'] = begin
        scheduler['end'] = end
        if 'milestones' in scheduler:
            scheduler['milestones'] = list(self._milestones(scheduler, begin, key))
        self._check_period(scheduler, begin, end, key)
        return scheduler

    def _milestones(self, scheduler: dict, begin: int, key: str) -> Iterator[int]:
        """Yield the milestones counted from the scheduler's begin, as in MMEngine."""
        for milestone in scheduler['milestones']:
            if isinstance(milestone, str):
                epoch, _ = self.read(milestone, f'{key}.milestones')
                if epoch < begin:
                    raise ValueError(
                        f'{key}.milestones has {milestone!r}, epoch {epoch}, which is before its '
                        f'begin, {begin}; correct one of them.'
                    )
                yield epoch - begin
            else:
                self._check_boundary(begin + milestone, milestone, f'{key}.milestones')
                yield milestone

    def _epoch(self, scheduler: dict, name: str, default: int, key: str) -> int:
        value = scheduler.get(name, default)
        if isinstance(value, str):
            epoch, stage = self.read(value, f'{key}.{name}')
            if epoch < stage.end or '+' not in value:
                return epoch
            half = (stage.begin + stage.end) / 2
            return half if scheduler.get('convert_to_iter_based') else int(half)
        self._check_boundary(value, value, f'{key}.{name}')
        return value

    def read(self, text: str, key: str) -> tuple[int | float, ScheduleStage]:
        """Return the epoch of a name, at most the stage's end, and the stage."""
        match = _REFERENCE.fullmatch(text.strip())
        found = [stage for stage in self.stages if match and stage.name == match['name']]
        if not match or not found:
            raise ValueError(
                f'{key} is {text!r}, but the stages of the schedule are {self._names()}; write one '
                "of them, with '+N' for N epochs after its begin or '.end' for its end."
            )
        if len(found) > 1:
            raise ValueError(
                f'{key} is {text!r}, and {len(found)} stages are called so; give each a name in '
                'the schedule of MinimaxPhaseHook.'
            )
        (stage,) = found
        if match['end'] and match['offset']:
            raise ValueError(
                f'{key} is {text!r}, after the end of a stage; name the next one and count from '
                'its begin.'
            )
        if match['end']:
            return stage.end, stage
        offset = float(match['offset'] or 0)
        offset = int(offset) if offset.is_integer() else offset
        return min(stage.begin + offset, stage.end), stage

    def _check_boundary(self, epoch: int, value: int, key: str) -> None:
        """Refuse a number that is no boundary of stages."""
        if epoch not in {0, *(stage.end for stage in self.stages)}:
            near = max((s for s in self.stages if s.begin <= epoch), key=lambda s: s.begin)
            raise ValueError(
                f'{key} is {value}, where no stage begins or ends: {self._describe()}; tie it to '
                f"the stage that it is meant for, for instance '{near.name}+{epoch - near.begin}', "
                f"'{near.name}' or '{near.name}.end', so that it moves with the schedule."
            )

    def _check_period(self, scheduler: dict, begin: int, end: int, key: str) -> None:
        """Refuse a period longer than the scheduler, as its last rate would never be reached."""
        for name in ('T_max', 'total_steps'):
            if (scheduler.get(name) or 0) > end - begin:
                raise ValueError(
                    f'{key}.{name} is {scheduler[name]}, but the scheduler has only {end - begin} '
                    f'epochs, from {begin} to {end}; leave {name} out, and it is these.'
                )

    def _check_iterations(self, scheduler: dict, key: str) -> dict:
        """Refuse a scheduler by iterations that begins after the run; set its end to the run's."""
        last = self.total * self.epoch_length
        for name in ('begin', 'end'):
            if isinstance(scheduler.get(name), str):
                raise ValueError(
                    f'{key}.{name} is {scheduler[name]!r}, but by_epoch=False counts iterations; '
                    'write by_epoch=True, convert_to_iter_based=True.'
                )
        if scheduler.get('begin', 0) >= last:
            raise ValueError(
                f'{key}.begin is iteration {scheduler["begin"]}, but the run has {last}, so that '
                'it never begins; correct it or name a stage, with by_epoch=True.'
            )
        scheduler.setdefault('end', last)
        return scheduler

    def _names(self) -> list[str]:
        return [stage.name for stage in self.stages]

    def _describe(self) -> str:
        spans = [f'{stage.name} is {stage.begin} to {stage.end}' for stage in self.stages]
        return ', '.join(spans)
