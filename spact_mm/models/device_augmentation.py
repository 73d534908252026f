"""Augmentation of whole clips on the networks' device."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from ..datasets.transforms import ClipColorJitter, FlipOrErase, SquareCrop


class DeviceAugmentation:
    """Crop, resize, colour and flip clips on the model's device; data workers only decode them.

    It draws as the transforms of the same names do, one draw for all frames of a clip, from
    NumPy's generator of the training process, which the loop seeds for each epoch. Values are not
    rounded to 1/255 in between.

    Args:
        size (tuple[int, int]): Height and width of the output.
        crop (Mapping, optional): Arguments of :class:`~spact_mm.datasets.SquareCrop`. None, the
            default, keeps the whole frame.
        color (Mapping, optional): Arguments of :class:`~spact_mm.datasets.ClipColorJitter`. None,
            the default, leaves the colours alone.
        flip_or_erase (Mapping, optional): Arguments of :class:`~spact_mm.datasets.FlipOrErase`,
            after the resize. None, the default, does neither.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        size: tuple[int, int],
        crop: Mapping | None = None,
        color: Mapping | None = None,
        flip_or_erase: Mapping | None = None,
    ) -> None:
        if min(size) < 1:
            raise ValueError(f'size of DeviceAugmentation must be positive, but is {size}.')
        self.size = tuple(size)
        self.crop = None if crop is None else SquareCrop(**crop)
        self.color = None if color is None else ClipColorJitter(**color)
        self.flip_or_erase = None if flip_or_erase is None else FlipOrErase(**flip_or_erase)

    def __call__(self, frames: Tensor) -> Tensor:
        """Augment all frames of one clip, or one image, alike.

        Args:
            frames (Tensor): RGB in [0, 1], (T, 3, H, W).

        Returns:
            Tensor: (T, 3, *size), in [0, 1].
        """
        if self.crop is not None:
            frames = self.crop.augment(frames)
        frames = F.interpolate(frames, self.size, mode='bilinear', align_corners=False)
        for transform in (self.color, self.flip_or_erase):
            if transform is not None:
                frames = transform.augment(frames)
        return frames
