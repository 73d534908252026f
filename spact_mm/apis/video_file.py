"""Video files as streams of frames: read, write, nothing of a whole video in memory."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..compat import x264_options
from ..datasets.colour import Colour, check_colour, find_colour, from_rgb, tag, to_rgb
from ..datasets.media_probe import open_container, probe_video, video_streams
from ..datasets.orientation import find_orientation, turn_upright
from ..datasets.unreadable import UnreadableFileError
from .image_file import MAX_PIXELS, check_pixels
from .output_files import address, named_errors

#: Of still pictures (AVIF, HEIC) in the container of MP4, which FFmpeg takes for videos: it gives
#: one of the tiles that they are made of.
_PICTURES = {
    b'avif',
    b'avis',
    b'heic',
    b'heim',
    b'heis',
    b'heix',
    b'hevc',
    b'hevx',
    b'mif1',
    b'msf1',
}


class VideoReader:
    """The frames of a video file, upright, in the order in which they are shown.

    Packets that cannot be decoded are left out and counted, in :attr:`num_bad_packets`.

    Args:
        path (str | Path): The file. FFmpeg's libraries read it, so any format of theirs.
        max_pixels (int): Frames of more are refused before they are decoded, also in the middle.
            Defaults to :data:`~spact_mm.datasets.media_probe.MAX_PIXELS`.

    Attributes:
        rate (Fraction): Frames a second, on average.
        time_base (Fraction): Seconds that one unit of a time stamp stands for.
        sample_aspect_ratio (Fraction | None): Width to height of a pixel, None for square ones.
        colour (Colour): In which colours a copy is to be written.
        start (Fraction): Seconds at which the first frame is shown, by the file's own clock.
        audio: The first sound track, None if there is none.
        num_bad_packets (int): How many packets could not be decoded so far.

    Raises:
        ValueError: If it is no video file, one without pictures, of frames that are too large or of
            colours that cannot be converted.
        OSError: If it cannot be opened.

    Example:
        >>> with VideoReader('walk.avi') as reader:
        ...     for frame, time_stamp in reader:
        ...         print(frame.shape, float(time_stamp * reader.time_base))
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        self.path, self.max_pixels = Path(path), max_pixels
        if not self.path.is_file():
            raise FileNotFoundError(f'There is no file {path}.')
        if self.path.stat().st_size == 0:
            raise ValueError(f'{path} is empty (zero bytes): copy or download it again.')
        if _is_picture(self.path):
            raise ValueError(
                f'{path} is a picture (AVIF or HEIC) and no video: convert it to JPEG or PNG.'
            )
        try:
            self._container = open_container(self.path, max_pixels)
        except PermissionError:
            raise PermissionError(f'{path} cannot be read: no permission.') from None
        except av.FFmpegError as error:
            raise ValueError(
                f'{path} is no video that can be read ({error.strerror}): it is another kind of '
                'file, damaged or cut off at its beginning or end.'
            ) from error
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
        self._stream.thread_type = 'AUTO'
        self.time_base = self._stream.time_base
        self.rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        self.num_bad_packets = 0
        self.audio = self._container.streams.audio[0] if self._container.streams.audio else None
        # An AVI file has no times of showing, and those that FFmpeg makes up for it need not rise.
        # Its frames are shown in turn at the times of its packets, of which it leaves out some.
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
        # Of an AVI with B-frames later than its first packet, as players show it.
        self.start = (self._first.pts or self._first_stamp) * self.time_base
        self._orientation = find_orientation(self._first)
        ratio = self._stream.sample_aspect_ratio
        self.sample_aspect_ratio = 1 / ratio if ratio and self._orientation[0] else ratio

    def _kinds(self) -> str:
        return ', '.join(sorted({s.type for s in self._container.streams})) or 'nothing'

    def __enter__(self) -> 'VideoReader':
        return self

    def __exit__(self, *_) -> None:
        self._container.close()

    @property
    def num_declared(self) -> int:
        """How many frames the file says it has, 0 if it does not say."""
        return self._stream.frames

    @property
    def truncation(self) -> str:
        """What is missing at the end, as training and testing judge it; empty if nothing is."""
        try:
            return probe_video(self.path).truncation
        except UnreadableFileError as error:
            return str(error)

    @property
    def num_expected(self) -> int:
        """How many frames there are, as far as can be told before reading them; 0 if unknown."""
        if self.num_declared:
            return self.num_declared
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.rate)
        if self._container.duration:
            return round(self._container.duration * self.rate / av.time_base)
        return 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yield each frame, RGB uint8 (H, W, 3), and its time stamp, the first being 0.

        Time stamps rise; a file without usable ones gets those of its average rate.
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
                # What FFmpeg refuses to decode by the limit that it was given.
                check_pixels(self.path, context.width, context.height, self.max_pixels)
                self.num_bad_packets += 1
                if self._times:
                    self._times.pop()


class VideoWriter:
    """Write frames to a video file (H.264 in MP4), with nothing of any other file's metadata.

    Args:
        path (str | Path): What to write.
        output (str | Path): What it will be called, for errors.
        rate (Fraction): Frames a second, on average.
        time_base (Fraction): Seconds that one unit of a time stamp stands for.
        sample_aspect_ratio (Fraction, optional): Width to height of a pixel. Defaults to square.
        crf (int): Quality of x264, 0 (lossless) to 51. Defaults to 18: no loss that one sees.
        colour (Colour, optional): What the numbers of the file are to mean. Defaults to BT.601,
            which is not stated.
        audio: A sound track whose packets will be handed to :meth:`write_audio`. Defaults to None.

    Raises:
        OSError: If it cannot be written, for instance because the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        output: str | Path,
        rate: Fraction,
        time_base: Fraction,
        sample_aspect_ratio: Fraction | None = None,
        crf: int = 18,
        colour: Colour | None = None,
        audio=None,
    ) -> None:
        self.path, self.output = Path(path), Path(output)
        self.rate, self.time_base, self.crf = rate, time_base, crf
        self.sample_aspect_ratio, self.colour = sample_aspect_ratio, colour or Colour()
        self.num_frames = 0
        self._stream = None
        with named_errors(self.output):
            self._container = av.open(
                address(self.path), 'w', format='mp4', options={'movflags': '+faststart'}
            )
            self._audio = None
            if audio is not None:
                self._audio = self._container.add_stream_from_template(audio)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            with suppress(av.FFmpegError):
                self._container.close()
            return
        with named_errors(self.output):
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()

    def write(self, frame: np.ndarray, time_stamp: int) -> None:
        """Add a frame.

        Args:
            frame (np.ndarray): RGB uint8, (H, W, 3), all of one size.
            time_stamp (int): When it is shown, in units of the time base; greater than the last.
        """
        with named_errors(self.output):
            if self._stream is None:
                self._stream = self._open(*frame.shape[:2])
            picture = from_rgb(frame, self._stream.pix_fmt, self.colour)
            picture.pts, picture.time_base = time_stamp, self.time_base
            self._container.mux(self._stream.encode(picture))
        self.num_frames += 1

    def write_audio(self, packet: av.Packet) -> None:
        """Add a packet of the sound track."""
        packet.stream = self._audio
        with named_errors(self.output):
            self._container.mux(packet)

    def _open(self, height: int, width: int):
        # Another number of threads gives other bytes.
        options = {'crf': str(self.crf), 'preset': 'medium', 'threads': '4', **x264_options()}
        stream = self._container.add_stream('libx264', rate=self.rate, options=options)
        stream.width, stream.height = width, height
        # Colour at half the resolution needs even sides.
        stream.pix_fmt = 'yuv444p' if height % 2 or width % 2 else 'yuv420p'
        stream.codec_context.time_base = self.time_base
        tag(stream.codec_context, self.colour)
        if self.sample_aspect_ratio:
            stream.codec_context.sample_aspect_ratio = self.sample_aspect_ratio
        return stream


def _is_picture(path: Path) -> bool:
    with path.open('rb') as file:
        head = file.read(12)
    return head[4:8] == b'ftyp' and head[8:12] in _PICTURES
