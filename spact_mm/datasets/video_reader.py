"""Frames of a video by their index: decord where its frames are right, PyAV for the rest."""

import logging
import os
from collections.abc import Sequence
from functools import lru_cache

import av
import numpy as np
from mmengine.logging import print_log

from .colour import to_rgb
from .decord_reader import DECORD_ERRORS, DecordReader
from .media_probe import (
    MAX_PIXELS,
    VideoFacts,
    open_container,
    probe_video,
    read_stamps,
    video_streams,
)
from .orientation import UPRIGHT
from .pyav_reader import PyAVReader, decode_tolerantly, orientation_of
from .unreadable import UnreadableFileError

#: Where decord gives the frame that is asked for.
_DECORD_FORMATS = {'avi', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2'}
_DECORD_CODECS = {'h264', 'hevc', 'mpeg4', 'mjpeg', 'vp8', 'vp9', 'msmpeg4v3', 'mpeg2video'}
#: Where its frames are compared with PyAV's: of an AVI, whose frames PyAV can only count from the
#: beginning, none beyond so many.
_MAX_COMPARED = 128
#: By how much two versions of FFmpeg may round differently, of 255: anywhere, and on average.
_MAX_ROUNDING, _MEAN_ROUNDING = 8, 0.1
#: Videos of this process that PyAV reads.
_by_pyav: set[str] = set()


def open_video(
    path: str | os.PathLike, num_threads: int = 1, max_pixels: int = MAX_PIXELS
) -> 'DecordReader | PyAVReader':
    """Open a video for frames by their index, upright, in the order in which they are shown.

    A file that ends before the length it states is refused: what is left of it is another video.
    Durations may be off by a tenth and two frames; sizes in a container's header may not.

    The first time in a process, some of decord's frames are compared with PyAV's. How many videos
    PyAV reads is logged at the first one, the tenth, the hundredth and so on.

    Args:
        path: The file.
        num_threads (int): Decoding threads. Defaults to 1.
        max_pixels (int): Larger frames are refused before one is decoded.

    Returns:
        DecordReader | PyAVReader: Both have the interface of :class:`decord.VideoReader`.

    Raises:
        UnreadableFileError: If it is no video, cut off, without a frame or too large.
    """
    path = os.fspath(path)
    facts = probe_video(path)
    if facts.truncation:
        raise UnreadableFileError(f'The video {path} is cut off: {facts.truncation}.')
    if facts.width * facts.height > max_pixels:
        raise UnreadableFileError(
            f'The video {path} has {facts.width} x {facts.height} pixels, more than max_pixels = '
            f'{max_pixels:,}.'
        )
    if is_right_in_decord(path, max_pixels):
        return DecordReader(path, num_threads, max_pixels)
    _count_pyav(path)
    return PyAVReader(path, facts, num_threads, max_pixels)


def is_right_in_decord(path: str | os.PathLike, max_pixels: int = MAX_PIXELS) -> bool:
    """Return whether decord gives the frames of a video that a player shows, in its colours.

    Args:
        path: The file.
        max_pixels (int): As of :func:`open_video`.

    Raises:
        UnreadableFileError: If it cannot be read at all.
    """
    path = os.fspath(path)
    facts = probe_video(path)
    if not _is_for_decord(facts) or not _is_upright(path, facts):
        return False
    state = os.stat(path)
    return _agrees(path, max_pixels, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _agrees(path: str, max_pixels: int, _num_bytes: int, _time: int) -> bool:
    """Compare some of decord's frames with PyAV's."""
    facts = probe_video(path)
    try:
        reader = DecordReader(path, 1, max_pixels)
        total = len(reader)
        if total != facts.num_packets:
            return False
        is_counted = facts.format == 'avi'
        indices = _choose_indices(path, min(total, _MAX_COMPARED) if is_counted else total)
        found = reader.read_by_decord(indices)
        if is_counted:
            expected = _read_from_start(path, indices, max_pixels)
        else:
            expected = PyAVReader(path, facts, 1, max_pixels).get_batch(indices).asnumpy()
    except (IndexError, UnreadableFileError, av.FFmpegError, *DECORD_ERRORS):
        # Of one of both; PyAV says which frame it is where that is asked for.
        return False
    if found.shape != expected.shape:
        return False
    change = np.abs(found.astype(np.int16) - expected)
    return bool(change.max() <= _MAX_ROUNDING and change.mean((1, 2, 3)).max() <= _MEAN_ROUNDING)


def _choose_indices(path: str, total: int) -> list[int]:
    """Return frames around a whole picture in the middle, the second and the last one."""
    stamps, keys = read_stamps(path)
    places = np.searchsorted(stamps, keys) if len(stamps) else np.zeros(0, int)
    places = places[(places > 1) & (places < total - 1)]
    middle = int(places[len(places) // 2]) if len(places) else total // 2
    chosen = {min(1, total - 1), max(0, middle - 1), min(middle + 1, total - 1), total - 1}
    # Backwards, so that decord has to seek.
    return sorted(chosen, reverse=True)


def _read_from_start(path: str, indices: Sequence[int], max_pixels: int) -> np.ndarray:
    wanted, found = set(indices), {}
    with open_container(path, max_pixels) as container:
        frames = decode_tolerantly(container, video_streams(container)[0])
        for index, frame in enumerate(frames):
            if index in wanted:
                found[index] = to_rgb(frame, path)
            if len(found) == len(wanted):
                break
    return np.stack([found[index] for index in indices if index in found])


def _count_pyav(path: str) -> None:
    if path in _by_pyav:
        return
    _by_pyav.add(path)
    count = len(_by_pyav)
    if set(str(count)[1:]) <= {'0'} and str(count)[0] == '1':
        print_log(
            f'{count} video{"s" if count > 1 else ""} so far {"are" if count > 1 else "is"} read '
            f'by PyAV, as decord does not give the frames that a player shows; the last is {path}.',
            logger='current',
            level=logging.INFO,
        )


def _is_for_decord(facts: VideoFacts) -> bool:
    """Return whether decord counts and finds the frames of such a file as a player shows them.

    It counts what an edit list hides, takes the order of storage for that of showing in AVI, seeks
    wrongly where a stream of a broadcast does not begin at zero or frames lead a whole picture
    (open groups of pictures), and takes some narrow frames for those of four channels.
    """
    return (
        facts.format in _DECORD_FORMATS
        and facts.codec in _DECORD_CODECS
        and facts.num_streams == 1
        and facts.num_hidden == 0
        and not facts.has_open_gops
        and facts.width >= 64
        and not (facts.format == 'avi' and facts.has_b_frames)
    )


def _is_upright(path: str, facts: VideoFacts) -> bool:
    # AVI cannot say otherwise, and a picture need not be decoded.
    return facts.format == 'avi' or orientation_of(path, os.stat(path).st_mtime_ns) == UPRIGHT
