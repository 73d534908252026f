"""The sound of a video, copied without decoding, in sync with the copied frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from ..media.media_probe import open_container

#: Codecs whose packets an MP4 file can hold as they are.
_MP4_CODECS = {'aac', 'ac3', 'eac3', 'mp3', 'mp2', 'alac', 'opus', 'flac'}
#: Sound that begins at most these seconds before the first frame, the start-up time of a coder, is
#: hidden from players; with earlier sound the first frame is shown later instead.
_RUN_IN = Fraction(1, 10)
#: Time units coarser than the first number of seconds are divided into the second number of parts.
_FINE, _PARTS = Fraction(1, 5000), 1000


class Sound:
    """The packets of the first sound track of a video, on the same clock as its frames.

    Packets that an edit list hides are left out, and so are packets whose times do not rise.

    Args:
        path (Path): The video.
        start (Fraction): Seconds at which the first frame is shown, by the video's clock.

    Attributes:
        delay (Fraction): Seconds at which the copy's first frame is shown; above 0 if the sound
            begins earlier.
        num_dropped (int): Number of packets left out so far because their times do not rise.
    """

    def __init__(self, path: Path, start: Fraction) -> None:
        self.num_dropped = 0
        self._path = path
        self._packets = self._read()
        self._next = next(self._packets, None)
        began = start if self._next is None else _time(self._next)
        self._zero = began if start - began > _RUN_IN else start
        self.delay = start - self._zero

    def take_until(self, seconds: Fraction | None = None) -> Iterator[av.Packet]:
        """Yield the packets up to a time of the copy's clock, or all remaining packets."""
        last = None
        while (packet := self._next) is not None:
            if seconds is not None and _time(packet) - self._zero > seconds:
                return
            self._next = next(self._packets, None)
            self._move(packet)
            if last is not None and packet.dts <= last:
                self.num_dropped += 1
                continue
            last = packet.dts
            yield packet

    def _move(self, packet: av.Packet) -> None:
        """Convert the times of a packet to the copy's clock."""
        # AVI has a coarse unit: it counts sound in whole packets.
        finer = _PARTS if packet.time_base > _FINE else 1
        base = packet.time_base / finer
        shift = round(self._zero / base)
        packet.pts = finer * (packet.dts if packet.pts is None else packet.pts) - shift
        packet.dts = finer * packet.dts - shift
        packet.duration = finer * (packet.duration or 0)
        packet.time_base = base

    def _read(self) -> Iterator[av.Packet]:
        with open_container(self._path) as container:
            for packet in container.demux(container.streams.audio[0]):
                if packet.dts is not None and packet.size and not packet.is_discard:
                    yield packet


def codec_name(audio) -> str:
    """Return the codec of a sound track, independent of the decoder."""
    return audio.codec_context.codec.canonical_name


def can_copy(audio) -> bool:
    """Return whether an MP4 file can hold a sound track without recoding."""
    return codec_name(audio) in _MP4_CODECS


def _time(packet: av.Packet) -> Fraction:
    return (packet.dts if packet.pts is None else packet.pts) * packet.time_base
