"""Make a data set a function of seed, epoch and index, and robust against broken files."""

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
        self._seeds = SampleSeeds()
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Make all samples drawn from here on those of ``epoch`` under ``seed``, both >= 0."""
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
        return read_or_replace(self.dataset, idx % len(self), self._seeds, self.on_bad)
