"""MMAction2's and MMPretrain's data preprocessors behind a frozen anonymizer."""

from collections.abc import Sequence

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmengine.model import stack_batch
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor

from ..registration import register
from .anonymizing_mixin import AnonymizingMixin
from .clip_augmentation import ClipAugmentation
from .frames import as_clips, check_format, unfold_frames


@register(MODELS)
class AnonymizedActionPreprocessor(AnonymizingMixin, ActionDataPreprocessor):
    """MMAction2's ``ActionDataPreprocessor`` behind a frozen anonymizer.

    This setting alone gives any RGB recognizer of MMAction2 anonymized videos::

        model = dict(data_preprocessor=dict(
            type='AnonymizedActionPreprocessor', anonymizer=None, checkpoint='minimax.pth'))

    Mean, std and the other settings are inherited from the ``_base_``. Modes, precision and the
    rules of loading weights are described in :mod:`spact_mm.models.anonymizing_mixin`.

    Args:
        anonymizer (dict, optional): Config of f_A. None, the default, means the one that
            ``checkpoint`` names in the config it holds.
        checkpoint (str, optional): A checkpoint with f_A's weights: of the minimax training
            (``anonymizer.*``) or of a model behind this preprocessor
            (``data_preprocessor.anonymizer.*``). f_A's ``init_cfg`` is ignored then.
        max_frames_per_pass (int, optional): Bound on the frames that pass f_A at a time, which
            bounds the memory. None means all at once. Defaults to 256.
        cache (dict, optional): ``folder`` and ``max_gib`` of an
            :class:`~spact_mm.models.anonymized_cache.AnonymizedCache`: each frame is anonymized
            once, and rounded. Defaults to None.
        **kwargs: Arguments of ``ActionDataPreprocessor``; ``format_shape`` is ``'NCHW'`` or
            ``'NCTHW'``.

    Raises:
        FileNotFoundError: If ``checkpoint`` should name f_A and does not exist.
        ValueError: If there is no config of f_A, ``checkpoint`` holds no or another f_A, ``cache``
            is given although f_A draws or needs boxes, or the layout is not one of frames.
    """

    def __init__(
        self,
        anonymizer: dict | None = None,
        checkpoint: str | None = None,
        max_frames_per_pass: int | None = 256,
        cache: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(anonymizer, checkpoint, max_frames_per_pass, cache, **kwargs)
        check_format(self.format_shape)

    def preprocess(
        self, inputs: list[Tensor], data_samples: Sequence, training: bool = False
    ) -> tuple:
        """Stack and anonymize, then continue as the base class.

        Args:
            inputs (list[Tensor]): Clips in [0, 255] of the videos, each (M, C, T, H, W) or
                (M, C, H, W), or without M.
            data_samples (Sequence): MMAction2's data samples, or None.
            training (bool): Whether to blend. Defaults to False.

        Returns:
            tuple: The stacked inputs, normalised, and the data samples.

        Raises:
            FileNotFoundError: If f_A's weights are missing.
            OSError: If the folder of the cache cannot be used.
            ValueError: If the inputs are not RGB, f_A needs boxes and there are none, or there is a
                cache and the inputs are not uint8.
        """
        clips = stack_batch(list(inputs))
        boxes = self._boxes_of(inputs, data_samples, clips.shape[-2:])
        has_clip_axis = clips.ndim == (6 if self.format_shape == 'NCTHW' else 5)
        layout = clips if has_clip_axis else clips.unsqueeze(1)
        count = layout.shape[1] if self.format_shape == 'NCTHW' else 1
        frames = self._anonymize(as_clips(layout, self.format_shape), boxes, count).flatten(0, 1)
        frames = unfold_frames(frames, layout, self.format_shape).reshape(clips.shape)
        return super().preprocess(list(frames), data_samples, training)


@register(MODELS)
class AnonymizedImagePreprocessor(AnonymizingMixin, ClsDataPreprocessor):
    """MMPretrain's ``ClsDataPreprocessor`` behind a frozen anonymizer.

    This preprocessor alone gives any RGB image classifier of MMPretrain anonymized images, also in
    a config of MMPretrain's scope. Images are anonymized before they are padded. Modes, precision
    and the rules of loading weights are described in :mod:`spact_mm.models.anonymizing_mixin`.

    Args:
        anonymizer (dict, optional): As in :class:`AnonymizedActionPreprocessor`.
        checkpoint (str, optional): As in :class:`AnonymizedActionPreprocessor`.
        max_frames_per_pass (int, optional): As in :class:`AnonymizedActionPreprocessor`.
        cache (dict, optional): As in :class:`AnonymizedActionPreprocessor`.
        augment (dict, optional): Arguments of a :class:`~spact_mm.models.ClipAugmentation` of each
            anonymized image, in training only. Defaults to None.
        **kwargs: Arguments of ``ClsDataPreprocessor``.

    Raises:
        FileNotFoundError: If ``checkpoint`` should name f_A and does not exist.
        ValueError: If there is no config of f_A, ``checkpoint`` holds no or another f_A, ``cache``
            is given although f_A draws or needs boxes, or ``augment`` is out of range.
    """

    def __init__(
        self,
        anonymizer: dict | None = None,
        checkpoint: str | None = None,
        max_frames_per_pass: int | None = 256,
        cache: dict | None = None,
        augment: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(anonymizer, checkpoint, max_frames_per_pass, cache, **kwargs)
        self.augmentation = None if augment is None else ClipAugmentation(**augment)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Anonymize, then continue as the base class.

        Args:
            data (dict): ``inputs``, images in [0, 255]: (N, 3, H, W) or a list of (3, H, W), whose
                sizes may differ; ``data_samples`` may be absent.
            training (bool): Whether to augment the images and the batch. Defaults to False.

        Returns:
            dict: The same as from the base class.

        Raises:
            FileNotFoundError: If f_A's weights are missing.
            OSError: If the folder of the cache cannot be used.
            ValueError: If the inputs are not RGB, f_A needs boxes and there are none, or there is a
                cache and the inputs are not uint8.
        """
        images = self.cast_data(data['inputs'])
        boxes = self._boxes_of(images, data.get('data_samples'))
        videos = self._videos_of(data.get('data_samples'), training)
        if isinstance(images, Tensor):
            images = self._anonymize(images[:, None], boxes, videos=videos)[:, 0]
        elif len({image.shape for image in images}) == 1:
            stacked = torch.stack(tuple(images))[:, None]
            images = list(self._anonymize(stacked, boxes, videos=videos)[:, 0])
        else:
            images = [
                self._anonymize(
                    image[None, None],
                    None if boxes is None else boxes[index : index + 1],
                    videos=videos[index : index + 1],
                )[0, 0]
                for index, image in enumerate(images)
            ]
        if training and self.augmentation is not None:
            if isinstance(images, Tensor):
                images = self._augment(images)
            else:
                images = [self._augment(image[None])[0] for image in images]
        return super().forward(dict(data, inputs=images), training)

    def _augment(self, images: Tensor) -> Tensor:
        """Augment anonymized images (N, 3, H, W) in the colour order of the base class."""
        if self.to_rgb:
            return self.augmentation(images.flip(1)[:, None])[:, 0].flip(1)
        return self.augmentation(images[:, None])[:, 0]
