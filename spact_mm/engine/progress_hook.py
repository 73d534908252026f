"""How far a run is, for a process that watches it."""

import json
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registration import register


@register(HOOKS)
class ProgressFileHook(Hook):
    """Write the fraction of the training that is done to a file.

    Args:
        path (str): The file, JSON with ``done`` and ``total`` (iterations).
        interval (int): Iterations between writes. Defaults to 10.
    """

    priority = 'VERY_LOW'

    def __init__(self, path: str, interval: int = 10) -> None:
        self.path = Path(path)
        self.interval = interval

    @master_only
    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Write where the run is."""
        if self.every_n_train_iters(runner, self.interval):
            temporary = self.path.with_suffix('.tmp')
            temporary.write_text(json.dumps(dict(done=runner.iter + 1, total=runner.max_iters)))
            temporary.replace(self.path)
