"""Stages as jobs of Slurm."""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from .executor import JOB_NOTE, Executor
from .slurm_cluster import BATCH, FORGOTTEN, JobState, NotNow, SlurmCluster, state_of
from .slurm_job import INTERRUPTED, StageJob
from .slurm_run import SlurmRun
from .stage import Stage, run_stage
from .stage_files import read_json, write_json

#: The note of a job that is being cancelled.
_HIDDEN_NOTE = f'.{JOB_NOTE}'
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
#: Why a job usually waits; other reasons are told.
_USUAL_REASONS = {
    'None', 'Priority', 'Resources', 'BeginTime', 'Cleaning', 'JobArrayTaskLimit', 'Dependency',
}  # fmt: skip


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
        notes = {stage: _read_note(stage) for stage in stages}
        notes = {stage: note for stage, note in notes.items() if note}
        if not notes:
            return []
        try:
            states = self.cluster.ask()
        except NotNow as error:
            raise RuntimeError(
                f'Slurm does not answer ({error}), and jobs of an earlier run may be alive: run '
                'the command again when it does.'
            ) from None
        # Of a submission that was killed some jobs may lack what they need.
        broken = {str(note.get('name')) for note in notes.values() if not note.get('job')}
        runs, needless, gone = [], set(), []
        for stage, note in notes.items():
            job, name, folder = (str(note.get(key, '')) for key in ('job', 'name', 'folder'))
            is_alive = state_of(job, name, states).is_alive
            if is_alive and note.get('hash') == stage.hash and name not in broken:
                runs.append(SlurmRun(stage, job, name, Path(folder)))
            else:
                needless |= {(job, name)} if is_alive else set()
                gone.append(stage)
        if needless or broken:
            self.cluster.cancel(sorted(job for job, _ in needless), sorted(broken))
            self._wait_for_end(needless, broken)
        for stage in gone:
            for name in (JOB_NOTE, _HIDDEN_NOTE):
                (stage.folder / name).unlink(missing_ok=True)
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
        hidden = {note: note.with_name(_HIDDEN_NOTE) for note in notes if note.exists()}
        for note, other in hidden.items():
            os.replace(note, other)  # without it no job queues itself again
        try:
            names = [self._submitting] if self._submitting else []
            self.cluster.cancel([run.job for run in runs if run.job], names)
        except BaseException as error:  # a second Ctrl-C, too
            for note, other in hidden.items():
                os.replace(other, note)
            if not isinstance(error, NotNow):
                raise
            self.tell(f'The jobs could not be cancelled; the same command finds them: {error}')
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
                'and goes on from what is saved.'
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

    def _wait_for_end(self, jobs: Collection[tuple[str, str]], names: Collection[str]) -> None:
        """Wait until jobs, given by their ids and names or by names alone, have ended."""
        deadline = time.monotonic() + _CANCEL_SECONDS
        while True:
            alive = [
                job
                for job, state in self.cluster.ask().items()
                if state.is_alive and ((job, state.job_name) in jobs or state.job_name in names)
            ]
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


def _read_note(stage: Stage) -> dict:
    """Return what a stage's folder tells of a job; one that was being cancelled is not wanted."""
    hidden = read_json(stage.folder / _HIDDEN_NOTE)
    return read_json(stage.folder / JOB_NOTE) or (dict(hidden, hash='') if hidden else {})
