"""Run an anonymizer, whether it takes frames or clips."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from .anonymizers.traits import takes_clips
from .frames import map_chunks
from .memory_format import to_faster_format


def rewrite(
    network: nn.Module, parts: Sequence[Tensor], max_frames: int | None = None
) -> list[Tensor]:
    """Run f_A on clips; an image is a clip of one frame.

    With gradients each part is a BatchNorm batch of its own. Without gradients memory is bounded,
    clips are never cut, and parts whose frames have one size pass together.

    Args:
        network (nn.Module): f_A, perhaps in its distributed wrapper, which is left out where there
            are no gradients, as it expects a backward pass.
        parts (Sequence[Tensor]): RGB in [0, 1], (N, T, 3, H, W) each.
        max_frames (int, optional): Bound on the frames that pass at a time without gradients. None
            means all at once.

    Returns:
        list[Tensor]: Same shapes and range.
    """
    bare = network.module if is_model_wrapper(network) else network
    inputs = list(parts) if takes_clips(bare) else [part.flatten(0, 1) for part in parts]
    if torch.is_grad_enabled():
        outputs = [_run(network, x) for x in inputs]
    else:
        run = partial(map_chunks, partial(_run, bare), chunk=max_frames)
        if all(x.shape[1:] == inputs[0].shape[1:] for x in inputs):
            outputs = run(torch.cat(inputs)).split([len(x) for x in inputs])
        else:
            outputs = [run(x) for x in inputs]
    return [output.reshape(part.shape) for output, part in zip(outputs, parts, strict=True)]


def _run(network: nn.Module, x: Tensor) -> Tensor:
    """Run f_A as fast as the device allows.

    In mixed precision what comes out are full numbers again, and f_T and f_B get them in the format
    in which they are faster.
    """
    return network(to_faster_format(x)).to(x.dtype).contiguous()
