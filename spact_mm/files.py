"""Writing files whole or not at all, and locking folders for one process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

#: Number of attempts, and seconds between them, to take a lock that another process may be taking.
_ATTEMPTS, _PAUSE = 50, 0.02


def partial_path(path: str | os.PathLike) -> Path:
    """Return the hidden name, with this process's id, of a file that is not whole yet."""
    path = Path(path)
    return path.with_name(f'.{path.name}.{os.getpid()}.part')


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Let a file be written under a hidden name of this process, then rename it.

    Args:
        path: The file to create or replace; its folder is made. If the block fails, an old file
            stays.
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
    """Write a file; after a kill or a power cut at any time the old or the whole new file exists.

    Args:
        path: The file to create or replace; its folder is made.
        data (bytes | str): The whole contents; a text is written as UTF-8.
    """
    try:
        with replacing(path) as partial, open(partial, 'wb') as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            # Without fsync a power cut may leave the new name without contents.
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno is not None and error.filename is None:
            # The error of a full disk does not name the file.
            error.filename = os.fspath(path)
        raise


@contextmanager
def lock_folder(
    folder: str | os.PathLike, refusal: str, run: str | None = None, name: str = '.lock'
) -> Iterator[None]:
    """Lock a folder for one process, or for one run of several processes.

    Args:
        folder: The folder; made if it does not exist. The lock is a file in it, which is not
            removed.
        refusal (str): The message of the error.
        run (str, optional): Identity of the run: processes with the same one use the folder
            together. Defaults to None: this process is alone.
        name (str): Name of the lock file.

    Raises:
        RuntimeError: If a process of another run uses the folder.
        OSError: If the folder cannot be made, written to or locked.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Opened without truncation: only the process that holds the lock may empty the file.
        file = (folder / name).open('a+')
    except OSError as error:
        raise OSError(f'The folder {folder} cannot be written to: {error.strerror}.') from error
    # A data worker that outlives a kill of this process must not keep the lock.
    os.register_at_fork(after_in_child=file.close)
    # The lock ends with the process in every case.
    with file:
        if not (_take(file, fcntl.LOCK_EX) if run is None else _join(file, run)):
            raise RuntimeError(refusal)
        try:
            yield
        finally:
            # A child that was just forked may not have closed the file yet.
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
    """Share a lock with the processes of the same run; return whether this succeeds.

    A process that takes the exclusive lock writes its run into the file. While processes share the
    lock, none can take it exclusively and write, so all of them have read the same run.
    """
    for _ in range(_ATTEMPTS):
        if _take(file, fcntl.LOCK_EX):
            file.truncate(0)
            file.write(run)
            file.flush()
        # Another process may take the lock in between.
        if _take(file, fcntl.LOCK_SH):
            file.seek(0)
            return file.read() == run
        time.sleep(_PAUSE)
    return False
