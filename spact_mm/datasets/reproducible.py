"""Make a data set a function of seed, epoch and index, and robust against broken files."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine import fileio
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from ..registration import register
from .list_entries import ListFormat, check_entry, check_list, data_root
from .sample_errors import describe_reason, describe_transform, find_transform, is_unreadable
from .unreadable import check_list_file, check_regular

#: Files tried in place of a broken one before giving up.
_MAX_ATTEMPTS = 10
#: Where an annotation of MMAction2 or MMPretrain has a file.
_FILE_KEYS = ('filename', 'img_path')
#: Files looked for before training, spread evenly over the list.
_NUM_PROBED = 16


@register(DATASETS)
class ReproducibleDataset(Dataset):
    """A data set whose randomness is a function of seed, epoch and index, whatever its workers do.

    While a sample is made, Python's, NumPy's and torch's CPU generators are seeded by the seed and
    epoch of :meth:`set_epoch` and the index; afterwards they go on where they were. Until the
    first :meth:`set_epoch` they are left alone, as a loop that never calls it would get the same
    augmentations in every epoch.

    A file that cannot be read is replaced in training by another one, itself a function of seed,
    epoch and index. The sample that takes its place carries the report,
    ``bad_files=[(path, reason), ...]``, in its metainfo, on which
    :class:`~spact_mm.engine.BadSampleHook` acts. In evaluation it is an error. What says that a
    file cannot be read is :class:`~.unreadable.UnreadableFileError`, which the loading transforms
    of this package raise, and the errors of MMAction2's and MMCV's loading transforms. Any other
    error, such as a slip in a transform, stops the run with the transform and the file named.

    The annotation files are checked line by line before they are read.

    It goes around all other dataset wrappers. Where it is around a data set alone, the settings of
    that may stand beside its name, so that tools and child configs find ``pipeline``, ``ann_file``
    and ``data_prefix`` where those of MMAction2 and MMPretrain look for them.

    Args:
        dataset (str | dict | Dataset): Any data set; its pipeline ends in a packing transform. A
            name is the type of one that has the ``settings``. Defaults to ``'VideoDataset'``:
            where a tool asks for this as the type, the type alone has to be changed.
        on_bad (str, optional): ``'skip'`` or ``'raise'``. None, the default, means ``'raise'`` if
            the data set is in test mode, which allows nothing else, else ``'skip'``.
        lazy_init (bool): Whether to leave the annotation file unread. Defaults to False.
        allow_outside (bool): Whether entries of the annotation file may lead out of the data root,
            by ``..`` or an absolute path; links in it always may. This package's data sets have
            the same option. Defaults to False.
        **settings: As of the data set that is named.

    Raises:
        FileNotFoundError: If an annotation file, a data folder or every file looked for is missing.
        ValueError: If an annotation file is empty, not understood or has a wrong entry, which is
            named, ``on_bad`` is unknown or ``'skip'`` in test mode, or there are settings beside a
            data set that has its own.

    Example:
        >>> train_dataloader = dict(
        ...     dataset=dict(
        ...         type='ReproducibleDataset',
        ...         ann_file='data/train.txt',
        ...         data_prefix=dict(video='data/videos'),
        ...         pipeline=train_pipeline,
        ...     )
        ... )
    """

    def __init__(
        self,
        dataset: str | dict | Dataset = 'VideoDataset',
        on_bad: str | None = None,
        lazy_init: bool = False,
        allow_outside: bool = False,
        **settings,
    ) -> None:
        if on_bad not in (None, 'skip', 'raise'):
            raise ValueError(
                f"on_bad of ReproducibleDataset is {on_bad!r}; choose 'skip' or 'raise'."
            )
        if isinstance(dataset, str):
            dataset = dict(settings, type=dataset)
        elif settings:
            raise ValueError(
                f'ReproducibleDataset has {", ".join(sorted(settings))} beside a whole data set; '
                'put them into it, or let dataset be the name of its type alone.'
            )
        if isinstance(dataset, dict):
            dataset = dataset.copy()
            # So that the files can be checked before they are read.
            dataset['lazy_init'] = True
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.test_mode = any(getattr(leaf, 'test_mode', False) for leaf in leaves(dataset))
        self.allow_outside = allow_outside
        if self.test_mode and on_bad == 'skip':
            raise ValueError(
                "on_bad='skip' of ReproducibleDataset would replace test samples by others, and "
                'the result be that of other data; leave it out, and repair the file or take it '
                'off the list.'
            )
        self.on_bad = on_bad or ('raise' if self.test_mode else 'skip')
        # Shared memory reaches worker processes that run already; -1: not set yet.
        self._clock = torch.full((2,), -1, dtype=torch.int64).share_memory_()
        self._generator = np.random.MT19937()
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def __setstate__(self, state: dict) -> None:
        # A copy has its own clock, which copying alone would leave out of shared memory; the one
        # that a spawned worker unpickles is shared already.
        self.__dict__.update(state)
        self._clock.share_memory_()

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Make all samples drawn from here on those of ``epoch`` under ``seed``, both >= 0."""
        self._clock.copy_(torch.tensor([seed, epoch]))

    def full_init(self) -> None:
        """Read and check the annotation files."""
        if self._fully_initialized:
            return
        for leaf in leaves(self.dataset):
            if isinstance(leaf, BaseDataset):
                _full_init(leaf, self.allow_outside)
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict:
        """Meta information of the data set."""
        return self.dataset.metainfo

    @property
    def pipeline(self) -> Callable:
        """The transforms of the data set, below other wrappers too; tools exchange them.

        Raises:
            AttributeError: If there are several data sets, or it has none.
        """
        return self._leaf.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Callable) -> None:
        self._leaf.pipeline = pipeline

    @property
    def _leaf(self) -> Dataset:
        leaf, *others = leaves(self.dataset)
        if others:
            raise AttributeError(f'There are {len(others) + 1} data sets, each with a pipeline.')
        return leaf

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of a sample."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the category ids of a sample."""
        return self.dataset.get_cat_ids(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        """Return a sample.

        Raises:
            IndexError: If there is no such sample.
            RuntimeError: If a file cannot be read and ``on_bad`` is ``'raise'``, or if that many
                in a row cannot, or a transform fails.
        """
        if not -len(self) <= idx < len(self):
            raise IndexError(f'There is no sample {idx}; the data set has {len(self)}.')
        bad_files = []
        for attempt in range(_MAX_ATTEMPTS):
            tried = self._substitute(idx, attempt)
            try:
                with self._seeded(idx, attempt):
                    sample = self._make_sample(tried)
            except Exception as error:
                path, reason = self._path(tried), describe_reason(error)
                transform = find_transform(error)
                if not is_unreadable(error, transform):
                    raise RuntimeError(
                        f'{describe_transform(transform)} fails on sample {tried}, {path} '
                        f'({reason}); correct the pipeline or the annotations.'
                    ) from error
                if self.on_bad == 'raise':
                    raise RuntimeError(
                        f'Sample {tried}, {path}, cannot be read ({reason}); repair it or take it '
                        'off the list, as evaluation replaces no sample.'
                    ) from error
                bad_files.append((path, reason))
            else:
                return _attach(sample, bad_files)
        raise RuntimeError(
            f'{_MAX_ATTEMPTS} files in a row cannot be read, the first being {bad_files[0][0]} '
            f'({bad_files[0][1]}); check the data set and the pipeline.'
        )

    def _make_sample(self, idx: int) -> dict:
        info = getattr(self.dataset, 'get_data_info', lambda _: {})(idx)
        path = next((info[key] for key in _FILE_KEYS if key in info), None)
        # The loaders of MMAction2 and MMCV would wait for the writer of a pipe.
        if path and '://' not in path and os.path.lexists(path):
            check_regular(path)
        return self.dataset[idx]

    def _entropy(self, idx: int, attempt: int) -> np.random.SeedSequence:
        # Negative indices and a clock that is not set are no entropy.
        clock = [max(value, 0) for value in self._clock.tolist()]
        return np.random.SeedSequence([*clock, idx % len(self), attempt])

    def _substitute(self, idx: int, attempt: int) -> int:
        """Return ``idx`` at the first attempt, then other indices."""
        others = len(self) - 1
        if attempt == 0 or others == 0:
            return idx
        draw = int(self._entropy(idx, attempt).generate_state(1)[0])
        return (idx + 1 + draw % others) % len(self)

    @contextmanager
    def _seeded(self, idx: int, attempt: int) -> Iterator[None]:
        """Seed the generators of this process inside the context and restore them after it."""
        if self._clock[1] < 0:
            yield
            return
        states = random.getstate(), torch.get_rng_state()
        # Exchanging NumPy's generator is 300 times as fast as saving and restoring its state.
        numpy_generator = np.random.get_bit_generator()
        np.random.set_bit_generator(self._generator)
        words = self._entropy(idx, attempt).generate_state(8)
        random.seed(words[:3].tobytes())
        np.random.seed(words[3:6])
        # torch.manual_seed would seed the accelerators' generators too.
        torch.default_generator.manual_seed(int(words[6]) << 32 | int(words[7]))
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_bit_generator(numpy_generator)
            torch.set_rng_state(states[1])

    def _path(self, idx: int) -> str:
        return file_of(self.dataset.get_data_info(idx)) or f'sample {idx}'


def leaves(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the data sets below wrappers."""
    children = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for child in children:
        if child is None:
            yield dataset
        else:
            yield from leaves(child)


def file_of(info: dict) -> str | None:
    """Return the file of an annotation of MMAction2 or MMPretrain."""
    return next((info[key] for key in (*_FILE_KEYS, 'frame_dir') if key in info), None)


def _attach(sample: dict, bad_files: list[tuple[str, str]]) -> dict:
    """Put the report of the files that a sample replaces into its metainfo."""
    if bad_files:
        data_sample = sample.get('data_samples') if isinstance(sample, dict) else None
        if not isinstance(data_sample, BaseDataElement):
            raise TypeError(
                f'{bad_files[0][0]} cannot be read ({bad_files[0][1]}), and the sample in its '
                'place cannot say so; end the pipeline with PackActionInputs or '
                'mmpretrain.PackInputs.'
            )
        data_sample.set_metainfo(dict(bad_files=bad_files))
    return sample


def _full_init(dataset: BaseDataset, allow_outside: bool) -> None:
    """Initialize a data set; say in one sentence what is missing or wrong."""
    name, ann_file = type(dataset).__name__, dataset.ann_file
    if ann_file:
        content = _read_annotations(ann_file, name)
        if allow_outside and hasattr(dataset, 'allow_outside'):
            dataset.allow_outside = True
        _check_lines(dataset, content, allow_outside)
    try:
        dataset.full_init()
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        if str(ann_file) in str(error):
            raise
        raise ValueError(
            f'The annotation file {ann_file} cannot be read as that of {name} '
            f'({describe_reason(error)}); write it anew with the converter in tools/data/.'
        ) from error
    if len(dataset) == 0:
        raise ValueError(f'{name} has no sample of {ann_file}; check its filter_cfg and indices.')
    _check_entries(dataset, allow_outside)
    _check_files(dataset)


def _read_annotations(ann_file: str, name: str) -> bytes:
    if '://' not in ann_file:
        if not os.path.lexists(ann_file):
            raise FileNotFoundError(
                f'The annotation file {ann_file} of {name} does not exist; write it with the '
                'converter in tools/data/ or correct ann_file or data_root.'
            )
        check_list_file(ann_file)
    content = fileio.get(ann_file)
    if not content.strip():
        raise ValueError(
            f'The annotation file {ann_file} of {name} is empty; write it anew with the '
            'converter in tools/data/.'
        )
    return content


def _check_lines(dataset: BaseDataset, content: bytes, allow_outside: bool) -> None:
    """Check the list of a data set that reads it as MMAction2's do."""
    reads = type(dataset).load_data_list
    if reads is VideoDataset.load_data_list:
        prefix, delimiter, num_counts = dataset.data_prefix['video'], dataset.delimiter, 0
    elif reads is RawframeDataset.load_data_list:
        prefix, delimiter, num_counts = dataset.data_prefix['img'], None, 1 + dataset.with_offset
    else:
        return
    columns = ListFormat(
        delimiter, num_counts, dataset.multi_class, dataset.num_classes, dataset.test_mode
    )
    root = data_root(dataset, prefix)
    check_list(content, dataset.ann_file, columns, prefix, root, allow_outside)


def _check_entries(dataset: BaseDataset, allow_outside: bool) -> None:
    """Check the files of other data sets, whose annotation files may be of any kind."""
    prefix = next(iter(dataset.data_prefix.values()), None)
    root = data_root(dataset, prefix)
    if allow_outside or hasattr(dataset, 'allow_outside') or not root:
        return
    for index in range(len(dataset)):
        name = file_of(dataset.get_data_info(index))
        if name and '://' not in name:
            where = f'Sample {index} of {dataset.ann_file}'
            check_entry(os.path.abspath(name), where, None, root)


def _check_files(dataset: BaseDataset) -> None:
    """Look for the folders of a data set and for a few of its files."""
    name = type(dataset).__name__
    for key, folder in dataset.data_prefix.items():
        if folder and '://' not in folder and not os.path.isdir(folder):
            raise FileNotFoundError(
                f'The folder {folder} of {name} does not exist; get the data set or correct '
                f'data_prefix.{key} or data_root.'
            )
    indices = np.unique(np.linspace(0, len(dataset) - 1, _NUM_PROBED).astype(int))
    files = [file_of(dataset.get_data_info(int(index))) for index in indices]
    files = [file for file in files if file and '://' not in file]
    if files and not any(map(os.path.exists, files)):
        raise FileNotFoundError(
            f'None of {len(files)} files of {dataset.ann_file} that were looked for exists, for '
            f'example {files[0]}; get the data set or correct data_prefix.'
        )
