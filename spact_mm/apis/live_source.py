"""Frames of a file, a pipe, a camera or a stream on the network, for as long as there are any."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic

import av
import numpy as np

from ..media.colour import Colour
from ..media.media_probe import OPEN_OPTIONS
from .frame_stream import FrameStream
from .image_file import MAX_PIXELS
from .live_address import Address
from .live_retries import Retries
from .video_file import VideoReader

#: Seconds without a packet after which a stream on the network is taken for dead.
_TIMEOUT = 10.0
#: Seconds by which a stream's clock may be off that of this machine before it is set anew.
_TOLERANCE = 10.0
#: Protocols by which a stream may open further addresses; a file is none of them.
_PROTOCOLS = 'rtsp,rtsps,rtp,srtp,udp,tcp,tls,rtmp,rtmps,http,https,httpproxy,crypto'


@dataclass(frozen=True)
class LiveFrame:
    """A frame as it came.

    Attributes:
        picture (np.ndarray): RGB uint8, (H, W, 3).
        time (Fraction): Seconds since the first frame of the session, greater than the last.
        arrival (float): When it was decoded, by the clock of this machine.
    """

    picture: np.ndarray
    time: Fraction
    arrival: float


@dataclass(frozen=True)
class Look:
    """How a stream is to be shown.

    Attributes:
        rate (Fraction): Frames a second, on average.
        colour (Colour): In which colours a copy is to be written.
        ratio (Fraction | None): Width to height of a pixel, None for square ones.
    """

    rate: Fraction
    colour: Colour
    ratio: Fraction | None = None


class LiveSource:
    """The frames of a session in their true times, over interruptions.

    A camera or a stream on the network is opened again when it ends or fails. After that its times
    go on from the clock of this machine, so that the pause stays a pause.

    Args:
        address (Address): Where from.
        retries (Retries): Waits between attempts.
        stop (threading.Event): Ends it.
        max_pixels (int): As for :class:`FrameStream`.
        paces (bool): Whether frames of a file come no sooner than they are due, as whatever takes
            them has its own time. Defaults to False.

    Attributes:
        num_frames (int): How many frames came so far.
        look (Look): Of what is open, once a frame has come.
    """

    def __init__(
        self,
        address: Address,
        retries: Retries,
        stop: threading.Event,
        max_pixels: int = MAX_PIXELS,
        paces: bool = False,
    ) -> None:
        self.address, self.retries, self.max_pixels = address, retries, max_pixels
        self._stop, self._paces = stop, paces
        self._began: float | None = None
        self.num_frames = 0

    def __iter__(self) -> Iterator[LiveFrame | None]:
        """Yield each frame, and None where the stream was interrupted.

        Raises:
            ValueError: If what is no live stream cannot be read.
            OSError: If it cannot be opened, or no attempt has helped for too long.
        """
        last = Fraction(-1)
        while not self._stop.is_set():
            try:
                stream = self._open()
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = self._describe(error)
                if not self.address.is_live:
                    raise ValueError(f'{reason}.') from error
                if not self.retries.wait(reason):
                    return
                continue
            with stream:
                for frame in self._read(stream, last):
                    last = frame.time
                    self.num_frames += 1
                    self.retries.succeed()
                    yield frame
                    if self._stop.is_set():
                        return
            if self._stop.is_set() or not self._goes_on():
                return
            yield None
            if not self.retries.wait(f'{self.address} has ended or does not answer'):
                return

    def _goes_on(self) -> bool:
        """Tell whether an end is an interruption: a playlist says itself that it is over."""
        is_playlist = str(self.address).endswith('.m3u8')
        return self.address.is_live and not is_playlist

    def _describe(self, error: Exception) -> str:
        text = getattr(error, 'strerror', None) or str(error).rstrip('.')
        # What FFmpeg says has the whole address in it.
        text = text.replace(self.address.text, str(self.address))
        named = str(self.address) in text
        return text if named else f'{self.address} cannot be read ({text})'

    def _open(self) -> FrameStream:
        if self.address.kind == 'file':
            return VideoReader(self.address.text, self.max_pixels)
        options = {'max_pixels': str(self.max_pixels)}
        where, format, timeout = self.address.text, None, None
        if self.address.kind == 'pipe':
            options['format_whitelist'] = OPEN_OPTIONS['format_whitelist']
            options['protocol_whitelist'] = 'pipe,file'
            where = 'pipe:0' if where == '-' else f'file:{where}'
        elif self.address.kind == 'camera':
            format = 'v4l2'
        else:
            options['protocol_whitelist'] = _PROTOCOLS
            # One connection that loses nothing, and passes firewalls.
            options['rtsp_transport'] = 'tcp'
            timeout = (_TIMEOUT, _TIMEOUT)
        container = av.open(
            where, format=format, options=options, timeout=timeout, metadata_errors='replace'
        )
        try:
            return FrameStream(container, str(self.address), self.max_pixels, threads='SLICE')
        except BaseException:
            container.close()
            raise

    def _read(self, stream: FrameStream, last: Fraction) -> Iterator[LiveFrame]:
        self.look = Look(stream.rate, stream.colour, stream.sample_aspect_ratio)
        offset = None
        for picture, stamp in stream:
            now, time = monotonic(), stamp * stream.time_base
            if self._began is None:
                self._began = now
            elapsed = Fraction(now - self._began).limit_denominator(1_000_000)
            is_off = offset is not None and abs(time + offset - elapsed) > _TOLERANCE
            if offset is None or (is_off and self.address.is_live):
                offset = max(elapsed, last + 1 / Fraction(stream.rate)) - time
            time = max(time + offset, last + Fraction(1, 1000))
            last = time
            if self._paces and self._stop.wait(max(0.0, float(time - elapsed))):
                return
            yield LiveFrame(picture, time, monotonic())
