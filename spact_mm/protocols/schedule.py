"""Run the stages of a protocol, each in a process of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from pathlib import Path
from statistics import fmean

import torch

from ..files import lock_folder
from .stage import Stage
from .stage_process import StageProcess, count_cores

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


def default_jobs() -> int:
    """Return how many stages run at a time: one a GPU, or one a core up to four."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(count_cores(), 4)


def run_stages(
    stages: Sequence[Stage],
    jobs: int | None = None,
    on_event: Callable[[str, Stage | None, Iterable[Stage]], None] = lambda *_: None,
) -> dict[str, Path]:
    """Run what is not done yet; what does not depend on a failed stage goes on.

    A training whose result is there and whose weights are gone, as where only results were copied,
    runs again if a stage that is not done needs it.

    As wherever :mod:`multiprocessing` starts processes, a script calls it below
    ``if __name__ == '__main__':``.

    Args:
        stages (Sequence[Stage]): With all that they need, in any order; the first of those that
            can be run is taken.
        jobs (int, optional): Stages at a time. None means :func:`default_jobs`.
        on_event (Callable): Called with ``'start'``, ``'done'``, ``'failed'``, ``'skipped'`` (for
            what it needs has failed) or ``'tick'``, the stage (None for a tick) and those that run.

    Returns:
        dict[str, Path]: Failed stages by their ids, each with its log file, and those that could
        not be run because of them, each with the log of the one that failed.

    Raises:
        ValueError: If ``jobs`` is not positive, or a stage needs one that is not there.
    """
    jobs = default_jobs() if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f'The stages at a time (--jobs) must be 1 or more, but are {jobs}.')
    waiting = find_waiting(stages)
    done = _find_done(waiting)
    failed: dict[str, Path] = {}
    running: list[StageProcess] = []

    def tell(event: str, stage: Stage | None = None) -> None:
        on_event(event, stage, [run.stage for run in running])

    try:
        while waiting or running:
            for stage in list(waiting):
                culprit = next((need for need in stage.needs if need.id in failed), None)
                if culprit is not None:
                    waiting.remove(stage)
                    failed[stage.id] = failed[culprit.id]
                    tell('skipped', stage)
                elif len(running) < jobs and done.issuperset(n.id for n in stage.needs):
                    waiting.remove(stage)
                    index = min(set(range(jobs)) - {run.index for run in running})
                    running.append(StageProcess(stage, index, jobs))
                    running[-1].start()
                    tell('start', stage)
            wait([run.sentinel for run in running], _TICK_SECONDS)
            for run in [run for run in running if run.exit_code is not None]:
                running.remove(run)
                if run.succeeded():
                    done.add(run.stage.id)
                    tell('done', run.stage)
                else:
                    failed[run.stage.id] = run.stage.log
                    tell('failed', run.stage)
            tell('tick')
    finally:
        for run in running:
            run.stop()
    return failed


def estimate_seconds(
    remaining: Sequence[tuple[str, float]], seconds: Mapping[str, Sequence[float]], jobs: int = 1
) -> float | None:
    """Estimate how long stages will take from what others of their kind have taken.

    Args:
        remaining (Sequence[tuple[str, float]]): Kind of each stage, and the fraction of it that
            is left.
        seconds (Mapping[str, Sequence[float]]): What stages of each kind took. A stage of a kind
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


def find_waiting(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages without a result, and those whose lost weights these need."""
    waiting = [stage for stage in stages if stage.read_result() is None]
    for stage in waiting:  # which grows
        for need in stage.needs:
            if need.is_trained and need not in waiting and not need.weights.is_file():
                if need.read_result() is not None:
                    waiting.append(need)
    return waiting


def _find_done(waiting: Sequence[Stage]) -> set[str]:
    """Return the ids of the stages that are done and needed; refuse what would wait for ever."""
    coming = {stage.id for stage in waiting}
    needs = {need.id: need for stage in waiting for need in stage.needs if need.id not in coming}
    for need in needs.values():
        if need.read_result() is None:
            raise ValueError(f'A stage needs "{need.id}", which is neither done nor to be run.')
    return set(needs)
