"""A process that answers requests: a line of JSON each way."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence


class JsonProcess:
    """Start a process and ask it things; :func:`answer_requests` is its other end.

    Args:
        command (Sequence[str]): What to run.
        failure (str): The sentence of the error where it ends before it answers.
        **options: As for :class:`subprocess.Popen`.
    """

    def __init__(self, command: Sequence[str], failure: str, **options) -> None:
        self._failure = failure
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

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
            raise RuntimeError(self._failure)
        return json.loads(answer)

    def close(self) -> None:
        """Tell the process to end, and wait for that."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def answer_requests(answer: Callable[[dict], object]) -> None:
    """Answer requests on standard input until there are no more.

    What is printed meanwhile goes where errors go.

    Args:
        answer (Callable): A request to what JSON can hold.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + '\n')
        answers.flush()
