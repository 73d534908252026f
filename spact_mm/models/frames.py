"""Clips as frames and back: the only place where time meets the batch axis."""

from collections.abc import Callable

import torch
from torch import Tensor

#: Whether a layout of MMAction2's ``FormatShape`` has a time axis: (N, M, C, T, H, W) of 3D
#: recognizers does, (N, M, C, H, W) of 2D recognizers does not.
_HAS_TIME = {'NCTHW': True, 'NCHW': False}

#: Pixels that pass at a time on a CPU: fewer or more were slower, as measured
#: (docs/performance.md).
_CPU_PIXELS = 16 * 112 * 112


def check_format(format_shape: str) -> str:
    """Return ``format_shape`` if it is a layout of RGB frames.

    Raises:
        ValueError: If it is neither ``'NCTHW'`` nor ``'NCHW'``.
    """
    if format_shape not in _HAS_TIME:
        raise ValueError(
            f'The recognizer has format_shape={format_shape!r} in its data_preprocessor, but RGB '
            f'frames can be anonymized in {sorted(_HAS_TIME)} only; use an RGB recognizer.'
        )
    return format_shape


def fold_frames(clips: Tensor, format_shape: str) -> Tensor:
    """Lay out clips as a batch of frames.

    Args:
        clips (Tensor): (N, M, C, T, H, W) if ``format_shape`` is ``'NCTHW'``, (N, M, C, H, W) if
            it is ``'NCHW'``; M counts the clips, crops or segments of a video.
        format_shape (str): Layout, as in MMAction2's ``FormatShape``.

    Returns:
        Tensor: (N * M * T, C, H, W), the frames of a clip next to each other in time.
    """
    if _HAS_TIME[check_format(format_shape)]:
        # Time is moved before colour first: a plain reshape would mix both.
        clips = clips.transpose(2, 3)
    return clips.reshape(-1, *clips.shape[-3:])


def unfold_frames(frames: Tensor, like: Tensor, format_shape: str) -> Tensor:
    """Undo :func:`fold_frames`.

    Args:
        frames (Tensor): (N * M * T, C, H, W).
        like (Tensor): The clips that were folded; they give the shape except height and width.
        format_shape (str): Layout of the clips.

    Returns:
        Tensor: Clips of the shape of ``like``, with height and width of the frames.
    """
    if not _HAS_TIME[check_format(format_shape)]:
        return frames.reshape(*like.shape[:-2], *frames.shape[-2:])
    videos, clips, channels, length = like.shape[:4]
    frames = frames.reshape(videos, clips, length, channels, *frames.shape[-2:])
    return frames.transpose(2, 3)


def as_clips(inputs: Tensor, format_shape: str) -> Tensor:
    """Lay out a batch of a recognizer as clips, the frames of each next to each other in time.

    Args:
        inputs (Tensor): Clips, as for :func:`fold_frames`.
        format_shape (str): Layout, as in MMAction2's ``FormatShape``.

    Returns:
        Tensor: (N * M, T, C, H, W) for ``'NCTHW'``; for ``'NCHW'`` the M frames of a video are a
        clip, (N, M, C, H, W).
    """
    frames = fold_frames(inputs, format_shape)
    length = inputs.shape[3 if _HAS_TIME[format_shape] else 1]
    return frames.reshape(-1, length, *frames.shape[1:])


def map_chunks(
    function: Callable[..., Tensor], frames: Tensor, chunk: int | None, *others: Tensor
) -> Tensor:
    """Apply ``function`` to at most ``chunk`` frames at a time and concatenate.

    On a CPU fewer frames pass at a time where this is faster, at least one. Clips are never cut.

    Args:
        function (Callable): From frames (n, C, H, W) or clips (n, T, C, H, W) to the same.
        frames (Tensor): Frames (N, C, H, W) or clips (N, T, C, H, W).
        chunk (int, optional): Bound on the frames. None means all at once.
        *others (Tensor): Further arguments of the function, one entry for each frame or clip.

    Returns:
        Tensor: Same shape.
    """
    height, width = frames.shape[-2:]
    length = frames.shape[1] if frames.dim() == 5 else 1
    chunk = chunk or len(frames) * length
    if frames.device.type == 'cpu':
        chunk = min(chunk, max(1, _CPU_PIXELS // (height * width)))
    count = max(1, chunk // length)
    if len(frames) <= count:
        return function(frames, *others)
    parts = zip(*(x.split(count) for x in (frames, *others)), strict=True)
    return torch.cat([function(*part) for part in parts])
