"""The UNet anonymizer f_A of SPAct."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ...registration import register
from ._unet_blocks import ConvBlock, UNetBase, concatenate, halve


@register(MODELS)
class UNetAnonymizer(UNetBase):
    """UNet that rewrites each frame by itself, f_A of SPAct (Section 3.2; layout of its code).

    With the defaults the encoder is 3-64-128-256-512-512 and the decoder 256-128-64-64, then a
    1x1 convolution to RGB and a sigmoid: 17,267,523 parameters.

    Args:
        base_channels (int): Width of the first level. Defaults to 64.
        num_levels (int): Number of halvings of the resolution. Defaults to 4.
        with_cp (bool): Recompute each block's activations in the backward pass instead of keeping
            them (less memory, more time, same mathematics). Defaults to False.
        init_cfg (dict, optional): Initialization config, for instance
            ``dict(type='Pretrained', checkpoint=..., prefix='anonymizer.')``.

    Raises:
        ValueError: If ``base_channels`` or ``num_levels`` is below 1.

    Example:
        >>> anonymizer = UNetAnonymizer(base_channels=8)
        >>> anonymizer(torch.rand(2, 3, 112, 112)).shape
        torch.Size([2, 3, 112, 112])
    """

    def __init__(
        self,
        base_channels: int = 64,
        num_levels: int = 4,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(base_channels, num_levels, with_cp, init_cfg)
        # The deepest level is as wide as the one above it, since bilinear upsampling keeps the
        # width and the skip doubles it.
        widths = [base_channels * 2**level for level in range(num_levels)]
        widths.append(widths[-1])
        self.stem = ConvBlock(3, base_channels, base_channels)
        self.encoder = nn.ModuleList(
            ConvBlock(above, below, below)
            for above, below in zip(widths[:-1], widths[1:], strict=True)
        )
        self.decoder = nn.ModuleList(
            ConvBlock(2 * skip, skip, out)
            for skip, out in zip(
                widths[-2::-1], [*widths[-3::-1], base_channels][:num_levels], strict=True
            )
        )
        self.head = nn.Conv2d(base_channels, 3, 1)

    def _rewrite(self, frames: Tensor) -> Tensor:
        x = self._run(self.stem, frames)
        skips = []
        for block in self.encoder:
            skips.append(x)
            x = self._run(block, x, join=halve)
        for block in self.decoder:
            skip = skips.pop()
            then = () if skips else (self.head, torch.sigmoid)
            x = self._run(block, skip, x, join=concatenate, then=then)
        return x
