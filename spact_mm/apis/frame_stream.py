"""The frames of an open container of FFmpeg's libraries, with their times and colours."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..media.colour import check_colour, find_colour, to_rgb
from ..media.media_probe import video_streams
from ..media.orientation import find_orientation, turn_upright
from ..media.unreadable import UnreadableFileError
from .image_file import MAX_PIXELS, check_pixels


class FrameStream:
    """The frames of the first video stream of a container, upright, in order of presentation.

    Packets that cannot be decoded are left out and counted, in :attr:`num_bad_packets`.

    Args:
        container (av.container.InputContainer): The open container; it is closed with the stream.
        path (str | Path): Name of the container in errors.
        max_pixels (int): Frames with more pixels are refused before they are decoded, also in the
            middle. Defaults to :data:`~spact_mm.media.media_probe.MAX_PIXELS`.
        threads (str): PyAV's type of multithreaded decoding; ``'SLICE'`` delays no frame. Defaults
            to ``'AUTO'``.

    Attributes:
        rate (Fraction): Frames a second, on average.
        time_base (Fraction): Seconds in one unit of a time stamp.
        sample_aspect_ratio (Fraction | None): Width to height of a pixel, None for square ones.
        colour (Colour): Colours of a copy.
        start (Fraction): Seconds at which the first frame is shown, by the file's clock.
        audio: The first sound track, None if there is none.
        num_bad_packets (int): Number of packets so far that could not be decoded.

    Raises:
        ValueError: If the container has no pictures, too large frames or colours that cannot be
            converted.
    """

    def __init__(
        self,
        container,
        path: str | Path,
        max_pixels: int = MAX_PIXELS,
        threads: str = 'AUTO',
    ) -> None:
        self.path, self.max_pixels = path, max_pixels
        self._container = container
        streams = video_streams(self._container)
        if not streams:
            if self._container.streams.video:
                raise ValueError(f'{path} has sound and a cover picture, and no video.')
            raise ValueError(f'{path} has no pictures, only {self._kinds()}.')
        self._stream = streams[0]
        if self._stream.codec_context is None:  # PyAV before 18 ends the process where it decodes
            raise ValueError(f'{path} cannot be decoded: it is cut off or of an unknown codec.')
        check_pixels(self.path, self._stream.width, self._stream.height, max_pixels)
        self._stream.codec_context.options = {'max_pixels': str(max_pixels)}
        self._stream.thread_type = threads
        self.time_base = self._stream.time_base
        self.rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        self.num_bad_packets = 0
        self.audio = self._container.streams.audio[0] if self._container.streams.audio else None
        # An AVI file has no presentation times, and the times that FFmpeg invents for it need not
        # rise. Its frames are shown in order at the times of its packets, some of which are
        # missing.
        self._times: deque[int] | None = deque() if self._container.format.name == 'avi' else None
        self._frames = self._decode()
        try:
            self._first = next(self._frames, None)
        except av.FFmpegError as error:
            raise ValueError(f'{path} cannot be decoded ({error.strerror}).') from error
        if self._first is None:
            raise ValueError(f'{path} has no frame that can be decoded: it is damaged.')
        try:
            check_colour(self._first, path)
        except UnreadableFileError as error:
            raise ValueError(str(error)) from error
        self.colour = find_colour(self._first)
        first = self._first.pts if self._times is None else next(iter(self._times), None)
        self._first_stamp = first or 0
        # In an AVI with B-frames the first frame is later than the first packet, as in players.
        self.start = (self._first.pts or self._first_stamp) * self.time_base
        self._orientation = find_orientation(self._first)
        ratio = self._stream.sample_aspect_ratio
        self.sample_aspect_ratio = 1 / ratio if ratio and self._orientation[0] else ratio

    def _kinds(self) -> str:
        return ', '.join(sorted({s.type for s in self._container.streams})) or 'nothing'

    def __enter__(self) -> 'FrameStream':
        return self

    def __exit__(self, *_) -> None:
        self._container.close()

    @property
    def num_declared(self) -> int:
        """Number of frames that the file declares; 0 if it declares none."""
        return self._stream.frames

    @property
    def num_expected(self) -> int:
        """Expected number of frames before they are read; 0 if unknown."""
        if self.num_declared:
            return self.num_declared
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.rate)
        if self._container.duration:
            return round(self._container.duration * self.rate / av.time_base)
        return 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yield each frame, RGB uint8 (H, W, 3), and its time stamp, the first being 0.

        Time stamps rise; a file without usable time stamps gets stamps at its average rate.
        """
        step = max(1, round(1 / (self.rate * self.time_base)))
        first, last = self._first_stamp, -step
        for frame in chain([self._first], self._frames):
            stamp = frame.pts if self._times is None else self._take_time()
            stamp = last + step if stamp is None else stamp - first
            last = stamp if stamp > last else last + step
            picture = to_rgb(frame, self.path)
            yield turn_upright(picture, self._orientation), last

    def _take_time(self) -> int | None:
        return self._times.popleft() if self._times else None

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                if self._times is not None and packet.size and packet.dts is not None:
                    self._times.append(packet.dts)
                yield from packet.decode()
            except StopIteration:
                return
            except av.EOFError:
                return
            except av.FFmpegError:
                context = self._stream.codec_context
                # FFmpeg refuses frames above the limit that was set; raise a clear error for them.
                check_pixels(self.path, context.width, context.height, self.max_pixels)
                self.num_bad_packets += 1
                if self._times:
                    self._times.pop()
