"""The error class for unreadable files."""

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: 'a folder',
    stat.S_IFIFO: 'a pipe',
    stat.S_IFSOCK: 'a socket',
    stat.S_IFCHR: 'a device',
    stat.S_IFBLK: 'a device',
}


class UnreadableFileError(OSError):
    """A media file that cannot be read: absent, of another kind, damaged, cut off or too large.

    Loading transforms raise this error to tell :class:`~spact_mm.datasets.ReproducibleDataset` that
    a sample is bad and may be replaced. A user's own loading transform has to raise it too.
    """


def check_regular(path: str | os.PathLike) -> int:
    """Refuse a path that is no plain file: opening a pipe would wait for its writer forever.

    Args:
        path: A local path; links are followed.

    Returns:
        int: Size of the file in bytes.

    Raises:
        UnreadableFileError: If the path is absent, inaccessible, a folder, a pipe, a socket or a
            device.
    """
    try:
        state = os.stat(path)
    except FileNotFoundError:
        raise UnreadableFileError(f'There is no file {path}.') from None
    except (OSError, ValueError) as error:
        # A ValueError means a name that no file system allows.
        reason = getattr(error, 'strerror', None) or error
        raise UnreadableFileError(f'{path} cannot be opened ({reason}).') from error
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), 'something else')
        raise UnreadableFileError(f'{path} is {kind} instead of a file.')
    return state.st_size


def check_list_file(path: str | os.PathLike, what: str = 'annotation file') -> None:
    """Refuse an annotation file that is no plain file, with the remedy.

    Args:
        path: A local path.
        what (str): Name of the kind of file in the message.

    Raises:
        FileNotFoundError: If it is absent.
        ValueError: If the path is a folder, a pipe, a socket, a device or inaccessible.
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(
            f'The {what} {path} does not exist; write it with the converter in tools/data/ or '
            'correct its path.'
        )
    try:
        check_regular(path)
    except UnreadableFileError as error:
        raise ValueError(f'The {what} {Path(path)} is no file ({error}); correct its path.') from (
            error
        )
