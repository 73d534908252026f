"""What UNet and UNet++ are built from."""

from contextlib import contextmanager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class ConvBlock(nn.Sequential):
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


def upsample_like(x: Tensor, skip: Tensor) -> Tensor:
    """Double ``x`` and pad it with zeros to the size of ``skip``, larger where that is odd."""
    x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
    rows, columns = skip.shape[-2] - x.shape[-2], skip.shape[-1] - x.shape[-1]
    if rows or columns:
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return x


class UNetBase(BaseModule):
    """Checks and block-wise checkpointing of a UNet-like anonymizer.

    Args:
        base_channels (int): Width of the first level.
        num_levels (int): Number of halvings of the resolution.
        with_cp (bool): Recompute each block's activations in the backward pass.
        init_cfg (dict, optional): Initialization config.

    Raises:
        ValueError: If ``base_channels`` or ``num_levels`` is below 1.
    """

    def __init__(
        self, base_channels: int, num_levels: int, with_cp: bool, init_cfg: dict | None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if base_channels < 1 or num_levels < 1:
            raise ValueError(
                f'{type(self).__name__} needs base_channels >= 1 and num_levels >= 1, '
                f'but got {base_channels} and {num_levels}.'
            )
        self.num_levels = num_levels
        self.with_cp = with_cp
        self.min_size = 2**num_levels

    def _check_size(self, frames: Tensor) -> None:
        """Refuse frames that do not survive the halvings.

        Raises:
            ValueError: If a side is below ``2**num_levels``.
        """
        if min(frames.shape[-2:]) < self.min_size:
            raise ValueError(
                f'{type(self).__name__} with {self.num_levels} levels needs frames of at least '
                f'{self.min_size}x{self.min_size} pixels, but got {tuple(frames.shape[-2:])}; '
                'enlarge the frames or lower num_levels.'
            )

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            contexts = partial(_checkpoint_contexts, block)
            return checkpoint(block, x, use_reentrant=False, context_fn=contexts)
        return block(x)


def _checkpoint_contexts(block: nn.Module):
    """Contexts of a checkpointed block's first pass and of its recomputation."""
    return nullcontext(), _frozen_running_stats(block)


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
