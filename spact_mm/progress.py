"""Progress for terminals and for log files."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from mmengine.utils import ProgressBar

Item = TypeVar('Item')
#: Seconds between two lines of progress without a terminal.
_SECONDS = 30.0


class Progress(ProgressBar):
    """MMEngine's progress bar on a terminal; in a file, a line from time to time.

    Args:
        total (int): Number of tasks.
    """

    def __init__(self, total: int) -> None:
        self.is_terminal = total > 0 and sys.stdout.isatty()
        self.begin = self.shown = time.monotonic()
        super().__init__(total, start=self.is_terminal, file=sys.stdout)

    def update(self, num_tasks: int = 1) -> None:
        """Count tasks that are done.

        Args:
            num_tasks (int): How many. Defaults to 1.
        """
        if self.is_terminal:
            super().update(num_tasks)
            return
        self.completed += num_tasks
        now = time.monotonic()
        if now - self.shown >= _SECONDS or self.completed == self.task_num:
            self.shown = now
            print(f'{self.completed}/{self.task_num} in {now - self.begin:.0f} s', flush=True)

    def finish(self) -> None:
        """End the line of the bar."""
        if self.is_terminal:
            print()


def track(items: Sequence[Item]) -> Iterator[Item]:
    """Yield items and show the number of finished ones.

    Args:
        items (Sequence): The items.

    Yields:
        Each of them.
    """
    progress = Progress(len(items))
    for item in items:
        yield item
        progress.update()
    progress.finish()
