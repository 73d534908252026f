"""Frames of a video by their index: decord where its frames are right, PyAV for the rest."""

import logging
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import av
import decord
import numpy as np
from mmengine.logging import print_log

from .colour import to_rgb
from .media_probe import (
    MAX_PIXELS,
    VideoFacts,
    open_container,
    probe_video,
    read_stamps,
    video_streams,
)
from .orientation import UPRIGHT, find_orientation, turn_upright
from .unreadable import UnreadableFileError

#: What decord raises; neither is a standard error.
DECORD_ERRORS = (decord.DECORDError, decord.DECORDLimitReachedError)
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
    return facts.format == 'avi' or _orientation(path, os.stat(path).st_mtime_ns) == UPRIGHT


class DecordReader(decord.VideoReader):
    """decord's reader; what it cannot decode is read by PyAV, whose errors name the file.

    Args:
        path (str): The file.
        num_threads (int): Decoding threads.
        max_pixels (int): As of :func:`open_video`.

    Raises:
        UnreadableFileError: If decord cannot open it.
    """

    def __init__(self, path: str, num_threads: int, max_pixels: int = MAX_PIXELS) -> None:
        self._path, self._options = path, (num_threads, max_pixels)
        try:
            super().__init__(f'file:{path}' if ':' in path else path, num_threads=num_threads)
        except (RuntimeError, *DECORD_ERRORS) as error:
            raise UnreadableFileError(f'The video {path} is damaged or no video.') from error

    def read_by_decord(self, indices: Sequence[int]) -> np.ndarray:
        """Return frames (T, H, W, 3), RGB uint8, or raise what decord raises."""
        return super().get_batch(indices).asnumpy()

    def get_batch(self, indices: Sequence[int]):
        """Return frames (T, H, W, 3), RGB uint8, as decord's array or :class:`Frames`.

        Raises:
            UnreadableFileError: If one cannot be decoded.
        """
        try:
            return super().get_batch(indices)
        except DECORD_ERRORS:
            # It gives up at a damaged packet, also where the frames asked for are whole.
            facts = probe_video(self._path)
            return PyAVReader(self._path, facts, *self._options).get_batch(indices)

    def next(self):
        """Return the next frame (H, W, 3), RGB uint8, as decord's array.

        Raises:
            UnreadableFileError: If it cannot be decoded.
        """
        try:
            return super().next()
        except DECORD_ERRORS as error:
            raise UnreadableFileError(
                f'A frame of the video {self._path} cannot be decoded.'
            ) from error


class Frames:
    """Decoded frames with the little of decord's array that loading transforms use.

    Args:
        array (np.ndarray): (T, H, W, 3), or one frame (H, W, 3); RGB uint8.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def asnumpy(self) -> np.ndarray:
        """Return the array."""
        return self._array


class PyAVReader:
    """Frames by their index, upright, with the interface of :class:`decord.VideoReader`.

    Where the times of all frames are known, it decodes from the last whole picture before the frame
    asked for. Of an AVI, which has none, all frames are decoded once to find out which ones are
    whole pictures. Of others without times it decodes from the beginning.

    Args:
        path (str): The file.
        facts (VideoFacts): What :func:`~.media_probe.probe_video` says of it.
        num_threads (int): Decoding threads.
        max_pixels (int): Larger frames are refused.

    Raises:
        UnreadableFileError: If it has no frame that can be decoded.
    """

    def __init__(self, path: str, facts: VideoFacts, num_threads: int, max_pixels: int) -> None:
        stamps, key_stamps = read_stamps(path)
        facts = replace(facts, stamps=stamps, key_stamps=key_stamps)
        self._path, self._facts = path, facts
        self._num_threads, self._max_pixels = num_threads, max_pixels
        self._next = 0
        time = os.stat(path).st_mtime_ns
        self._orientation = _orientation(path, time)
        self._key_frames: tuple[tuple[int, int], ...] = ()
        self._length = len(facts.stamps)
        if not self._length:
            self._length, self._key_frames = _index_frames(path, time)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Frames:
        return Frames(self._read([self._checked(index)])[0])

    def get_avg_fps(self) -> float:
        """Return the frames per second."""
        return self._facts.rate

    def seek(self, index: int) -> None:
        """Choose the frame that :meth:`next` returns."""
        self._next = self._checked(index)

    seek_accurate = seek

    def next(self) -> Frames:
        """Return the next frame (H, W, 3).

        Raises:
            StopIteration: After the last.
        """
        if self._next >= self._length:
            raise StopIteration
        self._next += 1
        return self[self._next - 1]

    def get_batch(self, indices: Sequence[int]) -> Frames:
        """Return frames (T, H, W, 3), RGB uint8.

        Raises:
            IndexError: If there is no such frame.
            UnreadableFileError: If one cannot be decoded.
        """
        return Frames(np.stack(self._read([self._checked(int(index)) for index in indices])))

    def _checked(self, index: int) -> int:
        if not -self._length <= index < self._length:
            raise IndexError(f'The video {self._path} has {self._length} frames, no frame {index}.')
        return index % self._length

    def _read(self, indices: list[int]) -> list[np.ndarray]:
        wanted = sorted(set(indices))
        found = {}
        try:
            with open_container(self._path) as container:
                stream = video_streams(container)[0]
                stream.codec_context.thread_count = self._num_threads
                by_time = len(self._facts.stamps) > 0
                pick = self._pick_by_time if by_time else self._pick_by_count
                for index, frame in pick(container, stream, wanted):
                    found[index] = self._convert(frame, stream.codec_context)
        except av.FFmpegError as error:
            raise UnreadableFileError(
                f'A frame of the video {self._path} cannot be decoded ({error.strerror}).'
            ) from error
        missing = next((index for index in wanted if index not in found), None)
        if missing is not None:
            raise UnreadableFileError(
                f'Frame {missing} of the video {self._path} cannot be decoded.'
            )
        return [found[index] for index in indices]

    def _pick_by_count(self, container, stream, wanted: list[int]) -> Iterator:
        for (start, time), group in self._group_by_key(wanted):
            if time is not None and not _enter(container, stream, time):
                # The container has another index than its packets.
                self._key_frames = ()
                container.seek(0, backward=True)
                yield from self._pick_by_count(container, stream, wanted)
                return
            chosen, index = set(group), start - 1
            for frame in decode_tolerantly(container, stream):
                # What is shown before the whole picture belongs to the part before.
                if time is not None and index < start and not frame.key_frame:
                    continue
                index += 1
                if index in chosen:
                    yield index, frame
                if index >= group[-1]:
                    break

    def _group_by_key(self, wanted: list[int]) -> list[tuple[tuple[int, int | None], list[int]]]:
        """Return indices by the last whole picture, its index and time, from which they come."""
        groups: dict[tuple[int, int | None], list[int]] = {}
        for index in wanted:
            place = bisect_right(self._key_frames, index, key=lambda key: key[0])
            key = self._key_frames[place - 1] if place else (0, None)
            groups.setdefault(key, []).append(index)
        return list(groups.items())

    def _pick_by_time(self, container, stream, wanted: list[int]) -> Iterator:
        stamps, keys = self._facts.stamps, self._facts.key_stamps
        position = 0
        while position < len(wanted):
            target = stamps[wanted[position]]
            key = keys[np.searchsorted(keys, target, 'right') - 1]
            container.seek(int(key), stream=stream)
            began = position
            for frame in decode_tolerantly(container, stream):
                if frame.pts is None or frame.pts < target:
                    continue
                if frame.pts > target:
                    break
                yield wanted[position], frame
                position += 1
                if position == len(wanted):
                    return
                target = stamps[wanted[position]]
                if keys[np.searchsorted(keys, target, 'right') - 1] > max(key, frame.pts):
                    break
            if position == began:
                # The container could not be entered there, or the frame is not in it.
                yield from self._pick_from_start(container, stream, wanted[position:])
                return

    def _pick_from_start(self, container, stream, wanted: list[int]) -> Iterator:
        container.seek(0, backward=True)
        index_of = {int(self._facts.stamps[index]): index for index in wanted}
        for frame in decode_tolerantly(container, stream):
            if frame.pts in index_of:
                yield index_of[frame.pts], frame

    def _convert(self, frame: av.VideoFrame, context) -> np.ndarray:
        if frame.width * frame.height > self._max_pixels:
            raise UnreadableFileError(
                f'The video {self._path} has {frame.width} x {frame.height} pixels, more than '
                f'max_pixels = {self._max_pixels:,}.'
            )
        # A video may change its size on the way; a clip has one.
        size = self._facts.height, self._facts.width
        picture = to_rgb(frame, self._path, size if all(size) else None)
        return turn_upright(picture, self._orientation)


def decode_tolerantly(container, stream) -> Iterator[av.VideoFrame]:
    """Yield the frames of a stream from where the container stands, without damaged packets."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except (StopIteration, av.EOFError):
            return
        except av.FFmpegError:
            continue


@lru_cache(maxsize=100_000)
def _orientation(path: str, _time: int) -> tuple[bool, bool, bool]:
    """Return how the frames of a video are turned, as its first one says."""
    try:
        with open_container(path) as container:
            stream = video_streams(container)[0]
            stream.thread_type = 'NONE'
            frame = next(decode_tolerantly(container, stream), None)
    except av.FFmpegError as error:
        raise UnreadableFileError(
            f'The video {path} cannot be decoded ({error.strerror}).'
        ) from error
    if frame is None:
        raise UnreadableFileError(
            f'The video {path} has no frame that can be decoded: it is damaged.'
        )
    return find_orientation(frame)


def _enter(container, stream, time: int) -> bool:
    """Seek a packet by its time of decoding; return whether it is there."""
    container.seek(time, stream=stream)
    packet = next(container.demux(stream), None)
    container.seek(time, stream=stream)
    return packet is not None and packet.dts == time


@lru_cache(maxsize=1_000)
def _index_frames(path: str, _time: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Decode a video without times of showing.

    Returns:
        tuple: How many frames there are, and of each whole picture its index and the time of its
        packet; none where a container cannot be entered by that, or they are not as many.
    """
    times, indices, count = [], [], 0
    try:
        with open_container(path) as container:
            stream = video_streams(container)[0]
            for packet in container.demux(stream):
                if packet.is_keyframe and packet.size and packet.dts is not None:
                    times.append(packet.dts)
                try:
                    frames = packet.decode()
                except av.EOFError:
                    break
                except av.FFmpegError:
                    continue
                for frame in frames:
                    if frame.key_frame:
                        indices.append(count)
                    count += 1
            can_enter = container.format.name == 'avi' and len(times) == len(indices)
    except av.FFmpegError as error:
        raise UnreadableFileError(
            f'The video {path} cannot be decoded ({error.strerror}).'
        ) from error
    return count, tuple(zip(indices, times, strict=True)) if can_enter else ()
