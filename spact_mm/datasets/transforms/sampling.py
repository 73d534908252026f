"""Sampling of a clip's frames from a video."""

import math

import numpy as np
from mmaction.datasets.transforms import SampleFrames
from mmaction.registry import TRANSFORMS

from ...media.unreadable import UnreadableFileError
from ...registration import register


@register(TRANSFORMS)
class ReflectSampleFrames(SampleFrames):
    """Sample clips as MMAction2's ``SampleFrames``, but pad short videos by reflection.

    A video of 4 frames is extended to 0 1 2 3 2 1 0 1 ..., as in the official code of SPAct;
    ``SampleFrames`` would jump back to the first frame or repeat the last. The first frame of a
    training clip is drawn uniformly; test clips are spread evenly from the first to the last
    possible one (the official code stops 10 frames earlier).

    Required Keys:

    - total_frames
    - start_index (int, optional): Number of the first frame. Defaults to 0.

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
        steps = np.arange(self.clip_len) * self.frame_interval
        indices = reflect((self._find_starts(results)[:, None] + steps).ravel(), total)
        results['frame_inds'] = (indices + results.get('start_index', 0)).astype(np.int32)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = self.num_clips
        return results

    def _find_starts(self, results: dict) -> np.ndarray:
        """Return the first frames of all clips, (num_clips,) int64."""
        length = self._get_ori_clip_len(1.0)
        return self._sample_clips(results['total_frames'], length).astype(np.int64)


@register(TRANSFORMS)
class SampleClip(ReflectSampleFrames):
    """Choose a clip by ``frame_position``, as ``LoadVideoFrame`` chooses a frame.

    So an attacker can look at several clips of a video, each as a separate sample.

    Required Keys, beside those of ``ReflectSampleFrames``:

    - frame_position (float, optional): Position of the first frame among the possible ones, in [0,
      1). Without the key, or with None, the position is random.

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
        super().__init__(clip_len, frame_interval)

    def _find_starts(self, results: dict) -> np.ndarray:
        choices = max(1, results['total_frames'] - (self.clip_len - 1) * self.frame_interval)
        position = results.get('frame_position')
        drawn = np.random.randint(choices) if position is None else math.floor(position * choices)
        return np.array([drawn], np.int64)


def reflect(indices: np.ndarray, total: int) -> np.ndarray:
    """Reflect indices >= ``total`` back into the video; the end frames are not repeated."""
    period = max(2 * (total - 1), 1)
    indices = indices % period
    return np.minimum(indices, period - indices) if total > 1 else np.zeros_like(indices)
