"""Batches of the two loaders as tensors in [0, 1]."""

from collections.abc import Sequence

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from ..registration import register


@register(MODELS)
class MinimaxDataPreprocessor(ActionDataPreprocessor):
    """Stack clips and images and scale them to [0, 1], what anonymizers take.

    Test batches are MMAction2's own (``dict(inputs, data_samples)``). Training batches are
    ``dict(action=..., privacy=...)`` of such; ``privacy`` may be absent. The privacy inputs are
    images (3, H, W) or, when a sample holds views, one list of images per view.

    Args:
        format_shape (str): Layout of the clips, that of the recognizer.
    """

    def __init__(self, format_shape: str = 'NCTHW') -> None:
        super().__init__(mean=[0.0] * 3, std=[255.0] * 3, format_shape=format_shape)

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
        batch = dict(action=super().forward(dict(data['action']), training))
        if 'privacy' in data:
            privacy = self.cast_data(dict(data['privacy']))
            privacy['inputs'] = [self._scale(view) for view in _as_views(privacy['inputs'])]
            batch['privacy'] = privacy
        return batch

    def _scale(self, images: Sequence[Tensor] | Tensor) -> Tensor:
        images = images if isinstance(images, Tensor) else torch.stack(tuple(images))
        return images.to(self.mean.dtype) / 255


def _as_views(inputs: Sequence) -> Sequence:
    """Return one entry per view, whichever way the batch was collated.

    MMEngine's ``pseudo_collate`` gives a list of images for one view and a list of lists for
    more; ``default_collate`` a (N, 3, H, W) tensor or a list of them.
    """
    if isinstance(inputs, Tensor):
        return [inputs]
    first = inputs[0]
    return [inputs] if isinstance(first, Tensor) and first.ndim == 3 else inputs
