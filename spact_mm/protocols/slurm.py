"""Stages as jobs of Slurm."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from .executor import JOB_NOTE, Executor, Run
from .slurm_cluster import BATCH, FORGOTTEN, JobState, NotNow, SlurmCluster, state_of
from .slurm_job import INTERRUPTED, StageJob
from .stage import Stage, run_stage
from .stage_files import read_json, write_json

#: Seconds between two questions to Slurm, and to its files.
_POLL_SECONDS = 5.0
#: Between two attempts to submit what Slurm does not take now.
_RETRY_SECONDS = 30.0
#: How long a result may take to be seen through a shared file system after its job has ended.
_LAG_SECONDS = 30.0
#: How long is waited for jobs to be gone that another configuration makes needless.
_CANCEL_SECONDS = 120.0
#: How often a job is submitted again that was lost or interrupted, without progress in between.
_ATTEMPTS = 3
#: Ends that are no fault of the stage.
_LOST = {'BOOT_FAIL', 'NODE_FAIL', 'PREEMPTED', 'REVOKED', FORGOTTEN.name}
#: What is done against others.
_REMEDIES = dict(
    OUT_OF_MEMORY='give it more, by --slurm mem=64G',
    TIMEOUT='give it more, by --time',
    CANCELLED='somebody has cancelled it; the same command goes on',
)
#: Why a job usually waits; other reasons are told.
_USUAL_REASONS = {
    'None', 'Priority', 'Resources', 'BeginTime', 'Cleaning', 'JobArrayTaskLimit', 'Dependency',
}  # fmt: skip


class SlurmRun(Run):
    """A stage and the job that runs it.

    Attributes:
        stage (Stage): The stage.
        job (str): Slurm's id, '' while it is to be submitted again.
        name (str): Slurm's name of it.
        state (str): What Slurm has said last.
        outcome (bool, optional): Whether there is a result, None while the job is there.
    """

    def __init__(self, stage: Stage, job: str, name: str, folder: Path) -> None:
        self.stage, self.job, self.name, self.folder = stage, job, name, folder
        self.state, self.outcome = 'PENDING', None
        self.progress, self.attempts = stage.read_progress(), 0
        #: What the stage's log had before.
        self.log_size = _size(stage.log)
        self.ended_since: float | None = None

    def poll(self) -> bool | None:
        """Return whether the stage has left its result, None while the job is there."""
        return self.outcome

    def has_result(self) -> bool:
        """Tell whether the stage has all that it leaves; lost weights leave a result behind."""
        stage = self.stage
        has_weights = not stage.is_trained or stage.weights.is_file()
        return has_weights and stage.read_result() is not None

    def has_left(self) -> bool:
        """Tell whether submitit has written the end of the job."""
        return bool(self.job) and (self.folder / f'{self.job}_0_result.pkl').exists()

    def read_start(self) -> str:
        """Return what the job has printed outside of its stage."""
        log = self.folder / f'{self.job}_0_log.out'
        return log.read_text(errors='replace')[-4000:].strip() if log.is_file() else ''

    def was_interrupted(self) -> bool:
        """Tell whether the job was ended by a signal."""
        try:
            return (self.stage.folder / INTERRUPTED).read_text() == self.name
        except OSError:
            return False

    def blame(self, state: JobState) -> None:
        """Say in the stage's log why the job ended, where it could not say so itself."""
        has_spoken = _size(self.stage.log) > self.log_size
        parts = [] if has_spoken else [self.read_start()]
        if state.name != 'FAILED' or not has_spoken:
            reason = f' ({state.reason})' if state.reason not in ('', 'None') else ''
            remedy = f'; {_REMEDIES[state.name]}' if state.name in _REMEDIES else ''
            parts.append(f'Slurm: job {self.job} left no result: {state.name}{reason}{remedy}.')
        if parts:
            with self.stage.log.open('a') as file:
                file.write('\n'.join(filter(None, parts)) + '\n')

    def clean(self) -> None:
        """Remove submitit's files of the job, and folders that are empty then."""
        for path in self.folder.glob(f'{self.job}_*') if self.job else ():
            path.unlink(missing_ok=True)
        for folder in (self.folder, self.folder.parent):
            try:
                folder.rmdir()
            except OSError:
                return


class SlurmExecutor(Executor):
    """Jobs of Slurm, one a stage, which is done when its result is there, whatever Slurm says.

    A note in the folder of a stage names its job. So a tool that is killed finds its jobs again,
    and a job whose note is gone does nothing.

    Args:
        cluster (SlurmCluster): Where jobs go.
        jobs (int): How many are queued or run at a time.
        tell (Callable[[str], None]): Told in one sentence what happens to jobs.
        run (Callable[[Path], object]): Runs the stage of a folder, in the job.
    """

    def __init__(
        self,
        cluster: SlurmCluster,
        jobs: int,
        tell: Callable[[str], None] = print,
        run: Callable[[Path], object] = run_stage,
    ) -> None:
        self.cluster, self.jobs, self.tell, self._run = cluster, jobs, tell, run
        self._next_poll = self._next_start = 0.0
        self._told: set[str] = set()
        #: The name of a submission that is not noted yet, and runs that nobody has been given yet.
        self._submitting = ''
        self._new: list[SlurmRun] = []

    def adopt(self, stages: Sequence[Stage]) -> list[SlurmRun]:
        """Take over the jobs of an earlier run; cancel those of other configurations.

        Raises:
            RuntimeError: If Slurm does not answer, or jobs do not end.
        """
        notes = {stage: read_json(stage.folder / JOB_NOTE) for stage in stages}
        notes = {stage: note for stage, note in notes.items() if note}
        if not notes:
            return []
        states = self.cluster.ask()
        # Of a submission that was killed some jobs may lack what they need.
        broken = {str(note.get('name')) for note in notes.values() if not note.get('job')}
        runs, needless = [], []
        for stage, note in notes.items():
            job, name, folder = (str(note.get(key, '')) for key in ('job', 'name', 'folder'))
            is_alive = state_of(job, name, states).is_alive
            if is_alive and note.get('hash') == stage.hash and name not in broken:
                runs.append(SlurmRun(stage, job, name, Path(folder)))
            else:
                needless += [(job, name)] if is_alive else []
                (stage.folder / JOB_NOTE).unlink()
        if needless or broken:
            self.cluster.cancel([job for job, _ in needless], sorted(broken))
            self._wait_for_end(needless)
        if runs:
            some = ', '.join(f'{run.job} ({run.stage.id})' for run in runs[:3])
            self.tell(f'Jobs of an earlier run go on: {some}{", …" if len(runs) > 3 else ""}.')
        return runs

    def start(self, stages: Sequence[Stage]) -> Iterator[SlurmRun]:
        """Submit stages; those that Slurm does not take now are given to it again."""
        for start in range(0, len(stages), BATCH):
            if time.monotonic() < self._next_start:
                return
            batch = stages[start : start + BATCH]
            for stage in batch:
                stage.prepare()
            self._new = self._submit(batch)
            while self._new:
                yield self._new.pop(0)

    def wait(self, runs: Sequence[SlurmRun], seconds: float) -> None:
        """Ask Slurm, if it is time, how the jobs are."""
        time.sleep(seconds)
        if time.monotonic() < self._next_poll:
            return
        try:
            states = self.cluster.ask()
            self._told.discard('silent')
        except NotNow as error:
            states = None
            self._tell_once('silent', f'Slurm does not answer, and jobs go on meanwhile: {error}')
        for run in runs:
            self._look_at(run, states)
        lost = [run for run in runs if run.outcome is None and not run.job]
        if lost and time.monotonic() >= self._next_start:
            for run, new in zip(lost, self._submit([run.stage for run in lost]), strict=False):
                run.job, run.name, run.folder = new.job, new.name, new.folder
        self._next_poll = time.monotonic() + _POLL_SECONDS

    def stop(self, runs: Iterable[SlurmRun]) -> None:
        """Cancel the jobs; if Slurm does not answer, the next run finds them."""
        runs = [*runs, *self._new]
        if not runs and not self._submitting:
            return
        notes = [run.stage.folder / JOB_NOTE for run in runs]
        hidden = {note: note.with_name(f'.{note.name}') for note in notes if note.exists()}
        for note, other in hidden.items():
            os.replace(note, other)  # without it no job queues itself again
        try:
            names = [self._submitting] if self._submitting else []
            self.cluster.cancel([run.job for run in runs if run.job], names)
        except NotNow as error:
            self.tell(f'The jobs could not be cancelled; the same command finds them: {error}')
            for note, other in hidden.items():
                os.replace(other, note)
        else:
            for other in hidden.values():
                other.unlink()

    def _submit(self, stages: Sequence[Stage]) -> list[SlurmRun]:
        """Submit stages whose files are written; note their jobs before and after."""
        name, folder = f'spact-{uuid4().hex[:8]}', self.cluster.folder
        note = dict(name=name, folder=str(folder))
        for stage in stages:
            write_json(stage.folder / JOB_NOTE, dict(note, hash=stage.hash))
        jobs = [StageJob(str(stage.folder.absolute()), name, self._run) for stage in stages]
        self._submitting = name
        try:
            ids = self.cluster.submit(jobs, name)
        except NotNow as error:
            self._next_start = time.monotonic() + _RETRY_SECONDS
            self._tell_once(
                str(error), f'Slurm takes no jobs now, they are submitted later: {error}'
            )
            # It may have taken some: the next submission has another name, and these end at once.
            return []
        except RuntimeError:
            self._submitting = ''
            for stage in stages:
                (stage.folder / JOB_NOTE).unlink()
            raise
        runs = []
        for stage, job in zip(stages, ids, strict=True):
            write_json(stage.folder / JOB_NOTE, dict(note, hash=stage.hash, job=job))
            runs.append(SlurmRun(stage, job, name, folder))
        self._submitting = ''
        return runs

    def _look_at(self, run: SlurmRun, states: Mapping[str, JobState] | None) -> None:
        """Find out whether a job is over, and how."""
        state = state_of(run.job, run.name, states or {})
        if run.has_result() and (run.has_left() or (states is not None and not state.is_alive)):
            self._end(run, True)
        elif not run.job or states is None:
            return
        elif state.is_alive:
            self._tell_change(run, state)
            run.state = state.name
        elif state.name == 'COMPLETED' and self._is_fresh(run):
            return
        elif state.name in _LOST or (state.name != 'CANCELLED' and run.was_interrupted()):
            self._try_again(run, state)
        else:
            run.blame(state)
            self._end(run, False)

    def _is_fresh(self, run: SlurmRun) -> bool:
        """Tell whether a result may not be seen yet."""
        run.ended_since = run.ended_since or time.monotonic()
        return time.monotonic() - run.ended_since < _LAG_SECONDS

    def _tell_change(self, run: SlurmRun, state: JobState) -> None:
        if state.name != 'PENDING':
            return
        if run.state in ('RUNNING', 'COMPLETING'):
            self.tell(
                f'{run.stage.id}: preempted, or its node is lost; job {run.job} is queued again '
                'and goes on from its last checkpoint.'
            )
        if state.reason not in _USUAL_REASONS:
            self._tell_once(state.reason, f'Jobs wait, such as {run.job}: {state.reason}.')

    def _try_again(self, run: SlurmRun, state: JobState) -> None:
        """Let a job be submitted anew that was lost, unless that has not helped."""
        progress = run.stage.read_progress()
        run.attempts = 1 if progress > run.progress else run.attempts + 1
        run.progress, run.ended_since = progress, None
        if run.attempts > _ATTEMPTS:
            run.blame(JobState(state.name, reason=f'{run.attempts} times without progress'))
            self._end(run, False)
            return
        where = f' on {state.node}' if state.node else ''
        self.tell(
            f'{run.stage.id}: job {run.job}{where} is lost ({state.name}); it is submitted again.'
        )
        run.clean()
        run.job, run.state = '', 'PENDING'

    def _end(self, run: SlurmRun, outcome: bool) -> None:
        run.outcome = outcome
        run.clean()
        for name in (JOB_NOTE, INTERRUPTED):
            (run.stage.folder / name).unlink(missing_ok=True)

    def _wait_for_end(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Wait until jobs, given by their ids and names, have ended."""
        deadline = time.monotonic() + _CANCEL_SECONDS
        while True:
            states = self.cluster.ask()
            alive = [job for job, name in jobs if state_of(job, name, states).is_alive]
            if not alive:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f'Jobs {", ".join(alive[:5])} of stages that have changed do not end; look at '
                    'them with squeue and run the command again.'
                )
            time.sleep(1)

    def _tell_once(self, key: str, sentence: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self.tell(sentence)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
