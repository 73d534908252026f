"""One training at a time in a work directory."""

import os
from contextlib import ExitStack
from logging import Logger
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process

from ..files import lock_folder

#: The folders of this process, which may run one training after another in one of them.
_HELD: dict[Path, ExitStack] = {}


def hold_folder(folder: str | os.PathLike, logger: Logger) -> None:
    """Keep other processes from training in a folder, until the process ends.

    Called by all processes of a training, of which the main one holds the folder.

    Args:
        folder: The work directory.
        logger (Logger): Told if the file system has no locks.

    Raises:
        RuntimeError: If another training holds it.
    """
    refusal = [_hold(Path(folder).resolve(), logger) if is_main_process() else None]
    broadcast_object_list(refusal)
    if refusal[0] is not None:
        raise RuntimeError(refusal[0])


def let_folder_go(folder: str | os.PathLike) -> None:
    """Let other processes train in a folder again.

    Args:
        folder: As that of :func:`hold_folder`.
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
