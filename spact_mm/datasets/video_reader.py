"""Frames of a video by their index: decord where its frames are right, PyAV for the rest."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import av
import decord
import numpy as np

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


def open_video(
    path: str | os.PathLike, num_threads: int = 1, max_pixels: int = MAX_PIXELS
) -> 'DecordReader | PyAVReader':
    """Open a video for frames by their index, upright, in the order in which they are shown.

    A file that ends before the length it states is refused: what is left of it is another video.
    Durations may be off by a tenth and two frames; sizes in a container's header may not.

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
    if _is_for_decord(facts) and _is_upright(path, facts):
        reader = DecordReader(path, num_threads)
        if len(reader) == facts.num_packets:
            return reader
    return PyAVReader(path, facts, num_threads, max_pixels)


def _is_for_decord(facts: VideoFacts) -> bool:
    """Return whether decord counts and finds the frames of such a file as a player shows them.

    It counts what an edit list hides, takes the order of storage for that of showing in AVI, and
    seeks wrongly where a stream of a broadcast does not begin at zero, and takes some narrow frames
    for those of four channels.
    """
    return (
        facts.format in _DECORD_FORMATS
        and facts.codec in _DECORD_CODECS
        and facts.num_streams == 1
        and facts.num_hidden == 0
        and facts.width >= 64
        and not (facts.format == 'avi' and facts.has_b_frames)
    )


def _is_upright(path: str, facts: VideoFacts) -> bool:
    # AVI cannot say otherwise, and a picture need not be decoded.
    return facts.format == 'avi' or _orientation(path, os.stat(path).st_mtime_ns) == UPRIGHT


class DecordReader(decord.VideoReader):
    """decord's reader, whose errors name the file.

    Args:
        path (str): The file.
        num_threads (int): Decoding threads.

    Raises:
        UnreadableFileError: If decord cannot open it.
    """

    def __init__(self, path: str, num_threads: int) -> None:
        self._path = path
        try:
            super().__init__(f'file:{path}' if ':' in path else path, num_threads=num_threads)
        except (RuntimeError, *DECORD_ERRORS) as error:
            raise UnreadableFileError(f'The video {path} is damaged or no video.') from error

    def get_batch(self, indices: Sequence[int]):
        """Return frames (T, H, W, 3), RGB uint8, as decord's array.

        Raises:
            UnreadableFileError: If one cannot be decoded.
        """
        try:
            return super().get_batch(indices)
        except DECORD_ERRORS as error:
            raise self._name(error) from error

    def next(self):
        """Return the next frame (H, W, 3), RGB uint8, as decord's array.

        Raises:
            UnreadableFileError: If it cannot be decoded.
        """
        try:
            return super().next()
        except DECORD_ERRORS as error:
            raise self._name(error) from error

    def _name(self, error: Exception) -> UnreadableFileError:
        return UnreadableFileError(f'A frame of the video {self._path} cannot be decoded.')


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
    asked for; else from the beginning.

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
        self._length = len(facts.stamps) or _count_frames(path, time)

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
        chosen = set(wanted)
        for index, frame in enumerate(decode_tolerantly(container, stream)):
            if index in chosen:
                yield index, frame
            if index >= wanted[-1]:
                return

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
        size = dict(width=self._facts.width, height=self._facts.height)
        picture = frame.to_ndarray(format='rgb24', **(size if all(size.values()) else {}))
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


@lru_cache(maxsize=100_000)
def _count_frames(path: str, _time: int) -> int:
    try:
        with open_container(path) as container:
            count = sum(1 for _ in decode_tolerantly(container, video_streams(container)[0]))
    except av.FFmpegError as error:
        raise UnreadableFileError(
            f'The video {path} cannot be decoded ({error.strerror}).'
        ) from error
    return count
