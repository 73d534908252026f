"""Base class of data sets with an attribute annotation file: reading, checking, labelling."""

import os
from collections.abc import Sequence

import numpy as np
from mmengine.dataset import BaseDataset

from .annotation_files import read_attribute_file
from .list_entries import check_entry, data_root


class AttributeDataset(BaseDataset):
    """Base of data sets read from a file of :func:`~.annotation_files.write_attribute_file`.

    A subclass defines the samples of an entry by ``_samples``, and the kind of entries by
    ``_prefix_key`` and ``_medium``.

    Args:
        ann_file (str): The annotation file, relative to ``data_root``.
        attributes (Sequence[str], optional): Ids of the attributes that become the labels, in this
            order.
        data_prefix (dict, optional): Folder of the files, relative to ``data_root``.
        allow_outside (bool): Whether entries of the file may lead out of the data root, by ``..``
            or an absolute path; links in it always may. Defaults to False.
        **kwargs: As :class:`mmengine.dataset.BaseDataset`.
    """

    #: The key of ``data_prefix`` for the folder of the files.
    _prefix_key: str
    #: Name of the kind of files in messages.
    _medium: str

    def __init__(
        self,
        ann_file: str,
        attributes: Sequence[str] | None = None,
        data_prefix: dict | None = None,
        allow_outside: bool = False,
        **kwargs,
    ) -> None:
        self.allow_outside = allow_outside
        self.attributes = None if attributes is None else tuple(attributes)
        super().__init__(ann_file, data_prefix=data_prefix or {self._prefix_key: ''}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file.

        Returns:
            list[dict]: The samples, in the order of the file.
        """
        content = read_attribute_file(self.ann_file)
        root = self.data_prefix[self._prefix_key]
        if root and not os.path.isdir(root):
            raise FileNotFoundError(
                f'The {self._medium} folder {root} does not exist; download the {self._medium}s or '
                f'correct data_root or data_prefix.{self._prefix_key} of {type(self).__name__}.'
            )
        folder = data_root(self, root)
        for index, entry in enumerate(content['data_list']):
            where = f'Entry {index} (from 0) of data_list in {self.ann_file}'
            check_entry(entry['img_path'], where, root, folder, self.allow_outside)
        known = content['metainfo']['attributes']
        self._metainfo.setdefault(
            'dataset', content['metainfo'].get('dataset', type(self).__name__)
        )
        self._metainfo['attributes'] = tuple(known)
        self._choose_attributes(known)
        if self.attributes is not None:
            self._metainfo['classes'] = self.attributes
        return [sample for entry in content['data_list'] for sample in self._samples(entry, root)]

    def _choose_attributes(self, known: Sequence[str]) -> None:
        """Check the requested attributes against those of the file."""
        if self.attributes is None:
            return
        unknown = [name for name in self.attributes if name not in known]
        if unknown or not self.attributes or len(set(self.attributes)) < len(self.attributes):
            problem = f'the unknown {unknown}' if unknown else 'none, or one twice'
            raise ValueError(
                f'attributes of {type(self).__name__} holds {problem}; choose from those of '
                f'{self.ann_file}: {", ".join(known)}.'
            )

    def _samples(self, entry: dict, root: str) -> list[dict]:
        """Return the samples of an entry of the file.

        Args:
            entry (dict): ``img_path``, relative to ``root``, and ``attributes``.
            root (str): The folder of the files.
        """
        raise NotImplementedError

    def _labels(self, entry: dict) -> dict:
        """Return ``gt_label``, the indices of present attributes, and ``gt_score``, multi-hot."""
        present = set(entry['attributes'])
        score = np.array([name in present for name in self.attributes], dtype=np.float32)
        return dict(gt_label=np.flatnonzero(score).tolist(), gt_score=score)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the indices of the attributes present, for class-balanced sampling."""
        return self.get_data_info(idx)['gt_label']
