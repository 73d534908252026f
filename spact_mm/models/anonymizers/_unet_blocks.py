"""Building blocks of UNet and UNet++."""

from collections.abc import Callable, Sequence
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


def halve(x: Tensor) -> Tensor:
    """Return the maximum of each 2x2 pixels, (N, C, H, W) to (N, C, H // 2, W // 2)."""
    return F.max_pool2d(x, 2)


def upsample(x: Tensor, size: torch.Size) -> Tensor:
    """Double the sides of ``x`` and pad with zeros to ``size``, (H, W), where a side is odd."""
    x = F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
    rows, columns = size[0] - x.shape[-2], size[1] - x.shape[-1]
    if rows or columns:
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return x


def concatenate(*inputs: Tensor) -> Tensor:
    """Concatenate features of one level; the last input, of the level below, is upsampled first."""
    *row, below = inputs
    return torch.cat([*row, upsample(below, row[0].shape[-2:])], dim=1)


class UNetBase(BaseModule):
    """Base class of UNet-like anonymizers: checks and checkpointing of blocks.

    Args:
        base_channels (int): Width of the first level.
        num_levels (int): Number of halvings of the resolution.
        with_cp (bool): Recompute each block's activations in the backward pass.
        init_cfg (dict, optional): Initialization config.

    Raises:
        ValueError: If ``base_channels`` is below 1, or ``num_levels`` is not in 1 to 16: frames
            need ``2**num_levels`` pixels a side.
    """

    def __init__(
        self, base_channels: int, num_levels: int, with_cp: bool, init_cfg: dict | None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if base_channels < 1 or not 1 <= num_levels <= 16:
            raise ValueError(
                f'{type(self).__name__} needs base_channels >= 1 and num_levels >= 1 and at most '
                f'16, but got {base_channels} and {num_levels}.'
            )
        self.num_levels = num_levels
        self.with_cp = with_cp
        self.min_size = 2**num_levels

    def forward(self, frames: Tensor) -> Tensor:
        """Anonymize frames.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W), H and W at least ``2**num_levels``.

        Returns:
            Tensor: RGB in [0, 1], same shape.

        Raises:
            ValueError: If the frames are smaller.
        """
        if min(frames.shape[-2:]) < self.min_size:
            raise ValueError(
                f'{type(self).__name__} with {self.num_levels} levels needs frames of at least '
                f'{self.min_size}x{self.min_size} pixels, but got {tuple(frames.shape[-2:])}; '
                'enlarge the frames or lower num_levels.'
            )
        return self._rewrite(frames)

    def _run(
        self,
        block: nn.Sequential,
        *inputs: Tensor,
        join: Callable | None = None,
        then: Sequence[Callable] = (),
    ) -> Tensor:
        """Join the inputs, run a block on them and then the following layers.

        With ``with_cp`` only the inputs are kept for the backward pass; the activations are
        computed again.

        Args:
            block (nn.Sequential): The block.
            *inputs (Tensor): Features.
            join (Callable, optional): Function from all inputs to the block's input. None for a
                single input.
            then (Sequence[Callable]): Layers that follow the block.
        """
        first, *others = layers = [*block, *then]

        def enter(*features: Tensor) -> Tensor:
            return first(join(*features) if join else features[0])

        def run(enter: Callable, *features: Tensor) -> Tensor:
            x = enter(*features)
            for layer in others:
                x = layer(x)
            return x

        if not (self.with_cp and torch.is_grad_enabled()):
            return run(enter, *inputs)
        if join:
            # Joined features are large: they are gone while the other layers go backward.
            enter = partial(checkpoint, enter, use_reentrant=False)
        contexts = partial(_checkpoint_contexts, layers)
        return checkpoint(run, enter, *inputs, use_reentrant=False, context_fn=contexts)


def _checkpoint_contexts(layers: Sequence[Callable]):
    """Return the contexts of the first pass of checkpointed layers and of their recomputation."""
    return nullcontext(), _frozen_running_stats(layers)


@contextmanager
def _frozen_running_stats(layers: Sequence[Callable]):
    """Leave BatchNorm's running statistics unchanged while checkpointed layers are computed again.

    The first pass has updated the statistics already. The recomputation normalises by the batch, as
    the first pass does.
    """
    norms = [m for m in layers if isinstance(m, _BatchNorm) and m.track_running_stats]
    kept = [dict(norm._buffers) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        norm._buffers.update({name: buffer.clone() for name, buffer in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers.update(buffers)
