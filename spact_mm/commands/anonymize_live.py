"""Anonymize a stream while it comes."""

import argparse
import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from ..apis import AnonymizeInferencer
from ..apis.live_address import find_sink, find_source
from ..apis.live_check import RecurringCheck
from ..apis.live_counts import LiveCounts
from ..apis.live_retries import Retries
from ..apis.live_session import LiveSession
from ..apis.live_sink import LiveSink
from ..apis.live_source import LiveSource
from ..apis.video_noise import VideoNoise
from ..arguments import seconds
from .anonymize_edits import find_zones

LIVE = """
IN is a camera (/dev/video0), an address (rtsp://, rtmp://, http://, udp://, tcp://), a file, or -
for a pipe. OUT is an address (rtsp://, rtmp://, udp://, tcp://), a virtual camera (/dev/video9), a
file that does not exist yet (.mp4, .mkv, .ts, .m3u8 for HLS), or - for a pipe, which gets MPEG-TS.
Sound is dropped. Raw frames are in memory only; one that cannot be anonymized is black. Where an
end is live, frames that find no room are dropped and counted. SIGTERM and Ctrl-C end it with a
whole file and the exit codes 143 and 130.
"""

#: Options of files that have no effect on a stream.
_OF_FILES = ('inputs', 'out', 'side_by_side', 'images', 'keep_audio', 'codec')
_LIVE_QUALITY = 23
#: Of Linux's prctl.
_SET_DUMPABLE = 4


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--live`` and what belongs to it."""
    group = parser.add_argument_group('live', LIVE)
    group.add_argument('--live', nargs=2, metavar=('IN', 'OUT'), help='in place of files and --out')
    group.add_argument(
        '--stats',
        type=seconds,
        metavar='SECONDS',
        help='between two lines on the standard error that tell how it goes; default: 10',
    )
    group.add_argument(
        '--give-up',
        type=seconds,
        metavar='SECONDS',
        help='end with exit code 1 if a camera or server is away for so long; default: never',
    )


def check_live(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what has no effect on a stream."""
    given = [name for name in _OF_FILES if getattr(args, name)]
    if given:
        name = given[0].replace('_', '-')
        what = 'an INPUT' if name == 'inputs' else f'--{name}'
        parser.error(f'{what} has no effect on --live IN OUT: leave it out')


def anonymize_live(args: argparse.Namespace, build: Callable[[], AnonymizeInferencer]) -> int:
    """Anonymize from one address to another; return the exit code.

    Args:
        args (argparse.Namespace): The command line.
        build (Callable): Makes the inferencer.
    """
    source_address, sink_address = (
        find(text) for find, text in zip((find_source, find_sink), args.live, strict=True)
    )
    _leave_no_core()
    stop = threading.Event()
    every = args.stats or 10.0
    quality = _LIVE_QUALITY if args.quality is None else args.quality
    with _keep_stdout() as descriptor, _end_by_signals(stop) as ended:
        inferencer = build()
        check = RecurringCheck(
            # One noise for all of the session: with several, their mean would take it away.
            partial(inferencer.check, str(source_address), VideoNoise()),
            every,
        )
        retries = [Retries(_tell, stop, args.give_up) for _ in range(2)]
        source = LiveSource(
            source_address, retries[0], stop, args.max_pixels, paces=sink_address.is_live
        )
        sink = LiveSink(sink_address, retries[1], quality, descriptor)
        zones = find_zones(args)
        raw = f'{len(zones.keep)} zones are RAW: whoever is in them is seen. ' if zones.keep else ''
        counts = LiveCounts(_tell, every, lambda: f'{raw}{check.check}')
        session = LiveSession(source, sink, zones.around(check), counts, stop, args.size)
        result = session.run()
    if ended:
        _tell(f'Ended by {signal.Signals(ended[0]).name}.')
        return 128 + ended[0]
    return 1 if result.black else 0


def _leave_no_core() -> None:
    """See to it that a crash leaves no memory, with raw frames in it, on the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A handler of cores that is a program need not heed the limit.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _keep_stdout() -> Iterator[int]:
    """Give the standard output to frames alone; what else is printed goes to the standard error."""
    sys.stdout.flush()
    frames = os.dup(1)
    os.dup2(2, 1)
    try:
        yield frames
    finally:
        sys.stdout.flush()
        os.dup2(frames, 1)
        os.close(frames)


@contextmanager
def _end_by_signals(stop: threading.Event) -> Iterator[list[int]]:
    """Let SIGTERM and Ctrl-C end the session; a second one ends the process at once.

    Yields:
        list[int]: Gets the signal.
    """
    ended: list[int] = []

    def end(number: int, frame) -> None:
        if ended:
            os._exit(128 + number)
        ended.append(number)
        stop.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
