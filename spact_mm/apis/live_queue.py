"""Units of frames between two threads, in bounded memory."""

import threading
from collections import deque
from typing import Any

#: Units that wait at most, and bytes of their frames.
_MOST, _BYTES = 8, 64 << 20


class UnitQueue:
    """Hand units from one thread to another; when it is full, drop the oldest or let wait.

    A unit is what is anonymized together: one frame, or the successive frames of a clip.

    Args:
        drops (bool): Whether to drop the oldest unit where there is no room.
        most (int): How many units there is room for. Defaults to 8, or fewer large ones.

    Attributes:
        num_dropped (int): How many frames were dropped so far.
    """

    def __init__(self, drops: bool, most: int = _MOST) -> None:
        self.drops, self._most = drops, most
        self.num_dropped = 0
        self._units: deque[Any] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, unit: list, num_bytes: int, timeout: float | None = None) -> bool:
        """Add a unit.

        Args:
            unit (list): Frames.
            num_bytes (int): How large they are together.
            timeout (float, optional): Seconds to wait for room at most. Defaults to None: for ever.

        Returns:
            bool: Whether it was added: not if there was no room, or the queue is closed.
        """
        most = max(2, min(self._most, _BYTES // max(1, num_bytes)))
        with self._changed:
            while self.drops and len(self._units) >= most:
                self.num_dropped += len(self._units.popleft())
            self._changed.wait_for(lambda: self._closed or len(self._units) < most, timeout)
            if self._closed or len(self._units) >= most:
                return False
            self._units.append(unit)
            self._changed.notify_all()
        return True

    def get(self, timeout: float | None = None) -> list | None:
        """Take the oldest unit.

        Args:
            timeout (float, optional): Seconds to wait at most. Defaults to None: for ever.

        Returns:
            list | None: The unit, None if there was none, or none will come any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._units or self._closed, timeout)
            unit = self._units.popleft() if self._units else None
            self._changed.notify_all()
        return unit

    def close(self, discard: bool = False) -> None:
        """Take no further units.

        Args:
            discard (bool): Whether those that wait are dropped. Defaults to False.
        """
        with self._changed:
            self._closed = True
            if discard:
                self.num_dropped += sum(map(len, self._units))
                self._units.clear()
            self._changed.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closed and not self._units
