"""MMAction2's own command-line tools, with this package imported first."""

import os
import runpy
import sys
import traceback
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
    try:
        runpy.run_path(str(find_tool(name)), run_name='__main__')
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get('SPACT_TRACEBACK') == '1' or not _is_ours(error):
            raise
        message = f'{type(error).__name__}: {error}'
        if MMLogger.check_instance_created('mmengine'):
            # The reason belongs into the run's log file, too.
            MMLogger.get_current_instance().debug(message)
        sys.exit(message)


def _is_ours(error: BaseException) -> bool:
    """Tell whether this package raised the error, rather than something that it called."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return _PACKAGE in Path(last.filename).resolve().parents
