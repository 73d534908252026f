"""Files that are whole or absent, and folders that one process uses at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(path: str | os.PathLike) -> Path:
    """Return the hidden name, this process's own, that a file has until it is whole."""
    path = Path(path)
    return path.with_name(f'.{path.name}.{os.getpid()}.part')


def write_whole(path: str | os.PathLike, data: bytes | str) -> None:
    """Write a file under a name of this process, then put it in its place.

    After a kill or a power cut at any time the file is the old one or the new one, never a half.

    Args:
        path: The file to create or replace; its folder is made.
        data (bytes | str): The whole contents; a text is written as UTF-8.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        with open(partial, 'wb') as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            # Without it a power cut may leave the new name with no contents.
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            # A full disk does not say of which file.
            error.filename = os.fspath(path)
        raise


@contextmanager
def lock_folder(folder: str | os.PathLike, refusal: str) -> Iterator[None]:
    """Keep a folder from being used by two processes at a time.

    Args:
        folder: Made if it does not exist. The lock is the file ``.lock`` in it, which stays.
        refusal (str): The sentence of the error.

    Raises:
        RuntimeError: If another process uses it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('w') as file:
        # A data worker that outlives a kill of this process must not keep the folder.
        os.register_at_fork(after_in_child=file.close)
        try:
            # Gone with the process, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(refusal) from None
        yield
