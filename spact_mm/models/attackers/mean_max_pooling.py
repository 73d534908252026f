"""Pooling by the mean and the maximum."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ...registration import register


@register(MODELS)
class MeanMaxPooling(nn.Module):
    """Put the mean and the maximum over all positions side by side.

    The mean shows features that fill the frame; the maximum shows small ones, such as a print or a
    pair of glasses. This is a neck for MMPretrain's ``ImageClassifier``; the head needs twice the
    backbone's channels.
    """

    def forward(self, inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pool feature maps.

        Args:
            inputs (Tensor | tuple[Tensor, ...]): Maps of images (N, C, H, W) or of clips (N, C, T,
                H, W). A tensor counts as a tuple of one: MMAction2's backbones return a tensor,
                while MMPretrain's heads take the last of a tuple.

        Returns:
            tuple[Tensor, ...]: (N, 2 * C) for each map.
        """
        maps = inputs if isinstance(inputs, tuple) else (inputs,)
        return tuple(map(_pool, maps))


def _pool(features: Tensor) -> Tensor:
    positions = features.flatten(2)
    return torch.cat([positions.mean(2), positions.amax(2)], 1)
