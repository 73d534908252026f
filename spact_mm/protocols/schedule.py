"""Run the stages of a protocol, each in a process of its own."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from .stage import Stage

_LAUNCHER = Path(__file__).resolve().parents[2] / 'tools' / 'launch.sh'
_POLL_SECONDS = 0.2


class _Running:
    """A stage and its process."""

    def __init__(self, stage: Stage, slot: int, jobs: int) -> None:
        self.stage, self.slot, self.start = stage, slot, time.time()
        stage.prepare()
        environment = dict(os.environ)
        threads = max(1, (os.cpu_count() or 1) // jobs)
        environment.setdefault('OMP_NUM_THREADS', str(threads))
        environment['SPACT_PYTHON'] = sys.executable
        if torch.cuda.is_available():
            visible = environment.get('CUDA_VISIBLE_DEVICES')
            devices = visible.split(',') if visible else range(torch.cuda.device_count())
            environment['CUDA_VISIBLE_DEVICES'] = str(devices[slot % len(devices)])
        self.log = stage.folder / 'log.txt'
        with self.log.open('a') as file:
            # A group of its own, so that its data workers end with it.
            self.process = subprocess.Popen(
                stage_command(stage),
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the process and its data workers; it resumes from its last checkpoint."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def stage_command(stage: Stage) -> list[str]:
    """Return the command that runs a prepared stage."""
    command = [sys.executable, '-m', 'spact_mm.protocols', str(stage.folder)]
    # Absent where the package is installed without its repository.
    return [str(_LAUNCHER), *command[1:]] if _LAUNCHER.is_file() else command


@contextmanager
def lock(work_dir: Path) -> Iterator[None]:
    """Keep a work dir from being used by two protocols at a time.

    Raises:
        RuntimeError: If another process uses it.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / '.lock').open('w') as file:
        try:
            # Gone with the process, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f'Another process runs a protocol in {work_dir}; wait for it or choose another '
                '--work-dir.'
            ) from None
        yield


def default_jobs() -> int:
    """Return how many stages run at a time: one a GPU, or one a core up to four."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(os.cpu_count() or 1, 4)


def run_stages(
    stages: Sequence[Stage],
    jobs: int | None = None,
    on_event: Callable[[str, Stage, Iterable[Stage]], None] = lambda *_: None,
) -> dict[str, Path]:
    """Run what is not done yet; what does not depend on a failed stage goes on.

    Args:
        stages (Sequence[Stage]): In an order in which they can be run.
        jobs (int, optional): Stages at a time. None means :func:`default_jobs`.
        on_event (Callable): Called with ``'start'``, ``'done'``, ``'failed'`` or ``'tick'``, the
            stage (None for a tick) and those that run.

    Returns:
        dict[str, Path]: Failed stages by their ids, each with its log file, and those that could
        not be run because of them, each with the log of the one that failed.
    """
    jobs = jobs or default_jobs()
    waiting = [stage for stage in stages if stage.read_result() is None]
    done = {id(stage) for stage in stages if stage.read_result() is not None}
    failed: dict[str, Path] = {}
    failed_stages: dict[int, Path] = {}
    running: list[_Running] = []
    try:
        while waiting or running:
            for stage in list(waiting):
                culprit = next((need for need in stage.needs if id(need) in failed_stages), None)
                if culprit is not None:
                    waiting.remove(stage)
                    failed[stage.id] = failed_stages[id(stage)] = failed_stages[id(culprit)]
                elif len(running) < jobs and all(id(need) in done for need in stage.needs):
                    waiting.remove(stage)
                    used = {run.slot for run in running}
                    slot = next(slot for slot in range(jobs) if slot not in used)
                    running.append(_Running(stage, slot, jobs))
                    on_event('start', stage, [run.stage for run in running])
            time.sleep(_POLL_SECONDS)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                if run.process.returncode == 0 and run.stage.read_result() is not None:
                    done.add(id(run.stage))
                    on_event('done', run.stage, [r.stage for r in running])
                else:
                    failed[run.stage.id] = failed_stages[id(run.stage)] = run.log
                    on_event('failed', run.stage, [r.stage for r in running])
            on_event('tick', None, [run.stage for run in running])
    finally:
        for run in running:
            run.stop()
    return failed
