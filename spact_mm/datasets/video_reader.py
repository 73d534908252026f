"""Frames of a video by index: by decord where its frames are right, else by PyAV."""

import logging
import os
from collections.abc import Sequence
from functools import lru_cache

import av
import numpy as np
from mmengine.logging import print_log

from ..media.colour import to_rgb
from ..media.media_probe import (
    MAX_PIXELS,
    VideoFacts,
    open_container,
    probe_video,
    read_stamps,
    video_streams,
)
from ..media.orientation import UPRIGHT
from ..media.unreadable import UnreadableFileError
from .decord_reader import DECORD_ERRORS, DecordReader
from .pyav_reader import PyAVReader, decode_tolerantly, orientation_of

#: Containers in which decord finds the requested frame.
_DECORD_FORMATS = {'avi', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2'}
_DECORD_CODECS = {'h264', 'hevc', 'mpeg4', 'mjpeg', 'vp8', 'vp9', 'msmpeg4v3', 'mpeg2video'}
#: Bound on the frames of an AVI in which decord is compared with PyAV: PyAV can only count an AVI's
#: frames from the beginning.
_MAX_COMPARED = 128
#: Allowed rounding difference between two versions of FFmpeg, in 255 levels: largest and mean.
_MAX_ROUNDING, _MEAN_ROUNDING = 8, 0.1
#: Videos of this process that PyAV reads.
_by_pyav: set[str] = set()


def open_video(
    path: str | os.PathLike, num_threads: int = 1, max_pixels: int = MAX_PIXELS
) -> 'DecordReader | PyAVReader':
    """Open a video for reading upright frames by their index in order of presentation.

    A file that ends before its stated length is refused: the rest is another video. Durations may
    differ by a tenth and two frames; sizes in a container's header must be exact.

    When a process first opens a video, some of decord's frames are compared with PyAV's. The number
    of videos that PyAV reads is logged at the first, the tenth, the hundredth and so on.

    Args:
        path: The file.
        num_threads (int): Decoding threads. Defaults to 1.
        max_pixels (int): Frames with more pixels are refused before they are decoded.

    Returns:
        DecordReader | PyAVReader: Both have the interface of :class:`decord.VideoReader`.

    Raises:
        UnreadableFileError: If the file is no video, truncated, without a frame or too large.
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
    """Return whether decord gives the same frames of a video as a player, in the same colours.

    Args:
        path: The file.
        max_pixels (int): As for :func:`open_video`.

    Raises:
        UnreadableFileError: If the file cannot be read at all.
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
        # One of both has failed; PyAV will name the frame if it is requested.
        return False
    if found.shape != expected.shape:
        return False
    change = np.abs(found.astype(np.int16) - expected)
    return bool(change.max() <= _MAX_ROUNDING and change.mean((1, 2, 3)).max() <= _MEAN_ROUNDING)


def _choose_indices(path: str, total: int) -> list[int]:
    """Return frames around a key frame in the middle, the second and the last frame."""
    stamps, keys = read_stamps(path)
    places = np.searchsorted(stamps, keys) if len(stamps) else np.zeros(0, int)
    places = places[(places > 1) & (places < total - 1)]
    middle = int(places[len(places) // 2]) if len(places) else total // 2
    chosen = {min(1, total - 1), max(0, middle - 1), min(middle + 1, total - 1), total - 1}
    # In reverse order, so that decord has to seek.
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
    """Return whether decord counts and finds the frames of such a file as a player does.

    decord counts frames that an edit list hides. In AVI it takes the order of storage as the order
    of presentation. It seeks wrongly in broadcast streams that do not begin at zero and in open
    groups of pictures. It reads some narrow frames as four channels.
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
    # AVI stores no orientation, so no frame needs to be decoded.
    return facts.format == 'avi' or orientation_of(path, os.stat(path).st_mtime_ns) == UPRIGHT
