"""How much of each frame of a file has changed, as JSON."""

import json
from array import array
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ..files import write_whole

ENDING = '.changes.json'
_KIND = 'spact_mm changes'


class ChangeLog:
    """Compare frames with what became of them, one by one.

    What changed is no measure of privacy: a negative changes every pixel. What did not change is
    one: a frame that went through as it was.
    """

    def __init__(self) -> None:
        self._times, self._parts, self._means = array('d'), array('d'), array('d')

    def add(self, raw: np.ndarray, done: np.ndarray, times: Iterable[float]) -> None:
        """Compare successive frames.

        Args:
            raw (np.ndarray): RGB uint8, (N, H, W, 3).
            done (np.ndarray): Same shape and type.
            times (Iterable[float]): Of each, seconds since the first frame of the file.
        """
        for before, after, time in zip(raw, done, times, strict=True):
            difference = cv2.absdiff(np.ascontiguousarray(before), np.ascontiguousarray(after))
            # Rounding changes a level.
            same = cv2.countNonZero(cv2.inRange(difference, (0, 0, 0), (1, 1, 1)))
            self._times.append(float(time))
            self._parts.append(1 - same / (before.shape[0] * before.shape[1]))
            self._means.append(sum(cv2.mean(difference)[:3]) / 3 / 255)

    @property
    def summary(self) -> dict:
        """What a line of the manifest says.

        ``unchanged_frames`` (no pixel by more than a level of 255), the frame of which the smallest
        part of the pixels changed (``least_changed``, in [0, 1], at ``least_changed_at`` seconds)
        and ``mean_change``, 1 being all the way from black to white.
        """
        least = int(np.argmin(self._parts))
        return dict(
            unchanged_frames=sum(part == 0 for part in self._parts),
            least_changed=round(self._parts[least], 4),
            least_changed_at=round(self._times[least], 3),
            mean_change=round(float(np.mean(self._means)), 4),
        )

    def write(self, path: Path) -> None:
        """Write the numbers of all frames, whole or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        numbers = dict(
            kind=_KIND,
            summary=self.summary,
            time=[round(value, 3) for value in self._times],
            changed_part=[round(value, 4) for value in self._parts],
            mean_change=[round(value, 4) for value in self._means],
        )
        write_whole(path, json.dumps(numbers))


def changes_path(output: Path) -> Path:
    """Return where the changes of an output are written, and that nothing else is there.

    Raises:
        FileExistsError: If something else is.
    """
    path = output.with_name(output.name + ENDING)
    if path.exists() and _KIND not in path.read_text(errors='replace')[:100]:
        raise FileExistsError(
            f'{path} exists and does not tell of changes, so it is kept: move it, or give another '
            '--out.'
        )
    return path
