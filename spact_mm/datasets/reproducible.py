"""A wrapper that makes a data set a function of seed, epoch and index, and handles broken files."""

from collections.abc import Callable

from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, force_full_init
from torch.utils.data import Dataset

from ..registration import register
from .bad_samples import read_or_replace
from .leaves import leaves
from .list_checks import full_init
from .sample_seeds import SampleSeeds


@register(DATASETS)
class ReproducibleDataset(Dataset):
    """A data set whose randomness depends only on seed, epoch and index, not on its workers.

    While a sample is made, Python's, NumPy's and torch's CPU generators are seeded by the seed and
    epoch of :meth:`set_epoch` and the index; afterwards their states are restored. Before the first
    :meth:`set_epoch` they are not seeded: a loop that never calls this method would get the same
    augmentations in every epoch.

    In training a file that cannot be read is replaced by another one, also a function of seed,
    epoch and index. The replacing sample has a report, ``bad_files=[(path, reason), ...]``, in its
    metainfo, for :class:`~spact_mm.engine.BadSampleHook`. In evaluation an unreadable file is an
    error. A file counts as unreadable if a loading transform of this package raises
    :class:`~.unreadable.UnreadableFileError`, or a loading transform of MMAction2 or MMCV fails.
    Any other error, such as a bug in a transform, stops the run with a message that names the
    transform and the file.

    The annotation files are checked line by line before they are read.

    This wrapper must be the outermost one. If it wraps a data set directly, the data set's settings
    may be given as arguments of the wrapper, so that tools and child configs of MMAction2 and
    MMPretrain find ``pipeline``, ``ann_file`` and ``data_prefix`` in their usual place.

    Args:
        dataset (str | dict | Dataset): Any data set; its pipeline ends in a packing transform. A
            name is the type of a data set with the ``settings``. Defaults to ``'VideoDataset'``: a
            config with this type needs only a change of the type.
        on_bad (str, optional): ``'skip'`` or ``'raise'``. None, the default, means ``'raise'`` if
            the data set is in test mode, which allows only ``'raise'``, else ``'skip'``.
        lazy_init (bool): Whether to read the annotation file later. Defaults to False.
        allow_outside (bool): Whether entries of the annotation file may lead out of the data root,
            by ``..`` or an absolute path; links in it always may. This package's data sets have
            the same option. Defaults to False.
        **settings: Arguments of the named data set.

    Raises:
        FileNotFoundError: If an annotation file, a data folder or all checked files are missing.
        ValueError: If an annotation file is empty, of an unknown format or has a wrong entry
            (named), ``on_bad`` is unknown or ``'skip'`` in test mode, or settings are given in
            addition to a data set with its own settings.

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
            # The files are checked before they are read.
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
        self._seeds = SampleSeeds()
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Set ``epoch`` and ``seed``, both >= 0, of all following samples."""
        self._seeds.set_epoch(epoch, seed)

    def full_init(self) -> None:
        """Read and check the annotation files."""
        if self._fully_initialized:
            return
        for leaf in leaves(self.dataset):
            if isinstance(leaf, BaseDataset):
                full_init(leaf, self.allow_outside)
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict:
        """Meta information of the data set."""
        return self.dataset.metainfo

    @property
    def pipeline(self) -> Callable:
        """The transforms of the data set, also below other wrappers; tools replace them.

        Raises:
            AttributeError: If there are several data sets, or the data set has no pipeline.
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
            RuntimeError: If a file cannot be read and ``on_bad`` is ``'raise'``, if too many
                replacements in a row cannot be read either, or if a transform fails.
        """
        if not -len(self) <= idx < len(self):
            raise IndexError(f'There is no sample {idx}; the data set has {len(self)}.')
        return read_or_replace(self.dataset, idx % len(self), self._seeds, self.on_bad)
