"""A stage and its job of Slurm: what the job leaves, and why it ended."""

from pathlib import Path

from .executor import Run
from .slurm_cluster import JobState
from .slurm_job import INTERRUPTED
from .stage import Stage

#: What is done against such ends.
_REMEDIES = dict(
    OUT_OF_MEMORY='give it more, by --slurm mem=64G',
    TIMEOUT='give it more, by --time',
    CANCELLED='somebody has cancelled it; the same command goes on',
)


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
        #: Text of the stage's log before this job.
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


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
