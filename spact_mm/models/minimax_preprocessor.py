"""Batches of the two loaders as tensors in [0, 1]."""

from collections.abc import Sequence

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from ..registration import register
from .device_augmentation import DeviceAugmentation
from .frames import fold_frames, unfold_frames


@register(MODELS)
class MinimaxDataPreprocessor(ActionDataPreprocessor):
    """Stack clips and images and scale them to [0, 1], the range of anonymizers.

    Test batches are MMAction2's own (``dict(inputs, data_samples)``). Training batches are
    ``dict(action=..., privacy=...)`` of two such batches; ``privacy`` may be absent. The privacy
    inputs are images (3, H, W) or, when a sample holds views, one list of images per view.

    Args:
        format_shape (str): Layout of the clips, the same as the recognizer's.
        augmentation (dict, optional): Arguments of a
            :class:`~spact_mm.models.DeviceAugmentation` of each training clip and of each view. The
            pipelines then end after decoding. None, the default, is for pipelines that augment.
    """

    def __init__(self, format_shape: str = 'NCTHW', augmentation: dict | None = None) -> None:
        super().__init__(mean=[0.0] * 3, std=[255.0] * 3, format_shape=format_shape)
        self.augmentation = None if augmentation is None else DeviceAugmentation(**augmentation)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Convert a batch.

        Args:
            data (dict): A batch of MMAction2, or ``dict(action=batch, privacy=batch)``.
            training (bool): Whether this is a training batch.

        Returns:
            dict: The same structure. Clips are float (N, M, C, T, H, W) or (N, M, C, H, W) in
            [0, 1]; privacy inputs are a list of views (N, 3, H, W) in [0, 1].
        """
        if 'action' not in data:
            return super().forward(data, training)
        data = {name: self.cast_data(dict(part)) for name, part in data.items()}
        if 'privacy' in data:
            data['privacy']['inputs'] = _as_views(data['privacy']['inputs'])
        if training and self.augmentation is not None:
            self._augment(data)
        batch = dict(action=super().forward(data['action'], training))
        if 'privacy' in data:
            views = [self._scale(view) for view in data['privacy']['inputs']]
            batch['privacy'] = dict(data['privacy'], inputs=views)
        return batch

    def _augment(self, data: dict) -> None:
        """Replace the clips and the views by augmented ones, still in [0, 255]."""
        data['action']['inputs'] = [self._augment_clip(clip) for clip in data['action']['inputs']]
        if 'privacy' in data:
            data['privacy']['inputs'] = [
                [self._augment_frames(image[None])[0] for image in view]
                for view in data['privacy']['inputs']
            ]

    def _augment_clip(self, clip: Tensor) -> Tensor:
        frames = self._augment_frames(fold_frames(clip[None], self.format_shape))
        return unfold_frames(frames, clip[None], self.format_shape)[0]

    def _augment_frames(self, frames: Tensor) -> Tensor:
        return self.augmentation(frames.to(self.mean.dtype) / 255) * 255

    def _scale(self, images: Sequence[Tensor] | Tensor) -> Tensor:
        images = images if isinstance(images, Tensor) else torch.stack(tuple(images))
        return images.to(self.mean.dtype) / 255


def _as_views(inputs: Sequence) -> Sequence:
    """Return one entry per view, for both ways of collating.

    MMEngine's ``pseudo_collate`` gives a list of images for one view and a list of lists for
    more; ``default_collate`` a (N, 3, H, W) tensor or a list of them.
    """
    if isinstance(inputs, Tensor):
        return [inputs]
    first = inputs[0]
    return [inputs] if isinstance(first, Tensor) and first.ndim == 3 else inputs
