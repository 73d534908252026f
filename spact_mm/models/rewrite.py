"""Run an anonymizer of frames or of clips."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .anonymizers.traits import shares_noise, takes_clips
from .frames import map_chunks
from .memory_format import to_faster_format
from .unwrapped import unwrapped


def rewrite(
    network: nn.Module,
    parts: Sequence[Tensor],
    max_frames: int | None = None,
    clips_per_video: int = 1,
) -> list[Tensor]:
    """Run f_A on clips; an image is a clip of one frame.

    With gradients each part is a separate BatchNorm batch. Without gradients memory is bounded,
    clips are never cut, and parts with frames of one size pass together.

    Args:
        network (nn.Module): f_A, perhaps in its distributed wrapper. Without gradients the wrapper
            is left out, as it expects a backward pass.
        parts (Sequence[Tensor]): RGB in [0, 1], (N, T, 3, H, W) each.
        max_frames (int, optional): Bound on the frames that pass at a time without gradients. None
            means all at once.
        clips_per_video (int): Number of successive clips of the first part that are of one video
            and share its noise. Defaults to 1, the number in all other parts.

    Returns:
        list[Tensor]: Same shapes and range.
    """
    bare = unwrapped(network)
    inputs = list(parts) if takes_clips(bare) else [part.flatten(0, 1) for part in parts]
    noise: list[tuple[Tensor, ...]] = [()] * len(inputs)
    if shares_noise(bare):
        counts = [clips_per_video] + [1] * (len(inputs) - 1)
        noise = [(draw_noise(x, count),) for x, count in zip(inputs, counts, strict=True)]
    if torch.is_grad_enabled():
        outputs = [_run(network, x, *n) for x, n in zip(inputs, noise, strict=True)]
    else:
        run = partial(map_chunks, partial(_run, bare))
        if all(x.shape[1:] == inputs[0].shape[1:] for x in inputs):
            merged = [torch.cat(n) for n in zip(*noise, strict=True)]
            outputs = run(torch.cat(inputs), max_frames, *merged).split([len(x) for x in inputs])
        else:
            outputs = [run(x, max_frames, *n) for x, n in zip(inputs, noise, strict=True)]
    return [output.reshape(part.shape) for output, part in zip(outputs, parts, strict=True)]


def draw_noise(clips: Tensor, clips_per_video: int = 1) -> Tensor:
    """Draw the noise that the clips of a video share.

    Args:
        clips (Tensor): (N, T, 3, H, W), the clips of a video next to each other.
        clips_per_video (int): Number of clips of a video. Defaults to 1.

    Returns:
        Tensor: Standard normal noise (N, 3, H, W), from PyTorch's global generator.
    """
    noise = torch.randn_like(clips[::clips_per_video, 0])
    return noise.repeat_interleave(clips_per_video, 0)


def _run(network: nn.Module, x: Tensor, shared: Tensor | None = None) -> Tensor:
    """Run f_A as fast as the device allows.

    In mixed precision the output is converted back to full precision. f_T and f_B get it in the
    memory format in which they are faster.
    """
    noise = {} if shared is None else dict(shared=shared)
    return network(to_faster_format(x), **noise).to(x.dtype).contiguous()
