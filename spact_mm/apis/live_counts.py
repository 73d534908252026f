"""Counts of a live session, as a line."""

import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic

_PACKAGE = Path(__file__).resolve().parents[1]


class LiveCounts:
    """Count frames, and say from time to time how many.

    Args:
        tell (Callable[[str], None]): Gets the lines.
        every (float): Seconds between them.
        describe (Callable[[], str]): Gives what else a line says.

    Attributes:
        num_black (int): Frames that were written black, as they could not be anonymized.
        delay (float): Seconds from the arrival of the last frame written until it was written.
    """

    def __init__(
        self, tell: Callable[[str], None], every: float, describe: Callable[[], str]
    ) -> None:
        self._tell, self._every, self._describe = tell, every, describe
        self.num_black = 0
        self.delay = 0.0
        self._reason = ''
        self._began = self._last = monotonic()
        self._last_written = 0

    def note_black(self, count: int, error: Exception) -> None:
        """Count frames that are written black, and remember why for the next line."""
        self.num_black += count
        frame = traceback.extract_tb(error.__traceback__)[-1]
        path = Path(frame.filename)
        # Messages of others' code may hold pixels of raw frames.
        is_ours = _PACKAGE in path.resolve().parents
        told = (
            str(error).splitlines()[0] if is_ours and str(error) else f'{path.name}:{frame.lineno}'
        )
        self._reason = f'Last black one: {type(error).__name__}: {told}. '

    def tell_if_due(self, **numbers: int) -> None:
        """Say how it goes, unless it was said a moment ago.

        Args:
            **numbers (int): As for :meth:`tell`.
        """
        if monotonic() - self._last >= self._every:
            self.tell(**numbers)

    def tell(self, read: int, written: int, dropped: int, source: int, sink: int) -> None:
        """Say how it goes.

        Args:
            read (int): Frames that came.
            written (int): Frames that were written.
            dropped (int): Frames that were dropped whole.
            source (int): Attempts to open the source that failed, or interruptions.
            sink (int): Likewise of where frames go.
        """
        now = monotonic()
        rate = (written - self._last_written) / max(1e-9, now - self._last)
        self._last, self._last_written = now, written
        self._reason, reason = '', self._reason
        seconds = int(now - self._began)
        clock = f'{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}'
        self._tell(
            f'Live {clock}: {read} frames in, {written} out, {dropped} dropped, {self.num_black} '
            f'black; {rate:.1f} frames/s, {self.delay:.2f} s late; interruptions: {source} in, '
            f'{sink} out. {reason}{self._describe()}'.rstrip()
        )
