"""The results of each validation of a run, as a file."""

import json
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..files import write_whole
from ..registration import register


@register(HOOKS)
class ValidationFileHook(Hook):
    """Write the metrics of each validation to a file.

    A resumed run keeps the earlier validations.

    Args:
        path (str): The file, JSON: ``{finished epochs: {metric: value}}``.
    """

    priority = 'VERY_LOW'

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the metrics after this number of epochs."""
        found = self._read(runner)
        found[str(runner.epoch)] = {key: float(value) for key, value in (metrics or {}).items()}
        write_whole(self.path, json.dumps(found))

    def _read(self, runner: Runner) -> dict:
        try:
            return dict(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, RecursionError):
            runner.logger.warning(f'{self.path} is damaged; its validations are lost.')
            return {}
