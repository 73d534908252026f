"""MMAction2's own command-line tools, with this package imported first."""

import logging
import os
import re
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmaction
from mmengine.logging import MMLogger

_PACKAGE = Path(__file__).resolve().parents[1]


def find_tool(name: str) -> Path:
    """Return the path of a tool that MMAction2 ships, such as ``'train'``.

    Raises:
        FileNotFoundError: If the installed MMAction2 does not have it.
    """
    package = Path(mmaction.__file__).resolve().parent
    # In the wheel, and beside the package in a source checkout.
    for folder in (package / '.mim' / 'tools', package.parent / 'tools'):
        path = folder / f'{name}.py'
        if path.is_file():
            return path
    raise FileNotFoundError(
        f'The installed MMAction2 ({package}) has no tools/{name}.py; '
        'install it from the package index: pip install mmaction2==1.2.0.'
    )


def run_tool(name: str) -> None:
    """Run a tool of MMAction2 with this process's arguments, all of its options included.

    What this package refuses (a missing data set, a wrong key, ...) ends the process with its one
    sentence and exit code 1; anything else keeps its traceback. ``SPACT_TRACEBACK=1`` keeps all.

    Args:
        name (str): ``'train'`` or ``'test'``.
    """
    with refuse_in_one_sentence():
        runpy.run_path(str(find_tool(name)), run_name='__main__')


@contextmanager
def refuse_in_one_sentence() -> Iterator[None]:
    """End the process with the one sentence of an error that this package raised itself.

    Any other error keeps its traceback, and so does every one with ``SPACT_TRACEBACK=1``.
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
    """Return in one line why a file could not be done, and which.

    Args:
        error (Exception): What was raised, by this package, a library or Python.
        path (str | Path): The file, which is named if the message does not name it.
        *others (str | Path): Names that tell of it too, such as its output's.

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
    """Let files be printed whose names are no text, as old disks and archives have them."""
    sys.stdout.reconfigure(errors='backslashreplace')


def _refusal(error: Exception) -> str | None:
    """Return what an error says that this package raised itself, None for any other."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    sentence, filename, line = f'{type(error).__name__}: {error}', frame.filename, frame.line
    if ' in DataLoader worker process ' in sentence:
        # torch puts the traceback in the worker into the message.
        filename, line = re.findall(r'File "(.+?)", line \d+, in .*\n(.*)', sentence)[-1]
        sentence = sentence.rstrip().splitlines()[-1]
    # What a library finds wrong with a call of ours keeps its traceback.
    is_ours = _PACKAGE in Path(filename).resolve().parents and line.strip().startswith('raise')
    return sentence if is_ours else None


def _write_to_log_file(message: str) -> None:
    """Log an error to the run's file only, as the terminal shows it anyway."""
    record = logging.LogRecord('mmengine', logging.ERROR, __file__, 0, message, None, None)
    for handler in MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
