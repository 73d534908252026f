"""Run the stages of a protocol, each in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean

import torch

from ..files import lock_folder
from .stage import Stage
from .zygote import Zygote

#: The variable in which a stage finds the process id of the tool that started it.
TOOL = 'SPACT_TOOL_PID'
_LAUNCHER = Path(__file__).resolve().parents[2] / 'tools' / 'launch.sh'
_POLL_SECONDS = 0.2


class _Running:
    """A stage and its process."""

    def __init__(self, stage: Stage, slot: int, jobs: int, zygote: Zygote | None) -> None:
        self.stage, self.slot = stage, slot
        stage.prepare()
        if zygote is not None:
            self.process = zygote.start(stage.folder, stage.log)
            return
        with stage.log.open('a') as file:
            # A group of its own, so that its data workers end with it.
            self.process = subprocess.Popen(
                stage_command(stage.folder),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=stage_environment(slot, jobs),
                start_new_session=True,
            )

    def succeeded(self) -> bool:
        """Tell whether the ended process left a result; say in the log if it was killed."""
        if self.process.returncode < 0:
            with self.stage.log.open('a') as file:
                name = signal.Signals(-self.process.returncode).name
                file.write(f'Ended by {name}; a lack of memory is a usual reason of SIGKILL.\n')
        return self.process.returncode == 0 and self.stage.read_result() is not None

    def stop(self) -> None:
        """End the process and its data workers; it resumes from its last checkpoint."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:  # too young to have a group
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()


def stage_command(argument: str | Path) -> list[str]:
    """Return the command that runs the stage prepared in a folder, or serves with ``--serve``."""
    # Absent where the package is installed without its repository.
    python = str(_LAUNCHER) if _LAUNCHER.is_file() else sys.executable
    return [python, '-m', 'spact_mm.protocols', str(argument)]


def can_fork() -> bool:
    """Tell whether stages may be forked from one process, see :mod:`.zygote`."""
    return not torch.cuda.is_available()


def stage_environment(slot: int, jobs: int) -> dict[str, str]:
    """Return the environment of the stage in one of ``jobs`` slots: its GPU, its share of cores."""
    environment = dict(os.environ)
    environment.setdefault('OMP_NUM_THREADS', str(max(1, count_cores() // jobs)))
    environment['SPACT_PYTHON'] = sys.executable
    environment[TOOL] = str(os.getpid())
    if torch.cuda.is_available():
        visible = environment.get('CUDA_VISIBLE_DEVICES')
        devices = visible.split(',') if visible else range(torch.cuda.device_count())
        environment['CUDA_VISIBLE_DEVICES'] = str(devices[slot % len(devices)]).strip()
    return environment


def lock(work_dir: Path) -> AbstractContextManager:
    """Keep a work dir from being used by two protocols at a time.

    Raises:
        RuntimeError: If another process uses it.
    """
    return lock_folder(
        work_dir,
        f'Another process runs a protocol in {work_dir}; wait for it or choose another --work-dir.',
    )


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    waiting = [stage for stage in stages if stage.read_result() is None]
    done = _find_done(waiting)
    failed: dict[str, Path] = {}
    running: list[_Running] = []
    zygote = None
    if len(waiting) > 1 and can_fork():
        zygote = Zygote(stage_command('--serve'), stage_environment(0, jobs))

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
                    slot = min(set(range(jobs)) - {run.slot for run in running})
                    running.append(_Running(stage, slot, jobs, zygote))
                    tell('start', stage)
            time.sleep(_POLL_SECONDS)
            for run in [run for run in running if run.process.poll() is not None]:
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
        if zygote is not None:
            zygote.close()
    return failed


def estimate_seconds(
    remaining: Sequence[tuple[str, float]], seconds: Mapping[str, Sequence[float]], jobs: int = 1
) -> float | None:
    """Estimate how long stages will take from what others have taken.

    Args:
        remaining (Sequence[tuple[str, float]]): Kind of each stage, and the fraction of it that
            is left.
        seconds (Mapping[str, Sequence[float]]): What stages of each kind took. For a kind without
            any it is the mean over all.
        jobs (int): Stages at a time. Defaults to 1.

    Returns:
        float | None: Seconds; None where nothing is known.
    """
    taken = [value for values in seconds.values() for value in values]
    if not taken or not remaining:
        return None if remaining else 0.0
    usual = fmean(taken)
    left = [fmean(seconds.get(kind) or [usual]) * fraction for kind, fraction in remaining]
    # A stage is not shared out.
    return max(max(left), sum(left) / jobs)


def _find_done(waiting: Sequence[Stage]) -> set[str]:
    """Return the ids of the stages that are done and needed; refuse what would wait for ever."""
    coming = {stage.id for stage in waiting}
    needs = {need.id: need for stage in waiting for need in stage.needs if need.id not in coming}
    for need in needs.values():
        if need.read_result() is None:
            raise ValueError(f'A stage needs "{need.id}", which is neither done nor to be run.')
    return set(needs)
