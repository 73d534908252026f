"""The progress of a run, for another process."""

import json
import time
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..files import write_whole
from ..registration import register


@register(HOOKS)
class ProgressFileHook(Hook):
    """Write the finished fraction of the training to a file.

    Args:
        path (str): The file, JSON with ``done`` and ``total`` (iterations) and ``seconds``.
        interval (int): Iterations between writes. Defaults to 10.
        seconds (float): Duration of the run before an interruption. Defaults to 0.
    """

    priority = 'VERY_LOW'

    def __init__(self, path: str, interval: int = 10, seconds: float = 0.0) -> None:
        self.path = Path(path)
        self.interval = interval
        self._start = time.time() - seconds

    @master_only
    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Write the progress."""
        if self.every_n_train_iters(runner, self.interval):
            state = dict(done=runner.iter + 1, total=runner.max_iters)
            state['seconds'] = round(time.time() - self._start, 1)
            write_whole(self.path, json.dumps(state))
