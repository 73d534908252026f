"""Single frames of videos with privacy labels, for attackers on images."""

import os
from collections.abc import Sequence

from mmaction.registry import DATASETS

from ..registration import register
from .attribute_dataset import AttributeDataset


@register(DATASETS)
class VideoAttributeDataset(AttributeDataset):
    """Frames of videos that are labelled as a whole; ``LoadVideoFrame`` begins their pipeline.

    The annotation file has the format of :class:`VISPRDataset`, with the videos' paths as
    ``img_path``; names with spaces or ``#!(&;`` are allowed. Samples hold

    - ``filename``,
    - ``video_id``, the path as in the file, without suffix,
    - ``frame_position``: None, any frame, in training; in test mode the centre of one of
      ``frames_per_video`` equal parts of the video, as a fraction in [0, 1),
    - ``gt_label`` and ``gt_score``, as in :class:`VISPRDataset`; with ``single_label``,
      ``gt_label`` is one class index,
    - ``action``, the action in the video, if the file has it.

    The frames of a video follow one another. ``PrivacyAttributeMetric(level='video')`` averages
    over them by the ``video_id``, which ``PackInputs`` must pass on::

        dict(type='LoadVideoFrame'),
        dict(type='SquareCrop', scale=0.8, random=False),
        dict(type='mmpretrain.Resize', scale=(112, 112)),
        dict(type='mmpretrain.PackInputs', meta_keys=('filename', 'video_id', 'frame_index')),

    Args:
        ann_file (str): The annotation file, relative to ``data_root``.
        attributes (Sequence[str], optional): Ids of the attributes that become the labels, in this
            order. None, the default, means all of the file, in its order.
        single_label (bool): Whether each video has exactly one of the attributes, for instance
            its person's identity. Defaults to False.
        frames_per_video (int): Number of samples of each video. Defaults to 1.
        data_prefix (dict, optional): Folder of the videos, relative to ``data_root``. Defaults to
            ``dict(video='')``.
        allow_outside (bool): Whether entries of the file may lead out of the data root, by ``..``
            or an absolute path; links in it always may. Defaults to False.
        **kwargs: As :class:`mmengine.dataset.BaseDataset` (``pipeline``, ``data_root``,
            ``test_mode``, ...).

    Raises:
        FileNotFoundError: If the annotation file or the video folder does not exist.
        ValueError: If the file lists no video or lacks a requested attribute, if a video has no or
            several labels with ``single_label``, or if ``frames_per_video`` is below 1.
    """

    _prefix_key = 'video'
    _medium = 'video'

    def __init__(
        self,
        ann_file: str,
        attributes: Sequence[str] | None = None,
        single_label: bool = False,
        frames_per_video: int = 1,
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        if frames_per_video < 1:
            raise ValueError(
                f'frames_per_video of VideoAttributeDataset is {frames_per_video}; '
                'give a number of frames of at least 1.'
            )
        self.single_label = single_label
        self.frames_per_video = frames_per_video
        super().__init__(ann_file, attributes, data_prefix, **kwargs)

    def _choose_attributes(self, known: Sequence[str]) -> None:
        if self.attributes is None:
            self.attributes = tuple(known)
        super()._choose_attributes(known)

    def _samples(self, entry: dict, root: str) -> list[dict]:
        path, count = entry['img_path'], self.frames_per_video
        info = dict(
            filename=os.path.join(root, path),
            video_id=os.path.splitext(path)[0],
            frame_position=None,
            **self._labels(entry),
        )
        if 'action' in entry:
            info['action'] = entry['action']
        if self.single_label:
            if len(info['gt_label']) != 1:
                present = [self.attributes[index] for index in info['gt_label']]
                raise ValueError(
                    f'The video {path} of {self.ann_file} has the labels {present} instead of '
                    'exactly one; correct the file or attributes, or set single_label=False of '
                    'VideoAttributeDataset.'
                )
            info['gt_label'] = info['gt_label'][0]
        if not self.test_mode:
            return [info] * count
        return [dict(info, frame_position=(part + 0.5) / count) for part in range(count)]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the indices of the attributes present, for class-balanced sampling."""
        labels = super().get_cat_ids(idx)
        return [labels] if self.single_label else labels
