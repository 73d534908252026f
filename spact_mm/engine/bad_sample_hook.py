"""Report training files that cannot be read, and stop if there are too many."""

import json
from collections.abc import Iterator
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..files import write_whole
from ..registration import register

#: ``{loader: {path: {'reason': ..., 'count': ...}}}``
Listed = dict[str, dict[str, dict]]


@register(HOOKS)
class BadSampleHook(Hook):
    """Report each broken training file once, and stop the run if there are too many.

    :class:`~spact_mm.datasets.ReproducibleDataset` replaces a broken file and adds a report to the
    replacing sample; this hook reads the reports from the batches. Each of several processes sees
    its own batches; the processes exchange their reports at the end of each epoch.
    ``bad_samples.json`` in the work directory lists the files of all processes for each loader,
    with the reason and the number of replacements, also across ``--resume``.

    Args:
        max_bad_fraction (float): Largest fraction of broken files among the samples of their data
            set, counted since the run started; for 0.05 one in ten is too many. Defaults to 0.05.

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
        #: Number of replacements of each file since the last exchange of processes.
        self._counts: dict[str, dict[str, int]] = {}
        self._listed: Listed = {}

    def before_train(self, runner: Runner) -> None:
        """Continue the list of a resumed run."""
        path = _list_path(runner)
        if runner._resume and path.is_file():
            self._listed = json.loads(path.read_text(encoding='utf-8'))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Read the reports in a batch.

        Raises:
            RuntimeError: If too many files are broken.
        """
        for name, batch in _batches(data_batch):
            for path, reason in _reports(batch):
                counts = self._counts.setdefault(name, {})
                counts[path] = counts.get(path, 0) + 1
                self._add(runner, name, path, reason)

    def after_train_epoch(self, runner: Runner) -> None:
        """Merge the reports of all processes and log the count.

        Raises:
            RuntimeError: If too many files are broken.
        """
        for found, counts in all_gather_object((self._bad_files, self._counts)):
            self._list(found, counts)
            for name, files in found.items():
                for path, reason in files.items():
                    self._add(runner, name, path, reason)
        self._counts = {}
        self._write(runner)
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
            self._list(self._bad_files, self._counts)
            self._write(runner)
            first = '; '.join(f'{path} ({reason})' for path, reason in list(files.items())[:3])
            raise RuntimeError(
                f'{len(files)} of {total} {name} files cannot be read, more than the '
                f'{self.max_bad_fraction:.1%} that max_bad_fraction of BadSampleHook allows, the '
                f'first being {first}; repair the data set or convert it anew.'
            )

    def _list(self, found: dict[str, dict[str, str]], counts: dict[str, dict[str, int]]) -> None:
        """Add the reports of a process to the list."""
        for name, files in counts.items():
            listed = self._listed.setdefault(name, {})
            for path, count in files.items():
                entry = listed.setdefault(path, dict(reason=found[name][path], count=0))
                entry['count'] += count

    def _write(self, runner: Runner) -> None:
        if self._listed and is_main_process():
            write_whole(_list_path(runner), json.dumps(self._listed, indent=1) + '\n')


def _list_path(runner: Runner) -> Path:
    return Path(runner.work_dir) / 'bad_samples.json'


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
    """Yield path and reason of the files that are replaced in a batch."""
    for sample in batch.get('data_samples') or ():
        if sample is not None:
            yield from sample.get('bad_files', ())
