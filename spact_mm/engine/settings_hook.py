"""Checks for settings of a run without effect, or with an unwanted one."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import Dataset

from ..config_keys import refuse_unread
from ..datasets import ReproducibleDataset
from ..registration import register
from .bad_sample_hook import BadSampleHook
from .minimax_loop import MinimaxTrainLoop
from .reproducible_epoch_hook import ReproducibleEpochHook
from .run_schedulers import refuse_schedulers_beyond


@register(HOOKS)
class SettingsHook(Hook):
    """Refuse a run with settings that would silently have no effect or another one.

    - A variable of a config file that is changed by ``--cfg-options``, or by a child config, after
      other settings have been made of it.
    - A scheduler that ends after the run, so that its last rate is never reached. (The loop of the
      minimax checks its schedulers itself.)
    - A :class:`ReproducibleDataset` inside another wrapper.
    - A :class:`ReproducibleDataset` in a loop that does not set its epoch, because a child config's
      ``custom_hooks`` has replaced :class:`ReproducibleEpochHook`.

    A warning is given if unreadable files would be replaced without being counted, because
    :class:`BadSampleHook` is off.

    Raises:
        ValueError: If there is such a setting.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check for changes without effect, also in tests."""
        refuse_unread(runner.cfg)

    def before_train(self, runner: Runner) -> None:
        """Check the hooks and the schedulers."""
        follows_schedule = isinstance(runner.train_loop, MinimaxTrainLoop)
        if not follows_schedule:
            refuse_schedulers_beyond(
                runner.cfg.get('param_scheduler'), runner.max_epochs, runner.max_iters
            )
        loaders = getattr(runner.train_dataloader, 'loaders', dict(train=runner.train_dataloader))
        datasets = [loader.dataset for loader in loaders.values()]
        for name, data in zip(loaders, datasets, strict=True):
            _refuse_buried(name, data)
        datasets = [data for data in datasets if isinstance(data, ReproducibleDataset)]
        is_seeded = follows_schedule or _has(runner, ReproducibleEpochHook)
        if datasets and not is_seeded:
            _refuse_unseeded(runner)
        is_skipping = any(data.on_bad == 'skip' for data in datasets)
        if is_skipping and not _has(runner, BadSampleHook):
            runner.logger.warning(
                'BadSampleHook is off: training files that cannot be read are replaced without '
                "being named or counted. Set on_bad='raise' of ReproducibleDataset to stop at the "
                'first.'
            )


def _has(runner: Runner, kind: type[Hook]) -> bool:
    return any(isinstance(hook, kind) for hook in runner.hooks)


def _refuse_buried(name: str, dataset: Dataset) -> None:
    """Refuse a ``ReproducibleDataset`` in another wrapper, which would not pass on the epoch."""
    inner = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    for child in filter(None, inner):
        if isinstance(child, ReproducibleDataset):
            raise ValueError(
                f'The {name} data set is a {type(dataset).__name__} of a ReproducibleDataset, '
                'which is not told the epoch then; put ReproducibleDataset around all other '
                'wrappers.'
            )
        _refuse_buried(name, child)


def _refuse_unseeded(runner: Runner) -> None:
    """Refuse a run without the hook that sets the epoch of a ``ReproducibleDataset``."""
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        raise ValueError(
            'train_dataloader has a ReproducibleDataset, but nothing tells it the epoch, so that '
            "neither it nor a resumed run is reproducible; add dict(type='ReproducibleEpochHook') "
            "to custom_hooks (a child config's custom_hooks replaces that of its base)."
        )
    runner.logger.warning(
        f'A {type(runner.train_loop).__name__} has no epochs to seed a ReproducibleDataset by: a '
        'resumed run draws other samples than one that was not interrupted.'
    )
