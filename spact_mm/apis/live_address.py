"""Where a live stream comes from or goes to, by what is given on a command line."""

import os
import re
import stat
from dataclasses import dataclass
from urllib.parse import urlsplit

#: Schemes of FFmpeg's libraries by which a stream comes, or goes (with the muxer for each).
SOURCE_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'tcp')
SINK_FORMATS = dict(rtsp='rtsp', rtsps='rtsp', rtmp='flv', rtmps='flv', udp='mpegts', tcp='mpegts')
#: Muxers for files by their endings; each leaves a file that plays if the process is killed.
FILE_FORMATS = {'.mp4': 'mp4', '.mkv': 'matroska', '.ts': 'mpegts', '.m3u8': 'hls'}
_CREDENTIALS = re.compile(r'(?<=://)[^/\s]*@')
_SETTINGS = re.compile(r'/[^/]*=[^/]*')
_LAST = re.compile(r'(?<=[^/])/[^/]+/?$')


@dataclass(frozen=True)
class Address:
    """One end of a live session.

    Attributes:
        text (str): As given.
        kind (str): ``'file'``, ``'pipe'`` (``-``, or a named pipe), ``'camera'`` (a video device)
            or ``'network'``.
    """

    text: str
    kind: str

    @property
    def is_live(self) -> bool:
        """Whether it keeps its own time, so that what comes too late is dropped."""
        return self.kind in ('camera', 'network')

    @property
    def scheme(self) -> str:
        """Of an address on the network, such as ``'rtsp'``; else empty."""
        return urlsplit(self.text).scheme.lower() if self.kind == 'network' else ''

    def __str__(self) -> str:
        """Return what may be shown: without names, passwords, what follows a ``?`` or a key.

        Parts of a path with ``=`` in them may be passwords; the last one of RTMP is the key.
        """
        if self.kind != 'network':
            return self.text
        shown = _CREDENTIALS.sub('', self.text).partition('?')[0]
        shown = _SETTINGS.sub('/…', shown)
        return _LAST.sub('/…', shown) if self.scheme in ('rtmp', 'rtmps') else shown


def find_source(text: str) -> Address:
    """Return where frames come from.

    Raises:
        ValueError: If FFmpeg's libraries cannot read there.
        FileNotFoundError: If it is a path that leads nowhere.
    """
    address = _find(text, SOURCE_SCHEMES, 'comes')
    if address.kind == 'file' and not os.path.exists(text):
        raise FileNotFoundError(
            f'There is no {text}: give a file, a camera (/dev/video0), - or an address such as '
            'rtsp://camera/stream.'
        )
    if os.path.isdir(text):
        raise ValueError(f'{text} is a folder: --live takes one video or stream.')
    return address


def find_sink(text: str) -> Address:
    """Return where frames go.

    Raises:
        ValueError: If FFmpeg's libraries cannot write there.
        FileExistsError: If it is a file that exists: none is replaced.
    """
    address = _find(text, SINK_FORMATS, 'goes')
    if address.kind == 'file':
        if os.path.lexists(text):
            raise FileExistsError(f'{text} exists, so it is kept: give another OUT.')
        if os.path.splitext(text)[1].lower() not in FILE_FORMATS:
            raise ValueError(
                f'{text} is of no kind that --live writes: let it end with one of '
                f'{", ".join(FILE_FORMATS)}.'
            )
    return address


def _find(text: str, schemes, verb: str) -> Address:
    scheme, separator, _ = text.partition('://')
    if separator:
        if scheme.lower() not in schemes:
            raise ValueError(
                f'No stream {verb} by {scheme}://: there are '
                f'{", ".join(f"{name}://" for name in schemes)}, files and - for a pipe.'
            )
        return Address(text, 'network')
    if text == '-':
        return Address(text, 'pipe')
    try:
        mode = os.stat(text).st_mode
    except OSError:
        mode = 0
    if stat.S_ISCHR(mode) or re.fullmatch(r'/dev/video\d+', text):
        return Address(text, 'camera')
    return Address(text, 'pipe' if stat.S_ISFIFO(mode) else 'file')
