"""The change of each frame of a file, as JSON."""

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
    """Compare input and output frames one by one.

    A change is no measure of privacy: a negative changes every pixel. A missing change is one: the
    frame went through unchanged.
    """

    def __init__(self) -> None:
        self._times, self._parts, self._means = array('d'), array('d'), array('d')

    def add(self, raw: np.ndarray, done: np.ndarray, times: Iterable[float]) -> None:
        """Compare successive frames.

        Args:
            raw (np.ndarray): RGB uint8, (N, H, W, 3).
            done (np.ndarray): Same shape and type.
            times (Iterable[float]): Seconds since the first frame of the file, for each frame.
        """
        for before, after, time in zip(raw, done, times, strict=True):
            difference = cv2.absdiff(np.ascontiguousarray(before), np.ascontiguousarray(after))
            # Rounding may change a value by a level.
            same = cv2.countNonZero(cv2.inRange(difference, (0, 0, 0), (1, 1, 1)))
            self._times.append(float(time))
            self._parts.append(1 - same / (before.shape[0] * before.shape[1]))
            self._means.append(sum(cv2.mean(difference)[:3]) / 3 / 255)

    @property
    def summary(self) -> dict:
        """Return the entries for a line of the manifest.

        The entries are ``unchanged_frames`` (frames without a change of more than one level of
        255), the smallest changed part of the pixels of a frame (``least_changed``, in [0, 1], at
        ``least_changed_at`` seconds) and ``mean_change``, where 1 is the change from black to
        white.
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
            OSError: If the file cannot be written.
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
    """Return the path for the changes of an output, after a check that the name is free.

    Raises:
        FileExistsError: If another file has this name.
    """
    path = output.with_name(output.name + ENDING)
    if path.exists() and _KIND not in path.read_text(errors='replace')[:100]:
        raise FileExistsError(
            f'{path} exists and does not tell of changes, so it is kept: move it, or give another '
            '--out.'
        )
    return path
