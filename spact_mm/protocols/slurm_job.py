"""The work of a Slurm job: to run a stage, and to save it where its time is over."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..files import lock_folder
from .executor import JOB_NOTE

#: The file, in a stage's folder, that a job leaves which was ended before the stage was.
INTERRUPTED = 'interrupted'
#: How long a job waits for another of the same stage, which is dying or on a node that is lost.
_PATIENCE = 600


class StageJob:
    """A stage as submitit calls it.

    SIGUSR2, by which Slurm announces the end of a job's time, saves the training and queues the job
    again. SIGTERM, by which it preempts and cancels, saves it; who then queues it is Slurm, or the
    tool, who knows why.

    Args:
        folder (str): Of the stage.
        name (str): Of the job; it runs only while the note in the folder has it.
        run (Callable[[Path], object]): Runs the stage of a folder.
    """

    def __init__(self, folder: str, name: str, run: Callable[[Path], object]) -> None:
        self.folder, self.name, self.run = folder, name, run

    def __call__(self) -> None:
        """Run the stage, from where it was interrupted."""
        folder = Path(self.folder)
        if not self._is_wanted():
            return  # its tool has taken it back, or has given the stage to another job
        with (folder / 'log.txt').open('ab') as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        job = os.environ.get('SLURM_JOB_ID', '')
        print(f'Slurm: job {job} on {socket.gethostname()}.', flush=True)
        interruption = _Interruption()
        mark = folder / INTERRUPTED
        try:
            with _alone(folder):
                mark.unlink(missing_ok=True)
                self.run(folder)
        except BaseException as error:
            if not interruption.is_reason_of(error):
                raise
            mark.write_text(self.name)
            if interruption.number == signal.SIGUSR2 and self._is_wanted():
                self._queue_again(interruption, mark)
            raise SystemExit(128 + signal.SIGTERM) from None

    def checkpoint(self) -> object:
        """Return what submitit queues again: the same, as what is saved lies in the folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _queue_again(self, interruption: '_Interruption', mark: Path) -> None:
        """Let submitit queue the job again, which ends this process."""
        try:
            interruption.let_submitit()
        except (subprocess.SubprocessError, OSError) as error:
            # It may be queued again already, else the tool submits it.
            print(f'Slurm: the job is not queued again from here ({error}).', flush=True)
        except RuntimeError:  # too often
            mark.unlink()
            raise

    def _is_wanted(self) -> bool:
        try:
            note = json.loads(Path(self.folder, JOB_NOTE).read_bytes())
            return note['name'] == self.name
        except (OSError, ValueError, KeyError, TypeError):
            return False


class _Interruption:
    """The first of the signals by which Slurm ends a job; it ends what runs.

    While a training runs, which has a handler of its own for SIGTERM, that is asked: it saves the
    iteration.
    """

    def __init__(self) -> None:
        self.number = 0
        self._process = os.getpid()
        self._submitits = signal.getsignal(signal.SIGUSR2)
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._note)

    def is_reason_of(self, error: BaseException) -> bool:
        """Tell whether a stage has ended by a signal, that to a training itself among them."""
        code = error.code if isinstance(error, SystemExit) else 0
        return bool(self.number) or code == 128 + signal.SIGTERM

    def let_submitit(self) -> None:
        """Do what submitit does at this signal."""
        if callable(self._submitits):
            self._submitits(signal.SIGUSR2, None)

    def _note(self, number: int, frame) -> None:
        if os.getpid() != self._process:
            return  # a data worker, which its parent ends
        if self.number:
            return
        self.number = number
        print(f'{signal.Signals(number).name}: the stage is interrupted.', flush=True)
        if signal.getsignal(signal.SIGTERM) != self._note:
            os.kill(self._process, signal.SIGTERM)
        else:
            raise SystemExit(128 + number)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other job runs this stage."""
    refusal = f'Another job still runs the stage of {folder}.'
    deadline = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock_folder(folder, refusal, name='.job.lock'))
                break
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            except OSError as error:
                print(f'{error} Slurm alone keeps two jobs from one stage.', flush=True)
                break
        yield
