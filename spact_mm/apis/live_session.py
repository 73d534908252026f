"""Anonymize a stream while it comes: read, anonymize and write side by side."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numpy as np

from .anonymize_file import fit_size, resize
from .live_counts import LiveCounts
from .live_queue import UnitQueue
from .live_sink import LiveSink
from .live_source import LiveFrame, LiveSource

#: Seconds between looks at whether the session ends.
_TICK = 0.2
#: Seconds that the last frames may take to be written once the session ends.
_GRACE = 10.0


@dataclass(frozen=True)
class LiveResult:
    """Counts and outcome of a session.

    Attributes:
        read (int): Frames that came.
        written (int): Frames that were written.
        dropped (int): Frames that were dropped whole: those that came while there was no room, and
            those that waited when it ended.
        black (int): Frames that were written black, as they could not be anonymized.
        source (int): Interruptions of the source, and attempts to open it that failed.
        sink (int): Likewise of where frames go.
    """

    read: int
    written: int
    dropped: int
    black: int
    source: int
    sink: int


class LiveSession:
    """Take frames from a source, anonymize them, and hand them to a sink, until either ends.

    Memory does not grow: a few frames wait before the anonymizer and a few behind it. Where either
    end is live, what finds no room is dropped whole; else the source waits. A frame that cannot be
    anonymized, whatever the reason, is written black. Raw frames are in memory only.

    All frames have the size of the first. Where ``anonymize`` has a ``clip_length``, it gets as
    many successive frames each time, fewer before an interruption; what is dropped are clips.

    Args:
        source (LiveSource): Where frames come from.
        sink (LiveSink): Where they go.
        anonymize (Callable): RGB uint8 frames (N, H, W, 3) to the same.
        counts (LiveCounts): Says how it goes.
        stop (threading.Event): Ends it, with all that was anonymized written.
        size (int, optional): Length to which the shorter side is resized before. Defaults to None:
            as it is.
    """

    def __init__(
        self,
        source: LiveSource,
        sink: LiveSink,
        anonymize: Callable[[np.ndarray], np.ndarray],
        counts: LiveCounts,
        stop: threading.Event,
        size: int | None = None,
    ) -> None:
        self.source, self.sink, self.anonymize = source, sink, anonymize
        self.counts, self.size = counts, size
        self._stop = stop
        self._length = getattr(anonymize, 'clip_length', 1)
        self._raw = UnitQueue(drops=source.address.is_live or sink.address.is_live)
        self._done = UnitQueue(drops=False, most=2)
        self._errors: list[Exception] = []
        self._shape: tuple[int, int] | None = None
        self._has_passed = False
        self._num_lost = 0

    def run(self) -> LiveResult:
        """Do it, until the source ends, the session is stopped or an end fails for good.

        Returns:
            LiveResult: Its counts and outcome.

        Raises:
            ValueError: If the source cannot be read, or the anonymizer is refused.
            OSError: If an end cannot be used.
        """
        reader = threading.Thread(target=self._guard, args=(self._read,), daemon=True)
        writer = threading.Thread(target=self._guard, args=(self._write,), daemon=True)
        reader.start()
        writer.start()
        try:
            while not (self._stop.is_set() or self._raw.is_over):
                if (unit := self._raw.get(_TICK)) is not None:
                    self._hand_on(unit, self._anonymize(unit))
                self.counts.tell_if_due(**self._numbers())
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._raw.close(discard=True)
            self._done.close()
            # A camera that is silent is not waited for.
            self._wait_for(writer)
        if self._errors:
            raise self._errors[0]
        if writer.is_alive():
            raise OSError(f'{self.sink.address} does not take the last frames.')
        self.counts.tell(**self._numbers())
        return LiveResult(**self._numbers(), black=self.counts.num_black)

    def _wait_for(self, writer: threading.Thread) -> None:
        """Let the last frames be written; a server that takes none is given up when it ends."""
        waited = 0.0
        while writer.is_alive() and waited < _GRACE:
            writer.join(_TICK)
            waited += _TICK * self._stop.is_set()
            self.counts.tell_if_due(**self._numbers())

    def _numbers(self) -> dict[str, int]:
        return dict(
            read=self.source.num_frames,
            written=self.sink.num_frames,
            dropped=self._raw.num_dropped + self._done.num_dropped + self._num_lost,
            source=self.source.retries.num_failures,
            sink=self.sink.retries.num_failures,
        )

    def _guard(self, work: Callable[[], None]) -> None:
        """Run a thread; what it raises ends the session."""
        # They would cut a read short; the main thread handles them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        try:
            work()
        # After any error the session must not wait for a thread that is gone.
        except Exception as error:
            self._errors.append(error)
            self._stop.set()

    def _read(self) -> None:
        unit: list[LiveFrame] = []
        for frame in self.source:
            if frame is not None:
                unit.append(frame)
            if unit and (frame is None or len(unit) == self._length):
                if not self._raw.put(unit, sum(f.picture.nbytes for f in unit)):
                    return
                unit = []
        if unit:
            self._raw.put(unit, sum(f.picture.nbytes for f in unit))
        self._raw.close()

    def _anonymize(self, unit: list[LiveFrame]) -> np.ndarray:
        if self._shape is None:
            path = str(self.source.address)
            first = unit[0].picture
            self._shape = fit_size(*first.shape[:2], self.size, path, self.source.max_pixels)
        shape = (len(unit), *self._shape, 3)
        try:
            done = self.anonymize(np.stack([resize(f.picture, *self._shape) for f in unit]))
            if done.shape != shape or done.dtype != np.uint8:
                raise RuntimeError(f'the anonymizer gives {done.dtype} {done.shape}')
        # A frame with any error does not get through.
        except Exception as error:
            # An anonymizer that is refused from the start has no use.
            if isinstance(error, ValueError) and not self._has_passed:
                raise
            self.counts.note_black(len(unit), error)
            return np.zeros(shape, np.uint8)
        self._has_passed = True
        return done

    def _hand_on(self, unit: list[LiveFrame], done: np.ndarray) -> None:
        item = [(p, frame.time, frame.arrival) for p, frame in zip(done, unit, strict=True)]
        while not self._done.put(item, done.nbytes, _TICK):
            if self._stop.is_set():
                self._num_lost += len(unit)
                return
            self.counts.tell_if_due(**self._numbers())

    def _write(self) -> None:
        while not self._done.is_over:
            item = self._done.get(_TICK) or []
            for index, (picture, time, arrival) in enumerate(item):
                if not self.sink.write(picture, time, self.source.look):
                    self._num_lost += len(item) - index
                    self._done.close(discard=True)
                    break
                self.counts.delay = monotonic() - arrival
        self.sink.close()
