"""Checks of the lists and folders of a data set, before the first sample is read."""

import os

import numpy as np
from mmaction.datasets import RawframeDataset, VideoDataset
from mmengine import fileio
from mmengine.dataset import BaseDataset

from ..media.unreadable import check_list_file
from .leaves import file_of
from .list_entries import ListFormat, check_entry, check_list, data_root
from .sample_errors import describe_reason

#: Number of files whose existence is checked before training, spread evenly over the list.
_NUM_PROBED = 16


def full_init(dataset: BaseDataset, allow_outside: bool) -> None:
    """Initialize a data set; report a missing or wrong file in one sentence."""
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
    """Check the list of a data set that reads lists in MMAction2's format."""
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
    """Check the files of a data set with an annotation file of any other kind."""
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
    """Check that the folders of a data set and a few of its files exist."""
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
