"""PA-HMDB51: videos of HMDB51 with privacy attributes frame by frame."""

import os
from collections.abc import Mapping

import numpy as np
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..registration import register
from .annotation_files import read_segment_file
from .list_entries import check_entry, data_root

#: The binary labels of both variants, in order; variant 6 distinguishes complete and partial faces.
PA_HMDB51_ATTRIBUTES = {
    5: ('skin_color', 'face', 'gender', 'nudity', 'relationship'),
    6: ('skin_color', 'face_complete', 'face_partial', 'gender', 'nudity', 'relationship'),
}
#: ``columns`` of ``PrivacyAttributeMetric`` for an attacker with the seven outputs of VISPR1. The
#: attacker's score for a face or a relationship is that of either kind;
#: ``attributes_pa_hmdb51.csv`` of the published set pairs the attributes in the same way.
VISPR1_COLUMNS = {
    'skin_color': (0,),
    'gender': (1,),
    'face': (2, 3),
    'face_complete': (2,),
    'face_partial': (3,),
    'nudity': (4,),
    'relationship': (5, 6),
}
#: The annotated attribute and its values for a label. Any other label is the attribute of the same
#: name with any value other than 0.
_SOURCES = {'face_complete': ('face', {2}), 'face_partial': ('face', {1})}


@register(DATASETS)
class PAHMDB51Dataset(BaseDataset):
    """The frames of PA-HMDB51 with their privacy attributes; for evaluation only.

    The annotation file is written by ``tools/data/pa_hmdb51``. Samples hold ``filename`` and
    ``frame_index`` (0-based), which ``LoadVideoFrame`` takes, ``video_id`` (``<class>/<video>``
    without suffix), ``gt_label`` (indices of the attributes present) and ``gt_score`` (the same
    as a multi-hot vector). An attribute is present where its value for any person is not 0.

    15 videos are annotated only from a later frame on, and one has a gap of one frame. A frame
    without a label for some attribute has no ground truth and is left out; of the published 52,533
    frames 52,411 remain. ``metainfo`` counts ``num_videos``, ``num_frames`` (at the
    ``frame_interval``, before any is left out) and ``num_unlabelled``.

    An attacker trained on VISPR1 is evaluated by ``with_score=False`` and by the ``columns`` of
    ``PrivacyAttributeMetric`` (:data:`VISPR1_COLUMNS`).

    Args:
        ann_file (str): The annotation file, relative to ``data_root``.
        variant (int): 5 attributes, or 6 with complete and partial faces apart. Defaults to 5.
        frame_interval (int): Take every n-th frame of each video, from frame 0 on. Neighbouring
            frames differ little. Defaults to 1, all.
        unlabelled (str): ``'skip'`` leaves frames without a label for some attribute out,
            ``'absent'`` keeps them as frames that do not show it. Defaults to ``'skip'``.
        with_score (bool): Whether to give ``gt_score``. MMPretrain refuses a different number of
            predictions, so leave it out for a model of other attributes; ``gt_label`` holds the
            same labels. Defaults to True.
        data_prefix (dict, optional): Folder of HMDB51's videos, relative to ``data_root``. Defaults
            to ``dict(video='')``.
        allow_outside (bool): Whether entries of the file may lead out of the data root, by ``..``
            or an absolute path; links in it always may. Defaults to False.
        **kwargs: As :class:`mmengine.dataset.BaseDataset` (``pipeline``, ``data_root``,
            ``test_mode``, ``indices``, ...).

    Raises:
        FileNotFoundError: If the annotation file or the video folder does not exist.
        ValueError: If an option is unknown, or the file is not of PA-HMDB51.
    """

    def __init__(
        self,
        ann_file: str,
        variant: int = 5,
        frame_interval: int = 1,
        unlabelled: str = 'skip',
        with_score: bool = True,
        data_prefix: dict | None = None,
        allow_outside: bool = False,
        **kwargs,
    ) -> None:
        if variant not in PA_HMDB51_ATTRIBUTES:
            raise ValueError(f'variant of PAHMDB51Dataset is {variant!r}; choose 5 or 6.')
        if not isinstance(frame_interval, int) or frame_interval < 1:
            raise ValueError(
                f'frame_interval of PAHMDB51Dataset is {frame_interval!r}; give a number of frames '
                'of at least 1.'
            )
        if unlabelled not in ('skip', 'absent'):
            raise ValueError(
                f"unlabelled of PAHMDB51Dataset is {unlabelled!r}; choose 'skip' or 'absent'."
            )
        self.attributes = PA_HMDB51_ATTRIBUTES[variant]
        self.frame_interval = frame_interval
        self.unlabelled = unlabelled
        self.with_score = with_score
        self.allow_outside = allow_outside
        super().__init__(ann_file, data_prefix=data_prefix or dict(video=''), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file.

        Returns:
            list[dict]: ``filename``, ``video_id``, ``frame_index``, ``gt_label`` and, with
            ``with_score``, ``gt_score`` of each frame.
        """
        content = read_segment_file(self.ann_file)
        root = self.data_prefix['video']
        if root and not os.path.isdir(root):
            raise FileNotFoundError(
                f'The video folder {root} does not exist; download HMDB51 or correct data_root or '
                'data_prefix.video of PAHMDB51Dataset.'
            )
        known, needed = content['metainfo']['attributes'], PA_HMDB51_ATTRIBUTES[5]
        if set(known) != set(needed):
            raise ValueError(
                f'{self.ann_file} has the attributes {", ".join(known)} instead of '
                f'{", ".join(needed)}; write it with tools/data/pa_hmdb51/convert.py.'
            )
        folder = data_root(self, root)
        frames, num_frames, num_unlabelled = [], 0, 0
        for index, entry in enumerate(content['data_list']):
            where = f'Entry {index} (from 0) of data_list in {self.ann_file}'
            check_entry(entry['video'], where, root, folder, self.allow_outside)
            score, labelled = self._label_frames(entry)
            num_frames += len(labelled)
            num_unlabelled += int((~labelled).sum())
            keep = range(len(score)) if self.unlabelled == 'absent' else np.flatnonzero(labelled)
            for row in keep:
                info = dict(
                    filename=os.path.join(root, entry['video']),
                    video_id=os.path.splitext(entry['video'])[0],
                    frame_index=int(row) * self.frame_interval,
                    gt_label=np.flatnonzero(score[row]).tolist(),
                )
                if self.with_score:
                    info['gt_score'] = score[row].copy()
                frames.append(info)
        self._metainfo.update(
            dataset=content['metainfo'].get('dataset', 'PA-HMDB51'),
            classes=self.attributes,
            num_videos=len(content['data_list']),
            num_frames=num_frames,
            num_unlabelled=num_unlabelled,
        )
        return frames

    def _label_frames(self, entry: Mapping) -> tuple[np.ndarray, np.ndarray]:
        """Return the multi-hot labels of a video's frames, and which frames are fully labelled.

        Where segments overlap, as in one published video by a frame, the values of both are used.
        """
        score = np.zeros((entry['num_frames'], len(self.attributes)), np.float32)
        labelled = np.zeros_like(score, dtype=bool)
        for column, name in enumerate(self.attributes):
            attribute, positive = _SOURCES.get(name, (name, None))
            for start, end, values in entry['segments'][attribute]:
                labelled[start : end + 1, column] = True
                if any(value in positive if positive else value != 0 for value in values):
                    score[start : end + 1, column] = 1
        return score[:: self.frame_interval], labelled[:: self.frame_interval].all(axis=1)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the indices of the attributes present, for class-balanced sampling."""
        return self.get_data_info(idx)['gt_label']
