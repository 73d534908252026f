"""Slurm as protocols use it: submit by submitit, ask and cancel by its commands."""

import getpass
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from ..packaged import LAUNCHER
from .slurm_job import StageJob

#: Jobs of one submission; Slurm takes 1000 by default.
BATCH = 500
#: Times that a job is queued again because its time was over.
_MAX_TIMEOUTS = 100
#: Seconds before the end of a job's time at which it is told, for an iteration and a checkpoint.
_SIGNAL_SECONDS = 120
#: Slurm's states of ended jobs; in all others a job is alive.
ENDED = {
    'BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY',
    'PREEMPTED', 'REVOKED', 'TIMEOUT',
}  # fmt: skip
#: What Slurm says when it would take a job later.
_LATER = (
    'unable to contact',
    'timed out',
    'temporarily',
    'connection refused',
    'communication connection failure',
    'zero bytes were transmitted',
    'submit limit',
    'job limit',
    'max jobs',
)
#: Options of sbatch that are given here, or by options of the tool.
_OWN = {
    'array', 'chdir', 'error', 'export', 'job-name', 'nodes', 'ntasks', 'ntasks-per-node',
    'open-mode', 'output', 'requeue', 'signal', 'wait', 'wrap',
}  # fmt: skip
_TOOLS = {
    'partition': '--partition',
    'time': '--time',
    'gpus-per-node': '--gpus',
    'cpus-per-task': '--cpus',
}
_TIMES = (
    r'(?P<minutes>\d+)(:(?P<seconds>\d+))?',
    r'(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)',
    r'(?P<days>\d+)-(?P<hours>\d+)(:(?P<minutes>\d+)(:(?P<seconds>\d+))?)?',
)


@dataclass
class SlurmOptions:
    """Resources that jobs ask of Slurm.

    Attributes:
        partition (str, optional): None means the cluster's default.
        gpus (int): GPUs of a job; 0 on a cluster without.
        cpus (int): Cores of a job, for its threads and data workers.
        time (str): After which a job is saved and queued again, as Slurm writes it: minutes,
            ``h:mm:ss``, ``d-h``.
        jobs (int): Jobs that are queued or run at a time.
        more (dict[str, str]): Other options of sbatch, by their long names.
    """

    partition: str | None = None
    gpus: int = 1
    cpus: int = 8
    time: str = '4:00:00'
    jobs: int = 64
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (('gpus', 0), ('cpus', 1), ('jobs', 1)):
            if getattr(self, name) < least:
                raise ValueError(f'{name} must be {least} or more, but is {getattr(self, name)}.')
        for key in self.more:
            if key in _OWN:
                raise ValueError(f'--slurm {key} is set by this tool; leave it out.')
            if key in _TOOLS:
                raise ValueError(f'Give {_TOOLS[key]} in place of --slurm {key}.')

    def to_submitit(self) -> dict:
        """Return the parameters of submitit's executor, without the name of the jobs."""
        parameters = dict(
            time=parse_time(self.time),
            cpus_per_task=self.cpus,
            signal_delay_s=_SIGNAL_SECONDS,
            stderr_to_stdout=True,
            array_parallelism=BATCH,
            # Slurm queues a job again by itself that it preempts or whose node it loses. From 22.05
            # on srun does not take over the cores of its job.
            additional_parameters=dict(self.more, requeue=True),
            setup=[
                f'export SPACT_PYTHON={shlex.quote(sys.executable)}',
                'export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK',
                'export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$SLURM_CPUS_PER_TASK}',
            ],
        )
        if self.partition is not None:
            parameters['partition'] = self.partition
        if self.gpus:
            parameters['gpus_per_node'] = self.gpus
        return parameters


def parse_time(text: str) -> int:
    """Return the minutes that Slurm reads in a time.

    Raises:
        ValueError: If it is none.
    """
    for pattern in _TIMES:
        match = re.fullmatch(pattern, text)
        if match:
            parts = {key: int(value or 0) for key, value in match.groupdict().items()}
            hours = 24 * parts.get('days', 0) + parts.get('hours', 0)
            minutes = 60 * hours + parts['minutes'] + (parts.get('seconds', 0) + 59) // 60
            if minutes:
                return minutes
    raise ValueError(f'--time {text} is no time of Slurm; write minutes, h:mm:ss or d-h.')


class NotNow(RuntimeError):
    """Slurm does not answer, or takes no jobs at the moment."""


@dataclass(frozen=True)
class JobState:
    """What Slurm says of a job.

    Attributes:
        name (str): State, such as ``'RUNNING'``.
        job_name (str): Name under which the job was submitted.
        node (str): Where it runs, or ran.
        reason (str): Why it waits, or ended.
    """

    name: str
    job_name: str = ''
    node: str = ''
    reason: str = ''

    @property
    def is_alive(self) -> bool:
        """Whether the job runs, or will."""
        return self.name not in ENDED and self != FORGOTTEN


#: Of a job that Slurm does not know.
FORGOTTEN = JobState('FORGOTTEN')


def state_of(job: str, name: str, states: Mapping[str, JobState]) -> JobState:
    """Return the state of a job; a controller that has lost its state gives ids once more."""
    state = states.get(job, FORGOTTEN)
    return state if state.job_name == name else FORGOTTEN


class SlurmCluster:
    """Jobs of Slurm.

    Args:
        folder (Path): Of submitit's files, on the file system that the nodes share.
        options (SlurmOptions): Resources that jobs ask for.

    Raises:
        RuntimeError: If submitit or Slurm's commands are not installed.
    """

    def __init__(self, folder: Path, options: SlurmOptions) -> None:
        try:
            import submitit
        except ImportError:
            raise RuntimeError(
                "--executor slurm needs submitit: pip install 'spact_mm[slurm]'."
            ) from None
        programs = 'sbatch', 'srun', 'squeue', 'scancel'
        absent = [name for name in programs if not shutil.which(name)]
        if absent:
            raise RuntimeError(
                f'There is no {absent[0]} here: run it on a login node of the cluster.'
            )
        # Ids begin at 1 again in a new cluster: files of another run must not be taken for its own.
        self.folder = folder.absolute() / uuid4().hex[:8]
        python = shlex.quote(str(LAUNCHER)) if os.access(LAUNCHER, os.X_OK) else None
        self._executor = submitit.SlurmExecutor(self.folder, _MAX_TIMEOUTS, python=python)
        self._executor.update_parameters(**options.to_submitit())

    def submit(self, jobs: Sequence[StageJob], name: str) -> list[str]:
        """Submit jobs under one name and return their ids.

        Raises:
            NotNow: If it may be tried again; some may have been taken.
            RuntimeError: If Slurm refuses them.
        """
        with _outside_of_jobs(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            self._executor.update_parameters(job_name=name)
            try:
                submitted = self._executor.submit_array(jobs)
            except RuntimeError as error:  # what sbatch says, in lines
                lines = [line.strip() for line in str(error).splitlines() if line.strip()]
                reason = (lines or ['it does not say why'])[-1].removeprefix('sbatch: error: ')
                if any(words in reason.lower() for words in _LATER):
                    raise NotNow(reason) from None
                raise RuntimeError(
                    f'Slurm refuses the jobs ({reason}); correct --partition, --gpus (0 where '
                    'there are none), --cpus, --time or --slurm.'
                ) from None
        for path in (*self.folder.glob('.submission*'), *self.folder.glob('*_submission.sh')):
            path.unlink()  # sbatch has a copy
        return [str(job.job_id) for job in submitted]

    def ask(self) -> dict[str, JobState]:
        """Return what Slurm knows of the jobs of this user, by id.

        Raises:
            NotNow: If Slurm does not answer.
        """
        command = ['squeue', '--noheader', '--array', '--states=all', f'--user={_user()}']
        lines = _call([*command, '--format=%i|%T|%j|%N|%r']).splitlines()
        found = [line.strip().split('|', 4) for line in lines if line.count('|') >= 4]
        return {job: JobState(*rest) for job, *rest in found}

    def cancel(self, jobs: Sequence[str], names: Sequence[str] = ()) -> None:
        """Cancel jobs by ids, and by names.

        Raises:
            NotNow: If Slurm does not answer.
        """
        for start in range(0, len(jobs), BATCH):
            _call(['scancel', '--quiet', *jobs[start : start + BATCH]])
        for name in names:
            _call(['scancel', '--quiet', f'--user={_user()}', f'--name={name}'])


def _user() -> str:
    return getpass.getuser()


def _call(command: Sequence[str]) -> str:
    """Run one of Slurm's commands and return what it prints.

    Raises:
        NotNow: If it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    except subprocess.CalledProcessError as error:
        raise NotNow((error.stderr.strip() or str(error)).splitlines()[-1]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotNow(str(error)) from None
    return done.stdout


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Let sbatch not take over the settings of a job that this tool runs in."""
    hidden = {}
    if 'SLURM_JOB_ID' in os.environ:
        names = [name for name in os.environ if name.startswith(('SLURM_', 'SRUN_'))]
        hidden = {name: os.environ.pop(name) for name in names if name != 'SLURM_CONF'}
    try:
        yield
    finally:
        os.environ.update(hidden)
