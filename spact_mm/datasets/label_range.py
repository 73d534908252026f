"""The labels of a data set, compared with the classes of a model."""

from numbers import Integral

import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from .leaves import file_of, leaves


def check_labels(dataset: Dataset, num_classes: int, key: str) -> None:
    """Refuse labels beyond the classes of a head.

    The check reads all annotations of the data sets below wrappers, not the samples: ``gt_label``
    or ``label``, one class or several, from 0 on, and ``gt_score``, one number for each attribute.
    Annotations without labels are fine.

    Args:
        dataset (Dataset): Any data set; data sets that are not MMEngine's are not checked.
        num_classes (int): Classes or attributes of the head.
        key (str): The config key of ``num_classes``, for the message.

    Raises:
        ValueError: If a label is out of range, or the number of attributes differs.
    """
    for leaf in leaves(dataset):
        if isinstance(leaf, BaseDataset):
            for index in range(len(leaf)):
                _check_entry(leaf, index, num_classes, key)


def _check_entry(leaf: BaseDataset, index: int, num_classes: int, key: str) -> None:
    info = leaf.get_data_info(index)
    label = info.get('gt_label', info.get('label'))
    if isinstance(label, Integral):
        outside = [] if 0 <= label < num_classes else [label]
    elif 'gt_score' in info or isinstance(label, torch.Tensor):
        # One number for each attribute; MMAction2 makes the scores of the classes for
        # `multi_class=True`.
        scores = info.get('gt_score', label)
        if len(scores) != num_classes:
            raise ValueError(
                f'{_name(leaf, index, info)} has {len(scores)} attributes, but {key} is '
                f'{num_classes}; make both equal.'
            )
        return
    else:
        outside = [one for one in (() if label is None else label) if not 0 <= one < num_classes]
    if outside:
        raise ValueError(
            f'{_name(leaf, index, info)} has the label {outside[0]}, but {key} is {num_classes}, '
            f'which allows 0 to {num_classes - 1}; correct the file (labels count from 0) or raise '
            f'{key}.'
        )


def _name(leaf: BaseDataset, index: int, info: dict) -> str:
    file = file_of(info)
    return f'Entry {index + 1}{f", {file}," if file else ""} of {leaf.ann_file}'
