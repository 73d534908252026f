"""Start stages from a process that has imported everything already.

The imports of MMAction2 and MMPretrain take seconds, as long as a short stage does. A forked
process has them for nothing. It is not for machines with a GPU: what CUDA has set up does not
survive a fork, and there the seconds do not matter.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from .stage import current_commit, run_stage
from .watch import end_with_parent


class Zygote:
    """The process that is forked.

    Args:
        command (Sequence[str]): Runs :func:`serve`.
        environment (Mapping[str, str]): Variables of all stages.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            # Ctrl-C is for the tool, which ends the stages.
            start_new_session=True,
        )

    def start(self, folder: Path, log: Path) -> 'ForkedProcess':
        """Run the stage that was prepared in a folder, in a session of its own."""
        return ForkedProcess(self, self.ask(start=str(folder), log=str(log)))

    def ask(self, **request):
        """Send a request and return the answer.

        Raises:
            RuntimeError: If the process has ended.
        """
        try:
            self._process.stdin.write(json.dumps(request) + '\n')
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ''
        if not answer:
            raise RuntimeError('The process that starts the stages has ended; run the tool again.')
        return json.loads(answer)

    def close(self) -> None:
        """End the process, and stages that still run."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


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


def serve() -> int:
    """Answer requests until there are no more; return the exit status of a forked process."""
    current_commit()  # of what is imported now
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        request = json.loads(line)
        if 'start' in request:
            # As in a new process, nothing is in the buffers.
            sys.stdout.flush(), sys.stderr.flush()
            answer = os.fork()
            if answer == 0:
                answers.close()
                return _run(request['start'], request['log'])
        else:
            pid, status = os.waitpid(request['poll'], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        answers.write(json.dumps(answer) + '\n')
        answers.flush()
    return 0


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
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
