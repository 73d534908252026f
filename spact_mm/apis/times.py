"""Parts of a video in time: which are written, and which are black."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

_TIME = re.compile(r'(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)')


def parse_time(text: str) -> Fraction:
    """Return the seconds of a time such as ``'90.5'``, ``'1:30.5'`` or ``'0:01:30.5'``.

    Raises:
        ValueError: If the text is no time.
    """
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(f'{text!r} is no time: give seconds, or 1:30.5, or 0:01:30.5.')
    hours, minutes, seconds = match.groups(default='0')
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)


def parse_span(text: str) -> tuple[Fraction, Fraction]:
    """Return the two times of a span such as ``'1:30-1:45'``.

    Raises:
        ValueError: If the text is no span.
    """
    first, separator, end = text.partition('-')
    span = (parse_time(first), parse_time(end)) if separator else (Fraction(0), Fraction(0))
    if span[0] >= span[1]:
        raise ValueError(f'{text!r} is no span: give two times, such as 1:30-1:45.')
    return span


@dataclass(frozen=True)
class Times:
    """Seconds since the first frame of a video.

    Attributes:
        start (Fraction | None): Earlier frames are left out; None to begin with the first frame.
        end (Fraction | None): Frames from this time on are left out; None to end with the last
            frame.
        black (tuple[tuple[Fraction, Fraction], ...]): Spans in which frames are black, without the
            end time.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    black: tuple[tuple[Fraction, Fraction], ...] = ()

    def __bool__(self) -> bool:
        return self.start is not None or self.end is not None or bool(self.black)

    def cut(
        self, frames: Iterable[tuple[np.ndarray, int]], time_base: Fraction, path: Path
    ) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the frames from start to end, with their time stamps.

        Args:
            frames (Iterable): Frames and time stamps.
            time_base (Fraction): Seconds in one unit of a time stamp.
            path (Path): The file, for an error.

        Raises:
            ValueError: If there is no frame.
        """
        found = False
        for frame, stamp in frames:
            time = stamp * time_base
            if self.end is not None and time >= self.end:
                break
            if self.start is None or time >= self.start:
                found = True
                yield frame, stamp
        if not found:
            raise ValueError(f'{path} has no frame from --start to --end.')

    def blacken(
        self, frames: Iterable[tuple[np.ndarray, int]], time_base: Fraction
    ) -> Iterator[tuple[np.ndarray, int]]:
        """Yield frames, black ones in the spans; the first frame has the time stamp 0.

        Args:
            frames (Iterable): Frames and time stamps of :meth:`cut`.
            time_base (Fraction): As for :meth:`cut`.
        """
        first = None
        for frame, stamp in frames:
            first = stamp if first is None else first
            if any(begin <= stamp * time_base < end for begin, end in self.black):
                frame = np.zeros_like(frame)
            yield frame, stamp - first
