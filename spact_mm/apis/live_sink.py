"""Where anonymized frames go: a file, a pipe, a server or a virtual camera."""

import os
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np

from ..media.colour import from_rgb, tag
from .live_address import FILE_FORMATS, SINK_FORMATS, Address
from .live_retries import Retries
from .live_source import Look

#: Units of time a second: those of MPEG streams, in which common rates are whole numbers.
_TIME_BASE = Fraction(1, 90_000)
#: Seconds between frames from which a player can begin.
_KEY_SECONDS = 2
#: Of muxers. MP4 is written in fragments, so that it plays even if the process is killed; HLS
#: keeps the last segments only.
_MUXER_OPTIONS = dict(
    mp4=dict(movflags='frag_keyframe+empty_moov+default_base_moof'),
    hls=dict(hls_time='2', hls_list_size='6', hls_flags='delete_segments'),
    rtsp=dict(rtsp_transport='tcp'),
    flv=dict(flvflags='no_duration_filesize'),
)


class LiveSink:
    """Encode frames and send them, with their times; connect again where a server went away.

    H.264 without delay, of even sides (the last row or column is doubled where it is odd). A
    virtual camera gets plain frames.

    Args:
        address (Address): Where to. A pipe gets MPEG-TS.
        retries (Retries): Waits between attempts.
        crf (int): Quality of x264, 0 (lossless) to 51. Defaults to 23.
        descriptor (int): File descriptor of the pipe ``-``. Defaults to 1.

    Attributes:
        num_frames (int): How many frames were written so far.
    """

    def __init__(
        self, address: Address, retries: Retries, crf: int = 23, descriptor: int = 1
    ) -> None:
        self.address, self.retries, self.crf = address, retries, crf
        self.num_frames = 0
        self._descriptor = descriptor
        self._container = None
        self._stream = None
        self._last = -1
        self._look: Look | None = None
        self._format = _find_format(address)

    def write(self, picture: np.ndarray, time: Fraction, look: Look) -> bool:
        """Send a frame; where the server is away, wait until it is back.

        Args:
            picture (np.ndarray): RGB uint8, (H, W, 3), all of one size.
            time (Fraction): Seconds since the first frame of the session; greater than the last.
            look (Look): Of the source; that of the first frame counts.

        Returns:
            bool: False if it could not be sent before the session ended.

        Raises:
            OSError: If it cannot be written, and trying again is no help or has not helped.
        """
        self._look = self._look or look
        while True:
            try:
                if self._container is None:
                    self._open(*picture.shape[:2])
                self._send(picture, time)
            except (av.FFmpegError, OSError) as error:
                reason = f'{self.address} cannot be written ({_describe(error)})'
                self._abandon()
                if self.address.kind != 'network':
                    raise OSError(f'{reason}.') from error
                if not self.retries.wait(reason):
                    return False
                continue
            self.retries.succeed()
            self.num_frames += 1
            return True

    def close(self) -> None:
        """Write what the encoder and the muxer still hold, and the end of the file.

        Raises:
            OSError: If it cannot be written, unless to a server: what it has is what it got.
        """
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            container.mux(self._stream.encode())
            container.close()
        except (av.FFmpegError, OSError) as error:
            if self.address.kind != 'network':
                raise OSError(f'{self.address} cannot be written ({_describe(error)}).') from error

    def _open(self, height: int, width: int) -> None:
        where = self.address.text
        if self.address.kind == 'pipe':
            where = f'pipe:{self._descriptor}' if where == '-' else f'file:{where}'
        elif self.address.kind == 'file':
            os.makedirs(os.path.dirname(os.path.abspath(where)), exist_ok=True)
            where = f'file:{where}'
        options = {'flush_packets': '1', **_MUXER_OPTIONS.get(self._format, {})}
        self._container = av.open(where, 'w', format=self._format, options=options)
        rate = self._look.rate if 1 <= self._look.rate <= 240 else Fraction(25)
        if self.address.kind == 'camera':
            self._stream = self._container.add_stream('rawvideo', rate=rate)
        else:
            coding = {
                'crf': str(self.crf),
                'preset': 'veryfast',
                'tune': 'zerolatency',
                'g': str(max(1, round(_KEY_SECONDS * rate))),
            }
            self._stream = self._container.add_stream('libx264', rate=rate, options=coding)
            self._stream.codec_context.time_base = _TIME_BASE
            tag(self._stream.codec_context, self._look.colour)
            if self._look.ratio:
                self._stream.codec_context.sample_aspect_ratio = self._look.ratio
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = 'yuv420p'

    def _send(self, picture: np.ndarray, time: Fraction) -> None:
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        frame = from_rgb(picture, self._stream.pix_fmt, self._look.colour)
        stamp = max(round(time / _TIME_BASE), self._last + 1)
        frame.pts, frame.time_base = stamp, _TIME_BASE
        self._container.mux(self._stream.encode(frame))
        self._last = stamp

    def _abandon(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with suppress(av.FFmpegError, OSError):
                container.close()


def _find_format(address: Address) -> str:
    """Return FFmpeg's name of the muxer.

    Raises:
        ValueError: If the installed FFmpeg has none.
    """
    if address.kind == 'camera':
        try:
            return av.ContainerFormat('v4l2', 'w').name
        except ValueError:
            raise ValueError(
                f'The installed PyAV writes to no virtual camera such as {address}: send a stream '
                '(rtsp://) and let FFmpeg bring it there.'
            ) from None
    if address.kind == 'network':
        return SINK_FORMATS[address.scheme]
    if address.kind == 'file':
        return FILE_FORMATS[os.path.splitext(address.text)[1].lower()]
    return 'mpegts'


def _describe(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error)
