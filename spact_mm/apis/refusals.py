"""Errors of this package, told in one sentence."""

import logging
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


class NonFiniteError(ValueError):
    """An anonymizer gave NaN or an infinite number."""


@contextmanager
def refuse_in_one_sentence() -> Iterator[None]:
    """End the process with one sentence if this package raises an error.

    Errors of other packages keep their tracebacks; with ``SPACT_TRACEBACK=1`` all errors do.
    """
    try:
        yield
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        sentence = _refusal(error)
        if os.environ.get('SPACT_TRACEBACK') == '1' or sentence is None:
            raise
        _write_to_log_file(sentence)
        sys.exit(sentence)


def describe_failure(error: Exception, path: str | Path, *others: str | Path) -> str:
    """Return in one line which file could not be processed, and why.

    Args:
        error (Exception): An error of this package, a library or Python.
        path (str | Path): The file; its name is added if the message lacks it.
        *others (str | Path): Other names that identify the file, such as its output's.

    Returns:
        str: One line. With ``SPACT_TRACEBACK=1`` the traceback is printed too.
    """
    if os.environ.get('SPACT_TRACEBACK') == '1':
        traceback.print_exception(error)
    text = ''.join(str(error).strip().splitlines()[:1])
    if any(str(name) in text for name in (path, *others)):
        return text
    return f'{path}: {type(error).__name__}{": " if text else ""}{text}'


def print_any_name() -> None:
    """Allow printing file names that are no valid text, as old disks and archives have them."""
    sys.stdout.reconfigure(errors='backslashreplace')


def _refusal(error: Exception) -> str | None:
    """Return the message of an error that this package raised; None for any other error.

    So is that of a file that this package or its tool could not open.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, OSError) and error.filename is not None:
        file = [frame.filename for frame in frames if frame.filename != pathlib.__file__][-1]
        tool = getattr(sys.modules['__main__'], '__file__', None)
        if file == tool or _is_ours(file):
            return f'{type(error).__name__}: {error.filename}: {error.strerror}'
    frame = frames[-1]
    sentence, filename, line = f'{type(error).__name__}: {error}', frame.filename, frame.line
    if ' in DataLoader worker process ' in sentence:
        # torch puts the worker's traceback into the message.
        filename, line = re.findall(r'File "(.+?)", line \d+, in .*\n(.*)', sentence)[-1]
        sentence = sentence.rstrip().splitlines()[-1]
    # An error that a library raises for a call of this package keeps its traceback.
    return sentence if _is_ours(filename) and line.strip().startswith('raise') else None


def _is_ours(filename: str) -> bool:
    return _PACKAGE in Path(filename).resolve().parents


def _write_to_log_file(message: str) -> None:
    """Log an error to the run's file only, as the terminal shows it anyway."""
    module = sys.modules.get('mmengine.logging')
    if module is None:  # so there is no such file
        return
    record = logging.LogRecord('mmengine', logging.ERROR, __file__, 0, message, None, None)
    for handler in module.MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
