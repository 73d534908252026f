"""Files that are whole or absent, and folders that one process uses at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

#: How often, and after how many seconds, a lock is tried again that others may just be taking.
_ATTEMPTS, _PAUSE = 50, 0.02


def partial_path(path: str | os.PathLike) -> Path:
    """Return the hidden name, this process's own, that a file has until it is whole."""
    path = Path(path)
    return path.with_name(f'.{path.name}.{os.getpid()}.part')


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Let a file be written under a name of this process, then put it in its place.

    Args:
        path: The file to create or replace; its folder is made. If the block fails, it stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike, data: bytes | str) -> None:
    """Write a file that after a kill or a power cut at any time is the old or the new, never half.

    Args:
        path: The file to create or replace; its folder is made.
        data (bytes | str): The whole contents; a text is written as UTF-8.
    """
    try:
        with replacing(path) as partial, open(partial, 'wb') as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            # Without it a power cut may leave the new name with no contents.
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno is not None and error.filename is None:
            # A full disk does not say of which file.
            error.filename = os.fspath(path)
        raise


@contextmanager
def lock_folder(
    folder: str | os.PathLike, refusal: str, run: str | None = None, name: str = '.lock'
) -> Iterator[None]:
    """Keep a folder from being used by two processes, or by two runs of several, at a time.

    Args:
        folder: Made if it does not exist. The lock is a file in it, which stays.
        refusal (str): The sentence of the error.
        run (str, optional): What the processes of one run have in common, and those of no other
            run; they use the folder together. Defaults to None: this process is alone.
        name (str): The file of the lock.

    Raises:
        RuntimeError: If another process, which is not of the same run, uses it.
        OSError: If the folder cannot be made, written to or locked.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not emptied: that is for the process which holds the lock.
        file = (folder / name).open('a+')
    except OSError as error:
        raise OSError(f'The folder {folder} cannot be written to: {error.strerror}.') from error
    # A data worker that outlives a kill of this process must not keep the folder.
    os.register_at_fork(after_in_child=file.close)
    # The lock is gone with the process, however it ends.
    with file:
        if not (_take(file, fcntl.LOCK_EX) if run is None else _join(file, run)):
            raise RuntimeError(refusal)
        try:
            yield
        finally:
            # A child that was forked just now may not have let go of it yet.
            fcntl.flock(file, fcntl.LOCK_UN)


def _take(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(
            f'{file.name} cannot be locked ({error.strerror}): choose a folder on a disk that has '
            'locks.'
        ) from error
    return True


def _join(file: TextIO, run: str) -> bool:
    """Share a lock with the processes of the same run; tell whether that is possible.

    Whoever finds the lock free writes its run into the file. While anybody shares the lock, nobody
    can have it alone and write, so all who share it have read the same.
    """
    for _ in range(_ATTEMPTS):
        if _take(file, fcntl.LOCK_EX):
            file.truncate(0)
            file.write(run)
            file.flush()
        # It may be lost in between to another process that tries the same.
        if _take(file, fcntl.LOCK_SH):
            file.seek(0)
            return file.read() == run
        time.sleep(_PAUSE)
    return False
