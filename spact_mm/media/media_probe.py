"""Facts about a video file without decoding: one check for training, testing and use.

The facts come from the sizes in the container's header and one pass over its packets.
"""

import os
import struct
from dataclasses import dataclass, field, replace
from functools import lru_cache

import av
import numpy as np

from .unreadable import UnreadableFileError, check_regular

#: Allowed containers, without FFmpeg's playlists and scripts: these name further files.
_FORMATS = (
    '3g2,3gp,amv,apng,asf,av1,avi,dv,f4v,flv,gif,gxf,h263,h264,hevc,ivf,m4a,m4v,matroska,mj2,'
    'mjpeg,mov,mp4,mpeg,mpegps,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,vc1,wtv,y4m,yuv4mpegpipe,webm'
)
#: Options of FFmpeg's libraries that keep a file from opening other files.
OPEN_OPTIONS = {'protocol_whitelist': 'file', 'format_whitelist': _FORMATS}
#: Containers that state their length; for others FFmpeg guesses it.
_STATING = {'avi', 'asf', 'flv', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2'}
#: Default bound on width times height: three times that of 8K video, far below the size that a
#: small file can declare.
MAX_PIXELS = 100_000_000
#: Tolerated missing end, as a part of the length and in frames: durations are rounded, and the last
#: frame's duration is a guess.
_TOLERATED_PART, _TOLERATED_FRAMES = 0.1, 2
#: Bound on the parts of a file that are visited to find its stated length.
_MAX_PARTS = 10_000


@dataclass(frozen=True)
class VideoFacts:
    """Facts about a video file.

    Attributes:
        format (str): FFmpeg's name of the container.
        codec (str): FFmpeg's name of the codec; ``''`` if there is none.
        width (int): Coded width in pixels.
        height (int): Coded height in pixels.
        num_streams (int): Number of video streams without cover pictures.
        stream (int): Index of the first of these streams.
        has_b_frames (bool): Whether the order of storage differs from the order of presentation.
        has_open_gops (bool): Whether some frames are shown before a key frame but stored after it;
            they may refer to frames before the key frame.
        num_packets (int): Number of packets of the stream, including those that an edit list hides.
        num_hidden (int): Number of packets that an edit list hides.
        stamps (np.ndarray): Rising presentation times of the frames, int64 in units of the stream;
            empty if unknown.
        key_stamps (np.ndarray): Presentation times of the key frames.
        rate (float): Frames a second, on average.
        truncation (str): Description of a missing end; empty if the file is whole.
    """

    format: str
    codec: str
    width: int
    height: int
    num_streams: int
    stream: int
    has_b_frames: bool
    has_open_gops: bool
    num_packets: int
    num_hidden: int
    stamps: np.ndarray = field(repr=False)
    key_stamps: np.ndarray = field(repr=False)
    rate: float
    truncation: str


def probe_video(path: str | os.PathLike) -> VideoFacts:
    """Examine a video file without decoding it; the facts are cached.

    Args:
        path: The file.

    Raises:
        UnreadableFileError: If the path is no file, or the file is empty, of an unknown container
            or without a decodable video stream.
    """
    path = os.fspath(path)
    check_regular(path)
    state = os.stat(path)
    return _probe(path, state.st_size, state.st_mtime_ns)


def read_stamps(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Return ``stamps`` and ``key_stamps`` of :class:`VideoFacts`; :func:`probe_video` drops them.

    Raises:
        av.FFmpegError: If it is no media file.
    """
    state = os.stat(path)
    return _probe_stamps(os.fspath(path), state.st_size, state.st_mtime_ns)


def open_container(path: str | os.PathLike, max_pixels: int = MAX_PIXELS):
    """Open a file with PyAV so that it cannot open other files.

    Args:
        path: The file.
        max_pixels (int): Frames with more pixels are not decoded, not even when FFmpeg analyses the
            file. Defaults to :data:`MAX_PIXELS`.

    Raises:
        av.FFmpegError: If it is no media file.
    """
    # Without ``file:`` FFmpeg would take the part of a name before a colon as a scheme.
    options = {**OPEN_OPTIONS, 'max_pixels': str(max_pixels)}
    return av.open(f'file:{path}', options=options, metadata_errors='replace')


def video_streams(container) -> list:
    """Return the video streams of a container without cover pictures."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def stated_bytes(path: str | os.PathLike) -> int:
    """Return the length in bytes that a file's container states; 0 if it states none.

    AVI (all of its RIFF lists), MP4 and MOV (all boxes) and Matroska state a length. A muxer that
    writes to a pipe cannot know the length and writes zero or the largest number.

    Args:
        path: A plain file.
    """
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(12)
        if start.startswith(b'RIFF'):
            walk = _next_riff
        elif start[4:8] in (b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'pnot'):
            walk = _next_box
        elif start.startswith(b'\x1a\x45\xdf\xa3'):
            walk = _next_element
        else:
            return 0
        position = 0
        for _ in range(_MAX_PARTS):
            file.seek(position)
            end = walk(file.read(16), position)
            if end is None:
                return 0
            if end >= size:
                return end
            position = end
    return 0


@lru_cache(maxsize=100_000)
def _probe(path: str, num_bytes: int, _time: int) -> VideoFacts:
    if num_bytes == 0:
        raise UnreadableFileError(f'The video {path} is empty or no video (zero bytes).')
    stated = stated_bytes(path)
    truncation = ''
    if stated > num_bytes:
        truncation = f'the file ends after {num_bytes:,} of {stated:,} bytes'
    try:
        with open_container(path) as container:
            facts = _read_facts(path, container)
    except UnreadableFileError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise UnreadableFileError(
            f'The video {path} is empty or no video that can be read ({truncation or reason}): it '
            'is of another kind, damaged or cut off.'
        ) from error
    # For many long videos the times would take gigabytes, and few callers need them.
    none = np.zeros(0, np.int64)
    truncation = truncation or facts.truncation
    return replace(facts, truncation=truncation, stamps=none, key_stamps=none)


@lru_cache(maxsize=64)
def _probe_stamps(path: str, _num_bytes: int, _time: int) -> tuple[np.ndarray, np.ndarray]:
    with open_container(path) as container:
        facts = _read_facts(path, container)
    return facts.stamps, facts.key_stamps


def _read_facts(path: str, container) -> VideoFacts:
    streams = video_streams(container)
    if not streams:
        raise UnreadableFileError(f'The file {path} has no video in it.')
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise UnreadableFileError(
            f'The video {path} cannot be decoded: it is cut off or of an unknown codec.'
        )
    stamps, keys, num_packets, ends = [], [], 0, {}
    last_key, has_open_gops = None, False
    for packet in container.demux():
        index, shown = packet.stream_index, packet.pts
        stamp = packet.dts if shown is None else shown
        if stamp is not None:
            end = stamp + (packet.duration or 0)
            if index not in ends or ends[index] < end:
                ends[index] = end
        if index != stream.index or packet.size == 0:
            continue
        num_packets += 1
        if packet.is_keyframe and shown is not None:
            keys.append(shown)
            last_key = shown
        elif last_key is not None and shown is not None and shown < last_key:
            has_open_gops = True
        if not packet.is_discard:
            stamps.append(shown)
    ends = {
        s.index: ends[s.index] * s.time_base
        for s in container.streams
        if s.index in ends and s.time_base
    }
    if not stamps:
        raise UnreadableFileError(f'The video {path} has no frame.')
    num_hidden = num_packets - len(stamps)
    is_known = bool(keys) and None not in stamps and len(set(stamps)) == len(stamps)
    # AVI has no presentation times; the times that FFmpeg invents are wrong if frames are
    # reordered.
    is_known = is_known and container.format.name != 'avi'
    # Frames before the first key frame cannot be decoded.
    stamps = sorted(stamp for stamp in stamps if stamp >= keys[0]) if is_known else []
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    return VideoFacts(
        format=container.format.name,
        codec=context.name,
        width=context.width,
        height=context.height,
        num_streams=len(streams),
        stream=stream.index,
        has_b_frames=bool(context.has_b_frames),
        has_open_gops=has_open_gops,
        num_packets=num_packets,
        num_hidden=num_hidden,
        stamps=np.array(stamps, np.int64),
        key_stamps=np.array(sorted(keys), np.int64),
        rate=rate,
        truncation=_missing_end(container, stream, ends, rate),
    )


def _missing_end(container, stream, ends: dict, rate: float) -> str:
    """Compare the end of the last packet with the stated length."""
    if container.format.name not in _STATING:
        return ''
    if not ends:
        return ''
    if stream.duration or stream.frames:
        # An AVI of unknown length still states its number of frames.
        stated = float(stream.duration * stream.time_base if stream.duration else 0)
        stated = stated or stream.frames / rate
        start = (stream.start_time or 0) * stream.time_base
        present = float(ends.get(stream.index, start) - start)
    else:
        # Matroska states the length of the longest stream, from zero on.
        stated = (container.duration or 0) / av.time_base
        present = float(max(ends.values()))
    if present < (1 - _TOLERATED_PART) * stated - _TOLERATED_FRAMES / rate:
        return f'it ends after {max(present, 0):.2f} of {stated:.2f} s'
    return ''


def _next_riff(header: bytes, position: int) -> int | None:
    """Return the end of a RIFF list; further lists follow beyond a gigabyte."""
    if len(header) < 8 or header[:4] != b'RIFF':
        return None
    length = struct.unpack('<I', header[4:8])[0]
    return None if length in (0, 0xFFFFFFFF) else position + 8 + length


def _next_box(header: bytes, position: int) -> int | None:
    """Return the end of a box of an MP4 or MOV file."""
    if len(header) < 8 or not all(32 <= byte < 127 or byte == 0xA9 for byte in header[4:8]):
        return None
    length = struct.unpack('>I', header[:4])[0]
    if length == 1:
        length = struct.unpack('>Q', header[8:16])[0] if len(header) == 16 else 0
    return position + length if length >= 8 else None


def _next_element(header: bytes, position: int) -> int | None:
    """Return the end of a top element of a Matroska file."""
    if not header or header[0] < 0x10:
        return None
    id_length = 9 - header[0].bit_length()
    size_bytes = header[id_length:]
    if not size_bytes or size_bytes[0] == 0:
        return None
    size_length = 9 - size_bytes[0].bit_length()
    if len(size_bytes) < size_length:
        return None
    bits = 7 * size_length
    size = int.from_bytes(size_bytes[:size_length], 'big') & ((1 << bits) - 1)
    if size == (1 << bits) - 1:
        return None
    return position + id_length + size_length + size
