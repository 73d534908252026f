"""Stages in processes of this machine, each with its log, its threads and its GPU."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import connection, forkserver, resource_tracker, spawn
from multiprocessing.context import BaseContext

import torch

from ..packaged import LAUNCHER
from .executor import JOB_NOTE, Executor, Run
from .stage import Stage, run_stage


class LocalExecutor(Executor):
    """Processes of this machine, which end with this one.

    Args:
        jobs (int, optional): Stages at a time. None means :func:`default_jobs`.

    Raises:
        ValueError: If ``jobs`` is not positive.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = default_jobs() if jobs is None else jobs
        if self.jobs < 1:
            raise ValueError(
                f'The stages at a time (--jobs) must be 1 or more, but are {self.jobs}.'
            )
        self._runs: list[StageProcess] = []

    def start_server(self) -> None:
        """Start the process that stages are forked from, as the first stage does otherwise.

        Anything else that forks earlier, as :func:`~spact_mm.process_pool.make_pool` does, would
        start it without what stages need.
        """
        choose_context()
        with _surroundings(stage_environment(0, self.jobs)):
            forkserver.ensure_running()

    def adopt(self, stages: Sequence[Stage]) -> list[Run]:
        """Return nothing, as processes end with the tool; refuse stages that a cluster may run."""
        for stage in stages:
            if (stage.folder / JOB_NOTE).exists():
                raise RuntimeError(
                    f'The stage "{stage.id}" was given to Slurm and may run there: go on with '
                    '--executor slurm, or end its job (scancel) and remove '
                    f'{stage.folder / JOB_NOTE}.'
                )
        return []

    def start(self, stages: Sequence[Stage]) -> Iterator[Run]:
        """Start stages one by one."""
        for stage in stages:
            self._runs = [run for run in self._runs if run.exit_code is None]
            free = set(range(self.jobs)) - {run.index for run in self._runs}
            run = StageProcess(stage, min(free), self.jobs)
            run.start()
            self._runs.append(run)
            yield run

    def wait(self, runs: Sequence['StageProcess'], seconds: float) -> None:
        """Wait for the end of a process."""
        connection.wait([run.sentinel for run in runs], seconds)

    def stop(self, runs: Iterable['StageProcess']) -> None:
        """End the processes and their data workers."""
        for run in runs:
            run.stop()


class StageProcess(Run):
    """A stage that was prepared, and the process that runs it.

    Args:
        stage (Stage): The stage.
        index (int): Which of the stages at a time it is, counted from 0.
        jobs (int): How many stages there are at a time.
    """

    def __init__(self, stage: Stage, index: int, jobs: int) -> None:
        self.stage, self.index = stage, index
        self._environment = stage_environment(index, jobs)
        arguments = str(stage.folder), str(stage.log), self._environment
        self._process = choose_context().Process(target=_run, args=arguments, name=stage.id)

    def start(self) -> None:
        """Write what the stage reads, and start it."""
        self.stage.prepare()
        with _surroundings(self._environment):
            self._process.start()

    @property
    def pid(self) -> int | None:
        """The process id, which is that of its group too; None before it is started."""
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """What :func:`multiprocessing.connection.wait` waits for: the end of the process."""
        return self._process.sentinel

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while the process runs; negative is a signal."""
        return self._process.exitcode

    def poll(self) -> bool | None:
        """Tell whether the ended process left a result; say in the log if it was killed."""
        if self.exit_code is None:
            return None
        if self.exit_code < 0:
            with self.stage.log.open('a') as file:
                name = signal.Signals(-self.exit_code).name
                file.write(f'Ended by {name}; a lack of memory is a usual reason of SIGKILL.\n')
        return self.exit_code == 0 and self.stage.read_result() is not None

    def stop(self) -> None:
        """End the process and its data workers; it resumes from its last checkpoint."""
        if self._process.is_alive():
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # too young to have a group
                self._process.kill()
            self._process.join()


def default_jobs() -> int:
    """Return how many stages run at a time: one a GPU, or one a core up to four."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(count_cores(), 4)


def choose_context() -> BaseContext:
    """Return how processes of stages are started.

    The imports of MMAction2 and MMPretrain take seconds, as long as a short stage does: a process
    that is forked from one that has done them has them for nothing.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['spact_mm.protocols.preloaded'])
    return context


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stage_environment(index: int, jobs: int) -> dict[str, str]:
    """Return variables of the stage that is one of ``jobs``: its GPU and its share of cores."""
    threads = os.environ.get('OMP_NUM_THREADS', str(max(1, count_cores() // jobs)))
    # What CUDA has set up does not survive a fork. With this variable the server, who imports what
    # asks whether there is a GPU, finds out without setting anything up.
    nvml = dict(PYTORCH_NVML_BASED_CUDA_CHECK='1')
    environment = dict(OMP_NUM_THREADS=threads, SPACT_PYTHON=sys.executable, **nvml)
    if torch.cuda.is_available():
        visible = os.environ.get('CUDA_VISIBLE_DEVICES')
        devices = visible.split(',') if visible else range(torch.cuda.device_count())
        environment['CUDA_VISIBLE_DEVICES'] = str(devices[index % len(devices)]).strip()
    return environment


@contextmanager
def _surroundings(variables: Mapping[str, str]) -> Iterator[None]:
    """Give what is started our launcher and these variables, and keep Ctrl-C from it."""
    before = {key: os.environ.get(key) for key in variables}
    executable = spawn.get_executable()
    os.environ.update(variables)
    if os.access(LAUNCHER, os.X_OK):  # an installer may have dropped what makes it a program
        spawn.set_executable(str(LAUNCHER))
    resource_tracker.ensure_running()  # its first start would unblock the signal
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        spawn.set_executable(executable)
        for key, value in before.items():
            os.environ.pop(key)
            os.environ.update({} if value is None else {key: value})


def _run(folder: str, log: str, environment: Mapping[str, str]) -> None:
    """Be the process of a stage."""
    os.environ.update(environment)  # before, it is that of the first stage, who started the server
    os.setsid()  # a group, so that its data workers end with it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with open(log, 'ab') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_tool, args=(os.getppid(),), daemon=True).start()
    run_stage(folder)


def _end_with_tool(starter: int) -> None:
    """End this process and its data workers as soon as the tool or who started it has ended.

    The tool ends stages itself where it can, but not when it is killed.
    """
    while os.getppid() == starter and multiprocessing.parent_process().is_alive():
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)
