"""One training at a time in a work directory."""

import os
from contextlib import ExitStack
from logging import Logger
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process

from ..files import lock_folder

#: Locked folders of this process, which may run several trainings one after another in a folder.
_HELD: dict[Path, ExitStack] = {}


def hold_folder(folder: str | os.PathLike, logger: Logger) -> None:
    """Lock a folder against trainings of other processes, until this process ends.

    All processes of a training call this function; the main one holds the lock.

    Args:
        folder: The work directory.
        logger (Logger): Logger for a warning if the file system has no locks.

    Raises:
        RuntimeError: If another training holds the lock.
    """
    refusal = [_hold(Path(folder).resolve(), logger) if is_main_process() else None]
    broadcast_object_list(refusal)
    if refusal[0] is not None:
        raise RuntimeError(refusal[0])


def let_folder_go(folder: str | os.PathLike) -> None:
    """Unlock a folder for trainings of other processes.

    Args:
        folder: As for :func:`hold_folder`.
    """
    _HELD.pop(Path(folder).resolve(), ExitStack()).close()


def _hold(folder: Path, logger: Logger) -> str | None:
    if folder in _HELD:
        return None
    stack = ExitStack()
    sentence = f'Another training runs in {folder}; wait for it or choose another --work-dir.'
    try:
        stack.enter_context(lock_folder(folder, sentence))
    except RuntimeError as error:
        return str(error)
    except OSError as error:
        logger.warning(
            f'{folder} cannot be locked ({error.strerror}): make sure that no other training runs '
            'in it.'
        )
    _HELD[folder] = stack
    return None
