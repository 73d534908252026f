"""Read one frame of a video, as an image."""

import math

import numpy as np
from mmaction.registry import TRANSFORMS

from ...registration import register
from .loading import DecordInitFromPath


@register(TRANSFORMS)
class LoadVideoFrame(DecordInitFromPath):
    """Load a single frame of a video, opened by its path (see :class:`DecordInitFromPath`).

    Required Keys:

    - filename
    - frame_index (int, optional): Index of the frame, from 0.
    - frame_position (float, optional): Without an index, the fraction of the video before the
      frame, in [0, 1). Without the key, or with None, the frame is random.

    Added Keys:

    - img (np.ndarray): (H, W, 3) uint8 RGB.
    - img_shape (tuple): (H, W).
    - ori_shape (tuple): (H, W).
    - frame_index (int)

    Args:
        num_threads (int): Decoding threads. Defaults to 1.
        cache (dict, optional): As for :class:`DecordInitFromPath`.
        max_pixels (int): As for :class:`DecordInitFromPath`.
    """

    def transform(self, results: dict) -> dict:
        """Load the frame.

        Raises:
            UnreadableFileError: If the file is missing, cut off, without a frame, too large or no
                video, or the frame cannot be decoded.
            ValueError: If the video has no such frame.
        """
        filename = results['filename']
        reader = self._get_video_reader(filename)
        index = self._pick(results, len(reader))
        image = reader.get_batch([index]).asnumpy()[0]
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        results['frame_index'] = index
        return results

    def _pick(self, results: dict, total: int) -> int:
        index, position = results.get('frame_index'), results.get('frame_position')
        if index is None and position is None:
            return int(np.random.randint(total))
        if index is None:
            index = math.floor(position * total)
        if not 0 <= index < total:
            raise ValueError(
                f'The video {results["filename"]} has no frame {index}, as it has {total}; correct '
                'its annotation.'
            )
        return int(index)
