"""What an anonymizer leaves of drawn pictures."""

import cv2
import numpy as np
from torch import nn

from .frame_anonymizer import FrameAnonymizer
from .leftover import NUM_FRAMES, LeftoverCheck


def find_flaw_on_drawn_pictures(network: nn.Module) -> str:
    """Tell whether a trained anonymizer reproduces pictures, where there is no file to measure.

    The pictures are random patches, coarse and fine, mostly of brightness, 96 x 96. They separate
    networks that reproduce their input from trained ones as well as real frames do.

    Args:
        network (nn.Module): f_A.

    Returns:
        str: The flaw, as the middle of a sentence; empty if there is none, or without weights.
    """
    if not any(True for _ in network.parameters()):
        return ''
    rng, side = np.random.default_rng(0), 96
    pictures = np.full((NUM_FRAMES, side, side, 3), 128.0)
    for scale in (4, 8, 16, 32, 64):
        for picture in pictures:
            patches = rng.normal(size=(scale, scale, 1)) + 0.3 * rng.normal(size=(scale, scale, 3))
            picture += 30 * cv2.resize(patches, (side, side), interpolation=cv2.INTER_LINEAR)
    check = LeftoverCheck(FrameAnonymizer(network), 'It', is_trained=True, force=True)
    try:
        check(pictures.clip(0, 255).astype(np.uint8))
    except ValueError as error:
        return str(error).rstrip('.')
    return check.warning
