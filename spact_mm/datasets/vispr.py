"""VISPR: images with privacy attributes."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import DATASETS

from ..registration import register
from .attribute_dataset import AttributeDataset

#: The attributes of SPAct's "known attributes" protocol, in its order.
VISPR1_ATTRIBUTES = (
    'a17_color',
    'a4_gender',
    'a9_face_complete',
    'a10_face_partial',
    'a12_semi_nudity',
    'a64_rel_personal',
    'a65_rel_social',
)
#: The attributes of the "novel attributes" protocol. Unconfirmed: not checked against a primary
#: source.
VISPR2_ATTRIBUTES = (
    'a6_hair_color',
    'a16_race',
    'a59_sports',
    'a1_age_approx',
    'a2_weight_approx',
    'a73_landmark',
    'a11_tattoo',
)


@register(DATASETS)
class VISPRDataset(AttributeDataset):
    """Images of VISPR, or of any set with the same annotation file, with or without labels.

    The file is written by ``tools/data/vispr`` (see :mod:`spact_mm.datasets.annotation_files`).
    Samples hold ``img_path`` and ``img_id`` (the file's stem) and, with requested attributes,
    ``gt_label`` (indices of present attributes) and ``gt_score`` (the same as a multi-hot vector),
    as MMPretrain's multi-label heads and metrics need them. ``metainfo['classes']`` are the
    requested attributes, ``metainfo['attributes']`` all attributes of the file.

    Args:
        ann_file (str): The annotation file, relative to ``data_root``.
        attributes (Sequence[str], optional): Ids of the attributes that become the labels, in this
            order; also ``'VISPR1'`` or ``'VISPR2'``. None, the default, gives no labels:
            contrastive training needs none.
        data_prefix (dict, optional): Folder of the images, relative to ``data_root``. Defaults to
            ``dict(img_path='')``.
        allow_outside (bool): Whether entries of the file may lead out of the data root, by ``..``
            or an absolute path; links in it always may. Defaults to False.
        **kwargs: As :class:`mmengine.dataset.BaseDataset` (``pipeline``, ``data_root``,
            ``test_mode``, ``indices``, ...).

    Raises:
        FileNotFoundError: If the annotation file or the image folder does not exist.
        ValueError: If the file lists no image or lacks a requested attribute.
    """

    _prefix_key = 'img_path'
    _medium = 'image'

    def __init__(
        self,
        ann_file: str,
        attributes: Sequence[str] | str | None = None,
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        if isinstance(attributes, str):
            attributes = _named_list(attributes)
        super().__init__(ann_file, attributes, data_prefix, **kwargs)

    def _samples(self, entry: dict, root: str) -> list[dict]:
        path = entry['img_path']
        info = dict(img_path=os.path.join(root, path), img_id=Path(path).stem)
        return [dict(info, **self._labels(entry)) if self.attributes is not None else info]


def _named_list(name: str) -> tuple[str, ...]:
    lists = dict(VISPR1=VISPR1_ATTRIBUTES, VISPR2=VISPR2_ATTRIBUTES)
    if name not in lists:
        raise ValueError(
            f'attributes of VISPRDataset is {name!r}; give a list of ids or one of {list(lists)}.'
        )
    return lists[name]
