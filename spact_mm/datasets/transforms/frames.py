"""The frames of a sample: a clip of MMAction2 or an image of MMCV."""

from collections.abc import Sequence

import numpy as np


def get_frames(results: dict) -> Sequence[np.ndarray]:
    """Return the frames (H, W, 3) of a clip (``imgs``), or an image (``img``) as one frame."""
    return results['imgs'] if 'imgs' in results else [results['img']]


def set_frames(results: dict, frames: Sequence[np.ndarray]) -> dict:
    """Put frames back to the key of :func:`get_frames` and update ``img_shape``."""
    if 'imgs' in results:
        results['imgs'] = list(frames)
    else:
        results['img'] = frames[0]
    results['img_shape'] = frames[0].shape[:2]
    return results
