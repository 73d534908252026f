"""PyAV's reader of videos: exact frames by index, upright, of any format of FFmpeg."""

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import av
import numpy as np

from ..media.colour import to_rgb
from ..media.media_probe import VideoFacts, open_container, read_stamps, video_streams
from ..media.orientation import find_orientation, turn_upright
from ..media.unreadable import UnreadableFileError


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

    If the times of all frames are known, decoding starts at the last key frame before the requested
    frame. An AVI has no such times; all of its frames are decoded once to find the key frames. In
    other files without times decoding starts at the beginning.

    Args:
        path (str): The file.
        facts (VideoFacts): Facts of :func:`~.media_probe.probe_video` about the file.
        num_threads (int): Decoding threads.
        max_pixels (int): Larger frames are refused.

    Raises:
        UnreadableFileError: If no frame can be decoded.
    """

    def __init__(self, path: str, facts: VideoFacts, num_threads: int, max_pixels: int) -> None:
        stamps, key_stamps = read_stamps(path)
        facts = replace(facts, stamps=stamps, key_stamps=key_stamps)
        self._path, self._facts = path, facts
        self._num_threads, self._max_pixels = num_threads, max_pixels
        self._next = 0
        time = os.stat(path).st_mtime_ns
        self._orientation = orientation_of(path, time)
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
            StopIteration: After the last frame.
        """
        if self._next >= self._length:
            raise StopIteration
        self._next += 1
        return self[self._next - 1]

    def get_batch(self, indices: Sequence[int]) -> Frames:
        """Return frames (T, H, W, 3), RGB uint8.

        Raises:
            IndexError: If there is no such frame.
            UnreadableFileError: If a frame cannot be decoded.
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
                # The container's index does not match its packets.
                self._key_frames = ()
                container.seek(0, backward=True)
                yield from self._pick_by_count(container, stream, wanted)
                return
            chosen, index = set(group), start - 1
            for frame in decode_tolerantly(container, stream):
                # Frames shown before the key frame belong to the previous part.
                if time is not None and index < start and not frame.key_frame:
                    continue
                index += 1
                if index in chosen:
                    yield index, frame
                if index >= group[-1]:
                    break

    def _group_by_key(self, wanted: list[int]) -> list[tuple[tuple[int, int | None], list[int]]]:
        """Return indices grouped by their last key frame (index, time), where decoding starts."""
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
                # Seeking has failed, or the frame does not exist.
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
        # Frames of a video may change their size; a clip has one size.
        size = self._facts.height, self._facts.width
        picture = to_rgb(frame, self._path, size if all(size) else None)
        return turn_upright(picture, self._orientation)


def decode_tolerantly(container, stream) -> Iterator[av.VideoFrame]:
    """Yield the frames of a stream from the container's position, without damaged packets."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except (StopIteration, av.EOFError):
            return
        except av.FFmpegError:
            continue


@lru_cache(maxsize=100_000)
def orientation_of(path: str, _time: int) -> tuple[bool, bool, bool]:
    """Return the orientation of a video by its first frame."""
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
    """Seek a packet by its decoding time; return whether it was found."""
    container.seek(time, stream=stream)
    packet = next(container.demux(stream), None)
    container.seek(time, stream=stream)
    return packet is not None and packet.dts == time


@lru_cache(maxsize=1_000)
def _index_frames(path: str, _time: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Decode a video without presentation times.

    Returns:
        tuple: The number of frames, and the index and packet time of each key frame. No key frames
        if the container cannot seek by these times, or the numbers of key frames and packets
        differ.
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
