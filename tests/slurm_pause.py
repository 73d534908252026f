"""A hook for the jobs of the tests with Slurm."""

import time
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class PauseHook(Hook):
    """Wait, after the third iteration, until SIGTERM comes."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            Path(runner.work_dir, 'reached').touch()
            deadline = time.monotonic() + 60
            while not runner.train_loop._interruption._signal and time.monotonic() < deadline:
                time.sleep(0.05)
