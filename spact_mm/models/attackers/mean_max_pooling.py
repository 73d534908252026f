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

    def forward(self, inputs: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """Pool feature maps.

        Args:
            inputs (Tensor | tuple[Tensor, ...]): Of images (N, C, H, W), of clips (N, C, T, H, W).

        Returns:
            Tensor | tuple[Tensor, ...]: (N, 2 * C) of each.
        """
        if isinstance(inputs, tuple):
            return tuple(map(self.forward, inputs))
        positions = inputs.flatten(2)
        return torch.cat([positions.mean(2), positions.amax(2)], 1)
