"""VISPR: images with privacy attributes."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..registration import register
from .annotation_files import read_attribute_file

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
#: The attributes of the "novel attributes" protocol. Unconfirmed: no primary text was checked.
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
class VISPRDataset(BaseDataset):
    """Images of VISPR, or of any set with the same annotation file, with or without labels.

    The file is written by ``tools/data/vispr`` (see :mod:`spact_mm.datasets.annotation_files`).
    Samples hold ``img_path`` and ``img_id`` (the file's stem) and, where attributes are asked for,
    ``gt_label`` (indices of those present) and ``gt_score`` (the same as a multi-hot vector), what
    MMPretrain's multi-label heads and metrics take. ``metainfo['classes']`` are the attributes
    asked for, ``metainfo['attributes']`` all of the file.

    Args:
        ann_file (str): The annotation file, relative to ``data_root``.
        attributes (Sequence[str], optional): Ids of the attributes that become the labels, in this
            order; also ``'VISPR1'`` or ``'VISPR2'``. None, the default, gives no labels:
            contrastive training needs none.
        data_prefix (dict, optional): Where the images are, relative to ``data_root``.
            Defaults to ``dict(img_path='')``.
        **kwargs: As :class:`mmengine.dataset.BaseDataset` (``pipeline``, ``data_root``,
            ``test_mode``, ``indices``, ...).

    Raises:
        FileNotFoundError: If the annotation file or the image folder does not exist.
        ValueError: If the file lists no image or not the attributes asked for.
    """

    def __init__(
        self,
        ann_file: str,
        attributes: Sequence[str] | str | None = None,
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        if isinstance(attributes, str):
            attributes = _named_list(attributes)
        self.attributes = None if attributes is None else tuple(attributes)
        super().__init__(ann_file, data_prefix=data_prefix or dict(img_path=''), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file.

        Returns:
            list[dict]: ``img_path``, ``img_id`` and, with attributes, ``gt_label`` and
            ``gt_score`` of each image.
        """
        content = read_attribute_file(self.ann_file)
        root = self.data_prefix['img_path']
        if root and not os.path.isdir(root):
            raise FileNotFoundError(
                f'The image folder {root} does not exist; download the images or correct '
                'data_root or data_prefix.img_path of VISPRDataset.'
            )
        known = content['metainfo']['attributes']
        self._metainfo.setdefault('dataset', content['metainfo'].get('dataset', 'VISPR'))
        self._metainfo['attributes'] = tuple(known)
        if self.attributes is not None:
            self._check_attributes(known)
            self._metainfo['classes'] = self.attributes
        return [self._parse(entry, root) for entry in content['data_list']]

    def _check_attributes(self, known: Sequence[str]) -> None:
        unknown = [name for name in self.attributes if name not in known]
        if unknown or not self.attributes or len(set(self.attributes)) < len(self.attributes):
            problem = f'the unknown {unknown}' if unknown else 'none, or one twice'
            raise ValueError(
                f'attributes of VISPRDataset holds {problem}; choose from those of '
                f'{self.ann_file}: {", ".join(known)}.'
            )

    def _parse(self, entry: dict, root: str) -> dict:
        info = dict(
            img_path=os.path.join(root, entry['img_path']), img_id=Path(entry['img_path']).stem
        )
        if self.attributes is not None:
            present = set(entry['attributes'])
            score = np.array([name in present for name in self.attributes], dtype=np.float32)
            info.update(gt_label=np.flatnonzero(score).tolist(), gt_score=score)
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the indices of the attributes present, for class-balanced sampling."""
        return self.get_data_info(idx)['gt_label']


def _named_list(name: str) -> tuple[str, ...]:
    lists = dict(VISPR1=VISPR1_ATTRIBUTES, VISPR2=VISPR2_ATTRIBUTES)
    if name not in lists:
        raise ValueError(
            f'attributes of VISPRDataset is {name!r}; give a list of ids or one of {list(lists)}.'
        )
    return lists[name]
