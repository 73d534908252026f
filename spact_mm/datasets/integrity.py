"""Broken videos and images: what is wrong with a file, and which of many are."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import cv2
from PIL import Image

from ..media.media_probe import probe_video
from ..media.unreadable import UnreadableFileError, check_regular
from ..process_pool import make_pool
from ..progress import Progress
from .video_reader import is_right_in_decord, open_video

CHECKS = ('none', 'header', 'decode')
#: Result for a video that is not broken but that PyAV must read, as decord would show other frames.
_BY_PYAV = ''


def check_video(path: str | os.PathLike, check: str = 'header') -> str | None:
    """Return the flaw of a video.

    Args:
        path: A video that exists.
        check: ``'none'`` looks at the file size only; ``'header'`` also compares the length stated
            by the container with the file's, as the training's reader does, and opens the video;
            ``'decode'`` also decodes the first, the middle and the last frame.

    Returns:
        str | None: The reason why the video is unusable, or None.
    """
    try:
        if check_regular(path) == 0:
            return 'the file is empty'
        if check == 'none':
            return None
        facts = probe_video(path)
        if facts.truncation:
            return facts.truncation
        reader = open_video(path)
        if check == 'decode':
            for index in sorted({0, len(reader) // 2, len(reader) - 1}):
                reader[index]
    except (UnreadableFileError, IndexError) as error:
        return _first_line(error)
    return None


def check_image(path: str | os.PathLike, check: str = 'header') -> str | None:
    """Return the flaw of an image; any number of channels is allowed.

    Args:
        path: An image that exists.
        check: ``'none'`` looks at the file size only; ``'header'`` also reads the signature and
            the image size; ``'decode'`` also decodes all pixels.

    Returns:
        str | None: The reason why the image is unusable, or None.
    """
    try:
        if check_regular(path) == 0:
            return 'the file is empty'
    except UnreadableFileError as error:
        return _first_line(error)
    if check == 'none':
        return None
    try:
        with Image.open(path) as image:
            if check == 'decode':
                # OpenCV pads a truncated JPEG with grey without an error; Pillow refuses it.
                image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f'Pillow: {_first_line(error)}'
    if check == 'decode' and cv2.imread(os.fspath(path), cv2.IMREAD_COLOR) is None:
        return 'OpenCV cannot decode the image'
    return None


def find_broken(
    root: str | os.PathLike,
    names: Sequence[str],
    inspect: Callable[[Path, str], str | None],
    check: str,
    num_workers: int,
) -> dict[str, str]:
    """Inspect files in several processes, with a progress bar.

    A file on which the decoder itself crashes is reported like any other broken one:
    :func:`mmengine.utils.track_parallel_progress` would wait for its worker forever.

    The number of videos that PyAV must read, as decord would show other frames, is printed.

    Args:
        root: The folder that ``names`` are relative to.
        names: The files, which exist.
        inspect: :func:`check_video` or :func:`check_image`.
        check: One of :data:`CHECKS`.
        num_workers: Number of processes.

    Returns:
        dict[str, str]: The reason for each broken file.
    """
    paths = {Path(root, name): name for name in names}
    found = inspect_files(list(paths), partial(_inspect, inspect, check), num_workers)
    count = sum(reason == _BY_PYAV for reason in found.values())
    if count:
        print(
            f'  {count:,} of {len(names):,} videos will be read by PyAV, as decord does not give '
            'the frames that a player shows'
        )
    return {paths[path]: reason for path, reason in found.items() if reason != _BY_PYAV}


def _inspect(inspect: Callable[[Path, str], str | None], check: str, path: Path) -> str | None:
    reason = inspect(path, check)
    if reason is None and inspect is check_video and check != 'none':
        return None if is_right_in_decord(path) else _BY_PYAV
    return reason


def inspect_files(
    paths: Sequence[Path], inspect: Callable[[Path], str | None], num_workers: int
) -> dict[Path, str]:
    """Inspect files by any function, as :func:`find_broken` does.

    Args:
        paths (Sequence[Path]): The files.
        inspect (Callable): Function that returns a reason or None; picklable.
        num_workers (int): Number of processes.

    Returns:
        dict[Path, str]: The reason for each file with a flaw.
    """
    broken = {}
    batch_size = 16 * num_workers
    bar = Progress(len(paths))
    pool = make_pool(num_workers, [__name__], _silence_decoders)
    for start in range(0, len(paths), batch_size):
        batch = paths[start : start + batch_size]
        try:
            reasons = list(pool.map(inspect, batch))
        except BrokenProcessPool:
            pool.shutdown()
            reasons = [_inspect_alone(inspect, path) for path in batch]
            pool = make_pool(num_workers, [__name__], _silence_decoders)
        for path, reason in zip(batch, reasons, strict=True):
            if reason is not None:
                broken[path] = reason
        bar.update(len(batch))
    pool.shutdown()
    bar.finish()
    return broken


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _silence_decoders() -> None:
    """Close the worker's stderr: FFmpeg and libjpeg write to it directly, over the progress bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _inspect_alone(inspect: Callable[[Path], str | None], path: Path) -> str | None:
    with make_pool(1, [__name__], _silence_decoders) as pool:
        try:
            return pool.submit(inspect, path).result()
        except BrokenProcessPool:
            return 'the decoder crashed on it'
