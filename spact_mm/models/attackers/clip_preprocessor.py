"""Several anonymized frames of a video as one input of a classifier."""

from collections.abc import Callable, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import stack_batch
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor

from ...registration import register
from ..anonymizing_mixin import AnonymizingMixin
from ..clip_augmentation import ClipAugmentation
from ..frames import fold_frames


def _frame(clips: Tensor) -> Tensor:
    return clips[:, clips.shape[1] // 2]


def _mean(clips: Tensor) -> Tensor:
    return torch.cat([clips.mean(1), _frame(clips)], 1)


def _difference(clips: Tensor) -> Tensor:
    steps = clips.diff(dim=1)
    return torch.cat([steps.abs().mean(1), steps[:, steps.shape[1] // 2]], 1)


#: Views of clips (N, T, 3, H, W) for attackers: ``frame``, the middle frame; ``mean``, the temporal
#: mean, which averages noise away, and the middle frame; ``difference``, the mean absolute
#: difference of successive frames, which no static picture hides, and one of these differences;
#: ``stack``, all frames as channels; ``clip``, (N, 3, T, H, W) for 3D networks;
#: ``clip_difference``, T - 1 differences of frames for 3D networks.
CLIP_VIEWS: dict[str, Callable[[Tensor], Tensor]] = dict(
    frame=_frame,
    mean=_mean,
    difference=_difference,
    stack=lambda clips: clips.flatten(1, 2),
    clip=lambda clips: clips.transpose(1, 2),
    clip_difference=lambda clips: clips.diff(dim=1).transpose(1, 2),
)


def view_clips(clips: Tensor, view: str) -> Tensor:
    """Make the input of an attacker of frames.

    Args:
        clips (Tensor): (N, T, 3, H, W).
        view (str): One of :data:`CLIP_VIEWS`.

    Returns:
        Tensor: (N, K, H, W), with K = 3, 6, 6 or 3 T, or (N, 3, T, H, W).

    Raises:
        ValueError: If there is one frame only and the view needs differences.
    """
    if 'difference' in view and clips.shape[1] < 2:
        raise ValueError(
            f'The view {view!r} of an attacker needs two frames at least; raise clip_len of its '
            'pipeline.'
        )
    return CLIP_VIEWS[view](clips)


@register(MODELS)
class AnonymizedClipPreprocessor(AnonymizingMixin, ClsDataPreprocessor):
    """Clips behind a frozen anonymizer, as an input of MMPretrain's ``ImageClassifier``.

    Frames are anonymized one by one, normalised, and put together as ``view`` says, so that any
    classifier may look at several frames of a video at once. The pipeline ends in
    ``FormatShape(input_format='NCTHW')`` and ``mmpretrain.PackInputs(input_key='imgs')``.

    Args:
        view (str): One of :data:`CLIP_VIEWS`.
        mean (Sequence[float]): Mean of [0, 255] frames, R, G, B. Defaults to 127.5 each.
        std (Sequence[float]): Standard deviation of the same. Defaults to 60 each.
        augment (dict, optional): Arguments of a :class:`~spact_mm.models.ClipAugmentation` of each
            anonymized clip, before the view is made, in training only. Defaults to None.
        **kwargs: The arguments of :class:`AnonymizedActionPreprocessor` that concern f_A
            (``anonymizer``, ``checkpoint``, ``max_frames_per_pass``, ``cache``), and the arguments
            of ``ClsDataPreprocessor``.

    Raises:
        ValueError: If there is no such view, the frames should be BGR, ``augment`` is out of range,
            or ``cache`` is given although f_A draws or needs boxes.
    """

    def __init__(
        self,
        view: str,
        mean: Sequence[float] = (127.5,) * 3,
        std: Sequence[float] = (60.0,) * 3,
        augment: dict | None = None,
        **kwargs,
    ) -> None:
        if view not in CLIP_VIEWS:
            raise ValueError(
                f'view of AnonymizedClipPreprocessor is {view!r}; choose from {list(CLIP_VIEWS)}.'
            )
        if kwargs.get('to_rgb'):
            raise ValueError(
                'AnonymizedClipPreprocessor takes RGB frames, as its pipelines decode them; leave '
                'to_rgb out.'
            )
        super().__init__(**kwargs)
        self.view = view
        self.augmentation = None if augment is None else ClipAugmentation(**augment)
        self.register_buffer('frame_mean', torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer('frame_std', torch.tensor(std).view(-1, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Anonymize, normalise and make the view, then continue as the base class.

        Args:
            data (dict): ``inputs``, clips in [0, 255] of one size: (N, M, 3, T, H, W) or a list of
                (M, 3, T, H, W), whose M clips are joined to one; ``data_samples`` may be absent.
            training (bool): Whether to augment the clips and the batch. Defaults to False.

        Returns:
            dict: ``inputs`` as :func:`view_clips` makes them, and ``data_samples``.

        Raises:
            OSError: If the folder of the cache cannot be used.
            ValueError: If the inputs are not RGB, f_A needs boxes and there are none, or there is a
                cache and the inputs are not uint8.
        """
        clips = self.cast_data(data['inputs'])
        if not isinstance(clips, Tensor):
            clips = stack_batch(list(clips))
        boxes = self._boxes_of(clips, data.get('data_samples'))
        frames = fold_frames(clips, 'NCTHW')
        frames = frames.reshape(len(clips), -1, *frames.shape[1:])
        videos = self._videos_of(data.get('data_samples'), training)
        clips = self._anonymize(frames, boxes, videos=videos).float()
        if training and self.augmentation is not None:
            clips = self.augmentation(clips)
        clips = (clips - self.frame_mean) / self.frame_std
        inputs = view_clips(clips, self.view)
        return super().forward(dict(data, inputs=inputs), training)
