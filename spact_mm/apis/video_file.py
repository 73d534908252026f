"""Reading and writing video files as streams of frames, never a whole video in memory."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..compat import x264_options
from ..media.colour import Colour, from_rgb, tag
from ..media.media_probe import open_container, probe_video
from ..media.unreadable import UnreadableFileError
from .frame_stream import FrameStream
from .image_file import MAX_PIXELS
from .output_files import address, named_errors

#: Brands of still pictures (AVIF, HEIC) in MP4 containers. FFmpeg takes such files for videos and
#: returns one tile of the picture.
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


#: Codecs that can be written, and their default qualities.
CODECS = ('h264', 'h265')
_CRF = dict(h264=18, h265=20)


class VideoReader(FrameStream):
    """The frames of a video file, upright, in the order in which they are shown.

    Packets that cannot be decoded are left out and counted, in :attr:`num_bad_packets`.

    Args:
        path (str | Path): The file. All formats of FFmpeg's libraries can be read.
        max_pixels (int): Frames with more pixels are refused before they are decoded, also in the
            middle. Defaults to :data:`~spact_mm.media.media_probe.MAX_PIXELS`.

    Raises:
        ValueError: If the file is no video, has no pictures, too large frames, or colours that
            cannot be converted.
        OSError: If the file cannot be opened.

    Example:
        >>> with VideoReader('walk.avi') as reader:
        ...     for frame, time_stamp in reader:
        ...         print(frame.shape, float(time_stamp * reader.time_base))
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'There is no file {path}.')
        if path.stat().st_size == 0:
            raise ValueError(f'{path} is empty (zero bytes): copy or download it again.')
        if _is_picture(path):
            raise ValueError(
                f'{path} is a picture (AVIF or HEIC) and no video: convert it to JPEG or PNG.'
            )
        try:
            container = open_container(path, max_pixels)
        except PermissionError:
            raise PermissionError(f'{path} cannot be read: no permission.') from None
        except av.FFmpegError as error:
            raise ValueError(
                f'{path} is no video that can be read ({error.strerror}): it is another kind of '
                'file, damaged or cut off at its beginning or end.'
            ) from error
        super().__init__(container, path, max_pixels)

    @property
    def truncation(self) -> str:
        """Description of a missing end, as in training and testing; empty if the file is whole."""
        try:
            return probe_video(self.path).truncation
        except UnreadableFileError as error:
            return str(error)


class VideoWriter:
    """Write frames to an MP4 video file, without metadata of any other file.

    Args:
        path (str | Path): The file to write.
        output (str | Path): The final name, for errors.
        rate (Fraction): Frames a second, on average.
        time_base (Fraction): Seconds in one unit of a time stamp.
        sample_aspect_ratio (Fraction, optional): Width to height of a pixel. Defaults to square.
        crf (int, optional): Quality, 0 (lossless) to 51. Defaults to None: 18 for H.264 and 20 for
            H.265, without visible loss.
        colour (Colour, optional): Colour space of the file. Defaults to BT.601 without a tag in the
            file.
        audio: A sound track whose packets will be passed to :meth:`write_audio`. Defaults to None.
        codec (str): One of :data:`CODECS`. Defaults to ``'h264'``.

    Raises:
        OSError: If the file cannot be written, for instance because the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        output: str | Path,
        rate: Fraction,
        time_base: Fraction,
        sample_aspect_ratio: Fraction | None = None,
        crf: int | None = None,
        colour: Colour | None = None,
        audio=None,
        codec: str = 'h264',
    ) -> None:
        self.path, self.output = Path(path), Path(output)
        self.rate, self.time_base, self.codec = rate, time_base, codec
        self.crf = _CRF[codec] if crf is None else crf
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
            time_stamp (int): Presentation time in units of the time base; greater than the last.
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
        options = {'crf': str(self.crf)}
        if self.codec == 'h264':
            # 0.4 of medium's time for files of 0.9 to 1.1 times the size.
            options['preset'] = 'veryfast'
            # The number of threads is fixed, as it changes the bytes of the file.
            options.update(threads='4', **x264_options())
            stream = self._container.add_stream('libx264', rate=self.rate, options=options)
        else:
            options.update({'preset': 'medium', 'x265-params': 'log-level=error'})
            stream = self._container.add_stream('libx265', rate=self.rate, options=options)
            stream.codec_context.codec_tag = 'hvc1'  # without it Apple's players refuse it
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
