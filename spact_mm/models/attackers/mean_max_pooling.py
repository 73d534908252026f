"""Pooling that keeps what is everywhere and what is somewhere."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ...registration import register


@register(MODELS)
class MeanMaxPooling(nn.Module):
    """Put the mean and the maximum over all positions side by side.

    The mean shows what fills the frame, the maximum what is small: a print, a pair of glasses. A
    neck for MMPretrain's ``ImageClassifier``; the head has twice the backbone's channels.
    """

    def forward(self, inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pool feature maps.

        Args:
            inputs (Tensor | tuple[Tensor, ...]): Of images (N, C, H, W), of clips (N, C, T, H, W).
                One alone is as a tuple of one: MMAction2's backbones give no tuple, of which
                MMPretrain's heads take the last.

        Returns:
            tuple[Tensor, ...]: (N, 2 * C) of each.
        """
        maps = inputs if isinstance(inputs, tuple) else (inputs,)
        return tuple(map(_pool, maps))


def _pool(features: Tensor) -> Tensor:
    positions = features.flatten(2)
    return torch.cat([positions.mean(2), positions.amax(2)], 1)
