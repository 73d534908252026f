"""Command-line tools of MMAction2 and MMPretrain, with this package imported first."""

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
import mmpretrain
from mmengine.logging import MMLogger

_PACKAGE = Path(__file__).resolve().parents[1]
#: By the name of the module: the module, what it is called, and how it is installed.
_UPSTREAM = dict(
    mmaction=(mmaction, 'MMAction2', 'mmaction2==1.2.0'),
    mmpretrain=(mmpretrain, 'MMPretrain', 'mmpretrain==1.2.0'),
)


def find_tool(name: str, package: str = 'mmaction') -> Path:
    """Return the path of a tool that MMAction2 or MMPretrain ships, such as ``'train'``.

    Args:
        name (str): Path below ``tools/`` without the suffix.
        package (str): ``'mmaction'`` or ``'mmpretrain'``. Defaults to ``'mmaction'``.

    Raises:
        ValueError: If the package is neither.
        FileNotFoundError: If what is installed does not have it.
    """
    if package not in _UPSTREAM:
        raise ValueError(f'There are tools of {" and ".join(_UPSTREAM)}, none of {package!r}.')
    module, title, requirement = _UPSTREAM[package]
    root = Path(module.__file__).resolve().parent
    # In the wheel, and beside the package in a source checkout.
    for folder in (root / '.mim' / 'tools', root.parent / 'tools'):
        path = folder / f'{name}.py'
        if path.is_file():
            return path
    raise FileNotFoundError(
        f'The installed {title} ({root}) has no tools/{name}.py; correct the name, or install it '
        f'from the package index: pip install {requirement}.'
    )


def run_tool(name: str, package: str = 'mmaction') -> None:
    """Run a tool of MMAction2 with this process's arguments, all of its options included.

    What this package refuses (a missing data set, a wrong key, ...) ends the process with its one
    sentence and exit code 1; anything else keeps its traceback. ``SPACT_TRACEBACK=1`` keeps all.

    Args:
        name (str): As of :func:`find_tool`.
        package (str): As of :func:`find_tool`. Defaults to ``'mmaction'``.
    """
    with refuse_in_one_sentence():
        runpy.run_path(str(find_tool(name, package)), run_name='__main__')


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
