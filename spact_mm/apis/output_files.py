"""Outputs that appear when they are whole, and their fingerprints."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np

from ..files import partial_path

#: Names of the frames in a folder of them.
_FRAME = re.compile(r'\d{6,}\.png')
#: Names of outputs that are not whole yet, and of old outputs that are not removed yet.
_PARTIAL = re.compile(r'\.(.+)\.(\d+)\.(?:part|old)', re.DOTALL)
_CHUNK = 1 << 20


def frame_name(index: int) -> str:
    """Return the name of a frame in a folder of frames."""
    return f'{index:06d}.png'


@contextmanager
def whole_or_none(output: Path) -> Iterator[Path]:
    """Let a file or folder be written under a partial name, and rename it once it is whole.

    If the block fails, the partial output is removed. An existing file is replaced, and so is a
    folder that holds only frames.

    Raises:
        OSError: If the output cannot be written or renamed.
    """
    partial = partial_path(output)
    old = partial.with_suffix('.old')
    # A partial output may remain of an ended process with the same id.
    _remove(partial)
    _remove(old)
    try:
        yield partial
        with named_errors(output):
            _synchronize(partial)
            # A file never takes the place of a folder.
            if partial.is_dir() and output.is_dir() and not output.is_symlink():
                _check_frames(output)
                # The old frames are removed under another name, so that a kill leaves no half of
                # them under the output's name.
                output.rename(old)
            partial.replace(output)
            _remove(old)
    except BaseException:
        _remove(partial)
        raise


def remove_leftovers(outputs: Iterable[Path], is_alone: bool = False) -> None:
    """Remove partial outputs of ended processes; outputs of running processes stay.

    Args:
        outputs (Iterable[Path]): Files and folders, which need not exist.
        is_alone (bool): Whether no other process, of whatever machine, makes these outputs, so
            that all are of ended ones. Defaults to False.
    """
    folders: dict[Path, set[str]] = {}
    for output in outputs:
        folders.setdefault(output.parent, set()).add(output.name)
    for folder, names in folders.items():
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            match = _PARTIAL.fullmatch(path.name)
            if match and match[1] in names and (is_alone or not is_alive(int(match[2]))):
                _remove(path)


def is_alive(process: int) -> bool:
    """Tell whether another process of this machine has this id."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def fingerprint(path: Path) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a file, or of all files in a folder.

    Raises:
        OSError: If the output does not exist or cannot be read.
    """
    if not path.is_dir():
        return _digest(path)
    total, whole = 0, hashlib.sha256()
    for entry in sorted(path.rglob('*')):
        size, digest = _digest(entry) if entry.is_file() else (0, '')
        total += size
        whole.update(f'{entry.relative_to(path).as_posix()}\0{digest}\n'.encode(errors='replace'))
    return total, whole.hexdigest()


def check_video(path: Path, output: Path, frames: int) -> None:
    """Read a whole video that was just written.

    Args:
        path (Path): The file.
        output (Path): The final name, for errors.
        frames (int): The required number of frames.

    Raises:
        OSError: If frames are missing.
    """
    found = 0
    try:
        with av.open(address(path)) as container:
            container.streams.video[0].thread_type = 'AUTO'
            for _ in container.decode(video=0):
                found += 1
    except av.FFmpegError as error:
        raise OSError(
            f'{output} cannot be read back after {found} of {frames} frames ({error.strerror}): '
            'see whether the disk is sound, and do it again.'
        ) from error
    if found != frames:
        raise OSError(
            f'{output} has {found} frames where {frames} were written: see whether the disk is '
            'sound, and do it again.'
        )


def write_image(frame: np.ndarray, path: Path) -> None:
    """Write RGB uint8 (H, W, 3) as PNG, and read it back.

    Raises:
        OSError: If the read picture differs from the written one.
    """
    _, data = cv2.imencode('.png', frame[..., ::-1])
    path.write_bytes(data.tobytes())
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if found is None or not np.array_equal(found[..., ::-1], frame):
        raise OSError('it cannot be read back: see whether the disk is sound')


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn errors into one sentence that names the output."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        full = error.errno == errno.ENOSPC
        reason = 'the disk is full' if full else error.strerror or str(error)
        raise OSError(f'{path} cannot be written: {reason}.') from error


def address(path: Path) -> str:
    """Return a path as an address for FFmpeg."""
    # Without ``file:`` FFmpeg would take the part of a name before a colon as a scheme.
    return f'file:{path}'


def _digest(path: Path) -> tuple[int, str]:
    total, digest = 0, hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK):
            total += len(chunk)
            digest.update(chunk)
    return total, digest.hexdigest()


def _synchronize(path: Path) -> None:
    """Flush a file, or the files of a folder, to the disk: a power cut may leave only a name."""
    for entry in path.iterdir() if path.is_dir() else [path]:
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_frames(folder: Path) -> None:
    foreign = [entry.name for entry in folder.iterdir() if not _FRAME.fullmatch(entry.name)]
    if foreign:
        raise FileExistsError(errno.EEXIST, f'there is {foreign[0]} in it, which is no frame')


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
