"""Sampling of a clip at a position given by the data set."""

import math

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...registration import register
from .sampling import reflect


@register(TRANSFORMS)
class SampleClip(BaseTransform):
    """Choose a clip by ``frame_position``, as ``LoadVideoFrame`` chooses a frame.

    So an attacker can look at several clips of a video, each as a separate sample. Videos shorter
    than the clip are extended by reflection, as in ``ReflectSampleFrames``.

    Required Keys:

    - total_frames
    - start_index (int, optional): Number of the first frame. Defaults to 0.
    - frame_position (float, optional): Position of the first frame among the possible ones, in [0,
      1). Without the key, or with None, the position is random.

    Added Keys:

    - frame_inds (np.ndarray): (clip_len,) int32.
    - clip_len (int)
    - frame_interval (int)
    - num_clips (int): 1.

    Args:
        clip_len (int): Frames of a clip.
        frame_interval (int): Distance of consecutive frames. Defaults to 1.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self, clip_len: int, frame_interval: int = 1) -> None:
        if min(clip_len, frame_interval) < 1:
            raise ValueError(
                'SampleClip needs clip_len and frame_interval of at least 1, but got '
                f'{clip_len} and {frame_interval}.'
            )
        self.clip_len, self.frame_interval = clip_len, frame_interval

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Raises:
            ValueError: If the video has no frame.
        """
        total = results['total_frames']
        if total < 1:
            raise ValueError(f'The video {results.get("filename", "")} has no frame.')
        starts = max(1, total - (self.clip_len - 1) * self.frame_interval)
        position = results.get('frame_position')
        if position is None:
            start = np.random.randint(starts)
        else:
            start = math.floor(position * starts)
        indices = reflect(start + np.arange(self.clip_len) * self.frame_interval, total)
        results['frame_inds'] = (indices + results.get('start_index', 0)).astype(np.int32)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = 1
        return results
