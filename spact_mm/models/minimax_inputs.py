"""Selection of the clips and frames that the networks of the minimax training see."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .frames import as_clips


@dataclass(frozen=True)
class Views:
    """Views for f_B: a frame of each of these clips.

    Attributes:
        clips (list[Tensor]): A batch of clips (N, T, 3, H, W) for each view.
        data_samples (Sequence, optional): Data samples of the images, if there are any.
        picks (list[Tensor], optional): Index of the frame of each clip that f_B sees, (N,) for each
            view; None for clips of one frame.
    """

    clips: list[Tensor]
    data_samples: Sequence | None
    picks: list[Tensor] | None = None

    def show(self, rewritten: Sequence[Tensor]) -> dict:
        """Return the batch of f_B, once f_A has rewritten the clips."""
        if self.picks is None:
            inputs = [clips[:, 0] for clips in rewritten]
        else:
            rows = torch.arange(len(rewritten[0]))
            inputs = [clips[rows, pick] for clips, pick in zip(rewritten, self.picks, strict=True)]
        return dict(inputs=inputs, data_samples=self.data_samples)


def choose_views(
    batch: dict, format_shape: str, view_distance: tuple[int, int], keeps_clips: bool
) -> Views:
    """Choose the views for f_B: the privacy batch, or two frames of each clip.

    Args:
        batch (dict): A training batch.
        format_shape (str): Layout of its clips.
        view_distance (tuple[int, int]): Least and greatest number of frames between both views.
        keeps_clips (bool): Whether f_A takes the whole clip of a frame.

    Raises:
        ValueError: If the clips are too short for two views.
    """
    if 'privacy' in batch:
        privacy = batch['privacy']
        return Views([view[:, None] for view in privacy['inputs']], privacy.get('data_samples'))
    clips = batch['action']['inputs']
    frames = as_clips(clips, format_shape)
    frames = frames.reshape(len(clips), -1, *frames.shape[2:])
    count, length = frames.shape[:2]
    low, high = view_distance
    if length <= low:
        raise ValueError(
            f'view_distance={view_distance} needs clips of more than {low} frames, but they have '
            f'{length}; lower view_distance or lengthen the clips.'
        )
    # Drawn on the CPU, so that a seed gives the same frames on every device.
    distance = torch.randint(low, min(high, length - 1) + 1, (count,))
    first = (torch.rand(count) * (length - distance)).long()
    picks = [first, first + distance]
    if keeps_clips:
        return Views([frames, frames], None, picks)
    rows = torch.arange(count)
    return Views([frames[rows, pick][:, None] for pick in picks], None)


def choose_plain_clips(
    batch: dict, format_shape: str, num_frames: int | None, keeps_clips: bool
) -> list[Tensor]:
    """Choose the raw clips that f_A learns to reproduce, one batch (N, T, 3, H, W) for each size.

    Args:
        batch (dict): A training batch; its privacy views are included.
        format_shape (str): Layout of its clips.
        num_frames (int, optional): Frames of each clip, evenly spaced. None means all.
        keeps_clips (bool): Whether f_A takes clips. If not, the returned clips have one frame.
    """
    clips = as_clips(batch['action']['inputs'], format_shape)
    if num_frames is not None:
        count = min(num_frames, clips.shape[1])
        picks = torch.linspace(0, clips.shape[1] - 1, count).round().long()
        clips = clips[:, picks.to(clips.device)]
    views = [view[:, None] for view in batch['privacy']['inputs']] if 'privacy' in batch else []
    if not keeps_clips:
        clips = clips.flatten(0, 1)[:, None]
        if all(view.shape[1:] == clips.shape[1:] for view in views):
            return [torch.cat([clips, *views])]
    return [clips, *views]
