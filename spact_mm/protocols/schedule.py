"""Run the stages of a protocol, each as soon as what it needs is done."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from heapq import nsmallest
from pathlib import Path
from statistics import fmean

from ..files import lock_folder
from .executor import Executor, Run
from .stage import Stage
from .stage_process import LocalExecutor

_TICK_SECONDS = 0.2


def lock(work_dir: Path) -> AbstractContextManager:
    """Keep a work dir from being used by two protocols at a time.

    Raises:
        RuntimeError: If another process uses it.
    """
    return lock_folder(
        work_dir,
        f'Another process runs a protocol in {work_dir}; wait for it or choose another --work-dir.',
    )


def run_stages(
    stages: Sequence[Stage],
    jobs: int | None = None,
    on_event: Callable[[str, Stage | None, Iterable[Stage]], None] = lambda *_: None,
    executor: Executor | None = None,
) -> dict[str, Path]:
    """Run what is not done yet; what does not depend on a failed stage goes on.

    A training whose result is there and whose weights are gone, as where only results were copied,
    runs again if a stage that is not done needs it.

    As wherever :mod:`multiprocessing` starts processes, a script calls it below
    ``if __name__ == '__main__':``.

    Args:
        stages (Sequence[Stage]): With all that they need, in any order; the first of those that
            can be run is taken.
        jobs (int, optional): Stages at a time on this machine. None means
            :func:`~spact_mm.protocols.stage_process.default_jobs`.
        on_event (Callable): Called with ``'start'``, ``'done'``, ``'failed'``, ``'skipped'`` (a
            stage that it needs has failed) or ``'tick'``, the stage (None for a tick) and those
            that run.
        executor (Executor, optional): Runs the stages, and says how many at a time, in place of
            ``jobs``. None means processes of this machine.

    Returns:
        dict[str, Path]: Failed stages by their ids, each with its log file, and those that could
        not be run because of them, each with the log of the one that failed.

    Raises:
        ValueError: If ``jobs`` is not positive, or a stage needs one that is not there.
        RuntimeError: If a stage may be running elsewhere, or nothing can be started at all.
    """
    if executor is None:
        executor = LocalExecutor(jobs)
    queue = _Queue(find_waiting(stages))
    failed: dict[str, Path] = {}
    running: list[Run] = []

    def tell(event: str, stage: Stage | None = None) -> None:
        on_event(event, stage, [run.stage for run in running])

    try:
        running += executor.adopt(queue.stages)
        early = [run for run in running if not queue.take(run.stage)]
        running = [run for run in running if run not in early]
        executor.stop(early)  # what they need is to be made again
        for run in running:
            tell('start', run.stage)
        while queue.ready or running:
            wanted = queue.first(executor.jobs - len(running))
            for run in executor.start(wanted) if wanted else ():
                running.append(run)
                queue.take(run.stage)
                tell('start', run.stage)
            executor.wait(running, _TICK_SECONDS)
            for run in list(running):
                is_done = run.poll()
                if is_done is None:
                    continue
                running.remove(run)
                if is_done:
                    queue.finish(run.stage)
                    tell('done', run.stage)
                else:
                    failed[run.stage.id] = run.stage.log
                    tell('failed', run.stage)
                    for stage in queue.drop_users(run.stage):
                        failed[stage.id] = run.stage.log
                        tell('skipped', stage)
            tell('tick')
    finally:
        executor.stop(running)
    return failed


class _Queue:
    """Stages that wait for others, and those whose turn has come.

    Each is looked at when something that it needs is done, not again and again.

    Args:
        stages (Sequence[Stage]): Those that are to be run.

    Raises:
        ValueError: If one needs a stage that is neither done nor among them.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        ids = [stage.id for stage in stages]
        self._places = {name: place for place, name in enumerate(ids)}
        #: Stages that each still waits for, and those that wait for it, by their places.
        self._needs: list[set[int]] = []
        self._users: list[list[int]] = [[] for _ in stages]
        done: set[Stage] = set()
        for place, stage in enumerate(stages):
            needs = {self._places[n.id] for n in stage.needs if n.id in self._places}
            self._needs.append(needs)
            for need in needs:
                self._users[need].append(place)
            others = {need for need in stage.needs if need.id not in self._places} - done
            for need in others:
                if need.read_result() is None:
                    raise ValueError(
                        f'A stage needs "{need.id}", which is neither done nor to be run.'
                    )
            done |= others
        #: The places of those that can be run.
        self.ready = [place for place, needs in enumerate(self._needs) if not needs]
        self._gone: set[int] = set()

    def first(self, count: int) -> list[Stage]:
        """Return the first of those that can be run."""
        return [self.stages[place] for place in nsmallest(count, self.ready)] if count > 0 else []

    def take(self, stage: Stage) -> bool:
        """Take a stage out, as it was started; tell whether its turn had come."""
        place = self._places[stage.id]
        if self._needs[place]:
            return False
        self.ready.remove(place)
        return True

    def finish(self, stage: Stage) -> None:
        """Let those come that have waited for this stage alone."""
        place = self._places[stage.id]
        for user in self._users[place]:
            self._needs[user].discard(place)
            if not self._needs[user] and user not in self._gone:
                self.ready.append(user)

    def drop_users(self, stage: Stage) -> list[Stage]:
        """Take out all that need a stage, or one that needs it, and return them in order."""
        found, todo = set(), [self._places[stage.id]]
        while todo:
            new = set(self._users[todo.pop()]) - found - self._gone
            found |= new
            todo += new
        self._gone |= found
        return [self.stages[place] for place in sorted(found)]


def estimate_seconds(
    remaining: Sequence[tuple[str, float]], seconds: Mapping[str, Sequence[float]], jobs: int = 1
) -> float | None:
    """Estimate how long stages will take from what others of their kind have taken.

    Args:
        remaining (Sequence[tuple[str, float]]): Kind of each stage, and the fraction of it that
            is left.
        seconds (Mapping[str, Sequence[float]]): Durations of stages of each kind. A stage of a kind
            without any is taken for the mean of the known kinds.
        jobs (int): Stages at a time. Defaults to 1.

    Returns:
        float | None: Seconds; None where the kinds of half of the stages or fewer are known, as
        the first that are done are the long trainings.
    """
    usual = {kind: fmean(taken) for kind, taken in seconds.items() if taken}
    if not remaining:
        return 0.0
    if 2 * sum(kind in usual for kind, _ in remaining) <= len(remaining):
        return None
    mean = fmean(usual.values())
    left = [usual.get(kind, mean) * fraction for kind, fraction in remaining]
    # A stage is not shared out.
    return max(max(left), sum(left) / jobs)


def find_waiting(stages: Sequence[Stage], known: Container[Stage] = ()) -> list[Stage]:
    """Return the stages without a result, and those whose lost weights these need.

    Args:
        stages (Sequence[Stage]): Stages, done or not.
        known (Container[Stage]): Stages that will take the result of an earlier run.

    Returns:
        list[Stage]: Stages to run.
    """

    def has_result(stage: Stage) -> bool:
        return stage in known or stage.read_result() is not None

    waiting = {stage: None for stage in stages if not has_result(stage)}
    todo = list(waiting)
    for stage in todo:  # which grows
        for need in stage.needs:
            if need.is_trained and need not in waiting and not need.weights.is_file():
                if has_result(need):
                    waiting[need] = None
                    todo.append(need)
    return list(waiting)
