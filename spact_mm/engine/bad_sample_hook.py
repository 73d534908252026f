"""Report training files that cannot be read, and stop when they are many."""

from collections.abc import Iterator

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registration import register


@register(HOOKS)
class BadSampleHook(Hook):
    """Name each broken training file once, count them, and stop the run when they are too many.

    :class:`~spact_mm.datasets.ReproducibleDataset` replaces a broken file and puts the report into
    the sample that takes its place; this hook reads it from the batches. With several processes
    each sees its own batches; they exchange what they found at the end of each epoch.

    Args:
        max_bad_fraction (float): The run stops as soon as the files found broken since it started
            are more than this fraction of the samples of their data set; one in ten is too many
            for 0.05. Defaults to 0.05.

    Raises:
        ValueError: If ``max_bad_fraction`` is not in [0, 1].
    """

    def __init__(self, max_bad_fraction: float = 0.05) -> None:
        if not 0 <= max_bad_fraction <= 1:
            raise ValueError(
                'max_bad_fraction of BadSampleHook must be a fraction in [0, 1], but is '
                f'{max_bad_fraction}.'
            )
        self.max_bad_fraction = max_bad_fraction
        self._bad_files: dict[str, dict[str, str]] = {}

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Look through a batch.

        Raises:
            RuntimeError: If too many files are broken.
        """
        for name, batch in _batches(data_batch):
            for path, reason in _reports(batch):
                self._add(runner, name, path, reason)

    def after_train_epoch(self, runner: Runner) -> None:
        """Merge what all processes found and log the count.

        Raises:
            RuntimeError: If too many files are broken.
        """
        for found in all_gather_object(self._bad_files):
            for name, files in found.items():
                for path, reason in files.items():
                    self._add(runner, name, path, reason)
        for name, files in self._bad_files.items():
            total = len(_loaders(runner)[name].dataset)
            runner.logger.warning(
                f'{len(files)} of {total} {name} files could not be read so far and were replaced.'
            )

    def _add(self, runner: Runner, name: str, path: str, reason: str) -> None:
        files = self._bad_files.setdefault(name, {})
        if path in files:
            return
        files[path] = reason
        runner.logger.warning(
            f'The {name} file {path} cannot be read and is replaced by another: {reason}'
        )
        total = len(_loaders(runner)[name].dataset)
        if len(files) > self.max_bad_fraction * total:
            first = '; '.join(f'{path} ({reason})' for path, reason in list(files.items())[:3])
            raise RuntimeError(
                f'{len(files)} of {total} {name} files cannot be read, more than the '
                f'{self.max_bad_fraction:.1%} that max_bad_fraction of BadSampleHook allows, the '
                f'first being {first}; repair the data set or convert it anew.'
            )


def _loaders(runner: Runner) -> dict:
    """Return the training loaders by name; the only one of a plain loop is ``train``."""
    return getattr(runner.train_dataloader, 'loaders', dict(train=runner.train_dataloader))


def _batches(data_batch: dict | None) -> Iterator[tuple[str, dict]]:
    """Yield the name of each loader and its batch."""
    if not isinstance(data_batch, dict):
        return
    named = dict(train=data_batch) if 'data_samples' in data_batch else data_batch
    yield from ((name, batch) for name, batch in named.items() if isinstance(batch, dict))


def _reports(batch: dict) -> Iterator[tuple[str, str]]:
    """Yield path and reason of the files that samples of a batch replace."""
    for sample in batch.get('data_samples') or ():
        if sample is not None:
            yield from sample.get('bad_files', ())
