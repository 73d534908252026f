"""The UNet anonymizer f_A of SPAct."""

from contextlib import contextmanager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ...registration import register


@contextmanager
def _frozen_running_stats(module: nn.Module):
    """Keep the running statistics of BatchNorm while a checkpointed block is computed again.

    The block's first pass has moved them already; the batch itself still normalises.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    kept = [dict(norm._buffers) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        norm._buffers.update({name: buffer.clone() for name, buffer in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers.update(buffers)


class _ConvBlock(nn.Sequential):
    """(3x3 convolution, BatchNorm, ReLU) twice."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, mid_channels, 3, padding=1),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def _upsample_like(x: Tensor, skip: Tensor) -> Tensor:
    """Double ``x`` and pad it with zeros to the size of ``skip``, larger where that is odd."""
    x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
    rows, columns = skip.shape[-2] - x.shape[-2], skip.shape[-1] - x.shape[-1]
    if rows or columns:
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return x


@register(MODELS)
class UNetAnonymizer(BaseModule):
    """UNet that rewrites each frame by itself, f_A of SPAct (Section 3.2; layout of its code).

    With the defaults the encoder is 3-64-128-256-512-512 and the decoder 256-128-64-64, then a
    1x1 convolution to RGB and a sigmoid: 17,267,523 parameters.

    Args:
        base_channels (int): Width of the first level. Defaults to 64.
        num_levels (int): Number of halvings of the resolution. Defaults to 4.
        with_cp (bool): Recompute each block's activations in the backward pass instead of keeping
            them (less memory, more time, same numbers). Defaults to False.
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
        super().__init__(init_cfg=init_cfg)
        if base_channels < 1 or num_levels < 1:
            raise ValueError(
                'UNetAnonymizer needs base_channels >= 1 and num_levels >= 1, '
                f'but got {base_channels} and {num_levels}.'
            )
        self.with_cp = with_cp
        self.min_size = 2**num_levels
        # The deepest level is as wide as the one above it, since bilinear upsampling keeps the
        # width and the skip doubles it.
        widths = [base_channels * 2**level for level in range(num_levels)]
        widths.append(widths[-1])
        self.stem = _ConvBlock(3, base_channels, base_channels)
        self.encoder = nn.ModuleList(
            _ConvBlock(above, below, below)
            for above, below in zip(widths[:-1], widths[1:], strict=True)
        )
        self.decoder = nn.ModuleList(
            _ConvBlock(2 * skip, skip, out)
            for skip, out in zip(
                widths[-2::-1], [*widths[-3::-1], base_channels][:num_levels], strict=True
            )
        )
        self.head = nn.Conv2d(base_channels, 3, 1)

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            contexts = partial(_checkpoint_contexts, block)
            return checkpoint(block, x, use_reentrant=False, context_fn=contexts)
        return block(x)

    def forward(self, frames: Tensor) -> Tensor:
        """Anonymize frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W), H and W at least ``2**num_levels``.

        Returns:
            Tensor: RGB in [0, 1], same shape.

        Raises:
            ValueError: If the frames are smaller than that.
        """
        if min(frames.shape[-2:]) < self.min_size:
            raise ValueError(
                f'UNetAnonymizer with {len(self.encoder)} levels needs frames of at least '
                f'{self.min_size}x{self.min_size} pixels, but got {tuple(frames.shape[-2:])}; '
                'enlarge the frames or lower num_levels.'
            )
        x = self._run(self.stem, frames)
        skips = []
        for block in self.encoder:
            skips.append(x)
            x = self._run(block, F.max_pool2d(x, 2))
        for block in self.decoder:
            skip = skips.pop()
            x = self._run(block, torch.cat([skip, _upsample_like(x, skip)], dim=1))
        return torch.sigmoid(self.head(x))


def _checkpoint_contexts(block: nn.Module):
    """Contexts of a checkpointed block's first pass and of its recomputation."""
    return nullcontext(), _frozen_running_stats(block)
