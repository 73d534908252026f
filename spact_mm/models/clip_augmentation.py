"""Augmentation of anonymized clips and images, for attackers."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.transforms import ClipColorJitter


class ClipAugmentation:
    """Flip, shift and colour anonymized frames, with one draw for all frames of a clip.

    An attacker who holds only anonymized videos has no other choice. The input of f_A stays the
    same, so its output is computed only once. Random numbers come from NumPy's generator, which
    :class:`~spact_mm.engine.ReproducibleEpochHook` seeds for each epoch.

    Args:
        flip (float): Probability of a horizontal flip. Defaults to 0.
        shift (int): Largest shift of a clip in pixels, in each direction; the border is repeated.
            Defaults to 0.
        color (Mapping, optional): Arguments of :class:`~spact_mm.datasets.ClipColorJitter`. None,
            the default, leaves the colours alone.

    Raises:
        ValueError: If an argument is out of range, or none has an effect.
    """

    def __init__(self, flip: float = 0.0, shift: int = 0, color: Mapping | None = None) -> None:
        if not 0 <= flip <= 1:
            raise ValueError(f'flip of augment must be a probability, but is {flip}.')
        if shift != int(shift) or shift < 0:
            raise ValueError(f'shift of augment must be whole pixels, 0 or more, but is {shift}.')
        if not flip and not shift and color is None:
            raise ValueError(
                'augment has no effect: give flip, shift or color, or leave augment out.'
            )
        self.flip = flip
        self.shift = int(shift)
        self.color = None if color is None else ClipColorJitter(**color)

    def __call__(self, clips: Tensor) -> Tensor:
        """Augment clips, each by random numbers of its own.

        Args:
            clips (Tensor): RGB in [0, 255], float, (N, T, 3, H, W); images have T = 1.

        Returns:
            Tensor: Same shape and range.
        """
        height, width = clips.shape[-2:]
        # Padding all clips at once and then copying slices is fastest on a CPU.
        padded = F.pad(clips.flatten(0, 1), (self.shift,) * 4, mode='replicate')
        padded = padded.view(*clips.shape[:3], *padded.shape[-2:])
        augmented = torch.empty_like(clips)
        for source, target in zip(padded, augmented, strict=True):
            is_flipped = np.random.rand() < self.flip
            top, left = np.random.randint(2 * self.shift + 1, size=2)
            shifted = source[..., top : top + height, left : left + width]
            target.copy_(shifted.flip(-1) if is_flipped else shifted)
            if self.color is not None:
                target.copy_(self.color.augment(target / 255) * 255)
        return augmented
