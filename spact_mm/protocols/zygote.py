"""Start stages from a process that has imported everything already.

The imports of MMAction2 and MMPretrain take seconds, as long as a short stage does. A forked
process has them for nothing. It is not for machines with a GPU: what CUDA has set up does not
survive a fork, and there the seconds do not matter.
"""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from .json_process import JsonProcess, answer_requests
from .stage import current_commit, run_stage
from .watch import end_with_parent


class Zygote(JsonProcess):
    """The process that is forked; when it is closed, stages that still run end.

    Args:
        command (Sequence[str]): Runs :func:`serve`.
        environment (Mapping[str, str]): Variables of all stages.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(
            command,
            'The process that starts the stages has ended; run the tool again.',
            env=environment,
            # Ctrl-C is for the tool, which ends the stages.
            start_new_session=True,
        )

    def start(self, folder: Path, log: Path) -> 'ForkedProcess':
        """Run the stage that was prepared in a folder, in a session of its own."""
        return ForkedProcess(self, self.ask(start=str(folder), log=str(log)))


class ForkedProcess:
    """What :class:`subprocess.Popen` is for a process that it started."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self.pid, self.returncode = pid, None
        self._zygote = zygote

    def poll(self) -> int | None:
        """Return the exit status, None while the process runs; negative is a signal."""
        if self.returncode is None:
            self.returncode = self._zygote.ask(poll=self.pid)
        return self.returncode

    def wait(self) -> int:
        """Wait for the end of the process."""
        while self.poll() is None:
            time.sleep(0.05)
        return self.returncode


def serve() -> None:
    """Start stages and tell of them until nobody asks any more."""
    current_commit()  # of what is imported now
    # Or each stage goes through all that is imported once more when it ends, which takes seconds.
    gc.freeze()
    answer_requests(lambda request: (_fork if 'start' in request else _poll)(**request))


def _fork(start: str, log: str) -> int:
    # As in a new process, nothing is in the buffers.
    sys.stdout.flush(), sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        sys.exit(_run(start, log))  # out of what answers for the process that was forked
    return pid


def _poll(poll: int) -> int | None:
    pid, status = os.waitpid(poll, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _run(folder: str, log: str) -> int:
    """Be the process of a stage."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.devnull, 'rb') as nothing, open(log, 'ab') as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    end_with_parent()
    try:
        run_stage(folder)
    except SystemExit as end:
        # Ended by a signal, which the stage has said.
        return end.code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
