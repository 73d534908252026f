"""How long to wait before what has failed is tried again."""

import threading
from collections.abc import Callable
from time import monotonic

#: Seconds before the second attempt, and at most before any; each wait is twice the last.
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0


class Retries:
    """Wait before each new attempt, longer from one to the next, and say why in a line.

    Args:
        tell (Callable[[str], None]): Gets the line.
        stop (threading.Event): Ends a wait.
        give_up (float, optional): Seconds without success after which it is an error. Defaults to
            None: never.

    Attributes:
        num_failures (int): How many attempts have failed so far.
    """

    def __init__(
        self, tell: Callable[[str], None], stop: threading.Event, give_up: float | None = None
    ) -> None:
        self._tell, self._stop, self._give_up = tell, stop, give_up
        self.num_failures = 0
        self.succeed()

    def succeed(self) -> None:
        """Begin again with the shortest wait."""
        self._wait = FIRST_WAIT
        self._since = None

    def wait(self, reason: str) -> bool:
        """Wait before the next attempt.

        Args:
            reason (str): The failure, a sentence without its stop.

        Returns:
            bool: Whether to try again; not if the session ends.

        Raises:
            OSError: If it has failed for longer than is allowed.
        """
        self.num_failures += 1
        now = monotonic()
        self._since = self._since or now
        if self._give_up is not None and now - self._since + self._wait > self._give_up:
            raise OSError(f'{reason}, and no attempt of {self._give_up:g} seconds helped.')
        self._tell(f'{reason}; the next attempt is in {self._wait:g} s.')
        ended = self._stop.wait(self._wait)
        self._wait = min(LONGEST_WAIT, 2 * self._wait)
        return not ended
