"""One training at a time in a work directory."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from logging import Logger
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process

from ..files import lock_folder

#: The folders of this process, which may run one training after another in one of them.
_HELD: dict[Path, ExitStack] = {}


def hold_folders(folders: Iterable[str | os.PathLike], logger: Logger) -> None:
    """Keep other processes from training in folders, until the process ends.

    Called by all processes of a training, of which the main one holds the folders.

    Args:
        folders: Remote ones are left out.
        logger (Logger): Told if a file system has no locks.

    Raises:
        RuntimeError: If another training holds one of them.
    """
    refusal = [None]
    if is_main_process():
        for folder in _local(folders):
            refusal = [refusal[0] or _hold(folder, logger)]
    broadcast_object_list(refusal)
    if refusal[0] is not None:
        raise RuntimeError(refusal[0])


def let_folders_go(folders: Iterable[str | os.PathLike]) -> None:
    """Let other processes train in folders again.

    Args:
        folders: As those of :func:`hold_folders`.
    """
    for folder in _local(folders):
        _HELD.pop(folder, ExitStack()).close()


def _local(folders: Iterable[str | os.PathLike]) -> list[Path]:
    return sorted({Path(folder).resolve() for folder in folders if '://' not in str(folder)})


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
