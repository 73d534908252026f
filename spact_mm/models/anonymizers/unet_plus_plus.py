"""The UNet++ anonymizer f_A."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ...registration import register
from ._unet_blocks import ConvBlock, UNetBase, concatenate, halve


@register(MODELS)
class UNetPlusPlusAnonymizer(UNetBase):
    """UNet++ that rewrites each frame by itself (Zhou et al., 2018, Section 3.1, Equation 1).

    Node X^{i,j} at level i is a convolution block on all earlier nodes of its level,
    X^{i,0} ... X^{i,j-1}, and on the upsampled X^{i+1,j-1}; X^{i,0} is the encoder. A 1x1
    convolution and a sigmoid turn X^{0,L} into RGB; there is no deep supervision. With the
    defaults, the widths of the paper (32 to 512), 9,163,395 parameters.

    Args:
        base_channels (int): Width of the first level, doubled at each further one.
            Defaults to 32.
        num_levels (int): Number of halvings of the resolution, L. Defaults to 4.
        with_cp (bool): Recompute each block's activations in the backward pass instead of keeping
            them (less memory, more time, same mathematics). Defaults to False.
        init_cfg (dict, optional): Initialization config, for instance
            ``dict(type='Pretrained', checkpoint=..., prefix='anonymizer.')``.

    Raises:
        ValueError: If ``base_channels`` or ``num_levels`` is below 1.

    Example:
        >>> anonymizer = UNetPlusPlusAnonymizer(base_channels=8)
        >>> anonymizer(torch.rand(2, 3, 112, 112)).shape
        torch.Size([2, 3, 112, 112])
    """

    def __init__(
        self,
        base_channels: int = 32,
        num_levels: int = 4,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(base_channels, num_levels, with_cp, init_cfg)
        widths = [base_channels * 2**level for level in range(num_levels + 1)]
        self.nodes = nn.ModuleList()
        for level, width in enumerate(widths):
            row = [ConvBlock(widths[level - 1] if level else 3, width, width)]
            for column in range(1, num_levels - level + 1):
                row.append(ConvBlock(column * width + widths[level + 1], width, width))
            self.nodes.append(nn.ModuleList(row))
        self.head = nn.Conv2d(base_channels, 3, 1)

    def _rewrite(self, frames: Tensor) -> Tensor:
        x, rows = frames, []
        for level, blocks in enumerate(self.nodes):
            x = self._run(blocks[0], x, join=halve if level else None)
            rows.append([x])
        for column in range(1, self.num_levels + 1):
            for level in range(self.num_levels - column + 1):
                row, below = rows[level], rows[level + 1][column - 1]
                block = self.nodes[level][column]
                then = (self.head, torch.sigmoid) if column == self.num_levels else ()
                row.append(self._run(block, *row, below, join=concatenate, then=then))
        return rows[0][-1]
