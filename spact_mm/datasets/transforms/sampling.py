"""Sampling of a clip's frames from a video."""

import numpy as np
from mmaction.datasets.transforms import SampleFrames
from mmaction.registry import TRANSFORMS

from ...registration import register
from ..unreadable import UnreadableFileError


@register(TRANSFORMS)
class ReflectSampleFrames(SampleFrames):
    """Sample clips as MMAction2's ``SampleFrames``, but pad short videos by reflection.

    A video of 4 frames is extended to 0 1 2 3 2 1 0 1 ..., as in the official code of SPAct;
    ``SampleFrames`` would jump back to the first frame or repeat the last. The first frame of a
    training clip is drawn uniformly; test clips are spread evenly from the first to the last
    possible one (the official code stops 10 frames earlier).

    Required Keys:

    - total_frames
    - start_index

    Added Keys:

    - frame_inds (np.ndarray): (num_clips * clip_len,) int32.
    - clip_len (int)
    - frame_interval (int)
    - num_clips (int)

    Args:
        clip_len (int): Frames of a clip.
        frame_interval (int): Distance of consecutive frames. Defaults to 1.
        num_clips (int): Clips of a video. Defaults to 1.
        test_mode (bool): Whether the clips are spread evenly instead of random. Defaults to False.
    """

    def __init__(
        self,
        clip_len: int,
        frame_interval: int = 1,
        num_clips: int = 1,
        test_mode: bool = False,
    ) -> None:
        super().__init__(clip_len, frame_interval, num_clips, test_mode=test_mode)

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Raises:
            UnreadableFileError: If the video has no frame.
        """
        total = results['total_frames']
        if total < 1:
            raise UnreadableFileError(f'The video {results.get("filename", "")} has no frame.')
        starts = self._sample_clips(total, self._get_ori_clip_len(1.0)).astype(np.int64)
        steps = np.arange(self.clip_len) * self.frame_interval
        indices = reflect((starts[:, None] + steps).ravel(), total)
        results['frame_inds'] = (indices + results['start_index']).astype(np.int32)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = self.num_clips
        return results


def reflect(indices: np.ndarray, total: int) -> np.ndarray:
    """Reflect indices >= ``total`` back into the video; the end frames are not repeated."""
    period = max(2 * (total - 1), 1)
    indices = indices % period
    return np.minimum(indices, period - indices) if total > 1 else np.zeros_like(indices)
