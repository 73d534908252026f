"""The measure of what is left, for a stream without end."""

from collections.abc import Callable
from time import monotonic

import numpy as np

from .leftover import LeftoverCheck


class RecurringCheck:
    """Anonymize frames, and measure anew from time to time what is left of them.

    Light and places change, so that the first frames speak for a while only. After a refusal each
    frame is measured until one passes.

    Args:
        make (Callable[[], LeftoverCheck]): Gives a check that has measured nothing yet. All of
            them share the noise of the session.
        seconds (float): How long the measure of some frames holds.
    """

    def __init__(self, make: Callable[[], LeftoverCheck], seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._check, self._since = make(), monotonic()
        self.clip_length = self._check.clip_length

    @property
    def check(self) -> LeftoverCheck:
        """The check whose measure holds."""
        return self._check

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Anonymize frames.

        Args:
            frames (np.ndarray): RGB uint8, (N, H, W, 3).

        Returns:
            np.ndarray: Same shape and type.

        Raises:
            ValueError: As :class:`LeftoverCheck` does.
        """
        if monotonic() - self._since > self._seconds:
            self._check, self._since = self._make(), monotonic()
        try:
            return self._check(frames)
        except ValueError:
            self._check, self._since = self._make(), monotonic()
            raise
