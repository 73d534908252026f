"""A recognizer behind an anonymizer: the model that remains for tests and use after a training."""

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from .frames import as_clips, unfold_frames
from .minimax_preprocessor import MinimaxDataPreprocessor
from .rewrite import rewrite
from .rgb_recognizer import build_rgb_recognizer
from .unwrapped import unwrapped


class AnonymizedRecognition(BaseModel):
    """f_T(f_A(x)), as MMAction2's tools evaluate it.

    Args:
        anonymizer (dict): f_A.
        recognizer (dict): f_T, an MMAction2 recognizer of RGB frames.
        max_frames_per_pass (int, optional): Bound on the frames that pass f_A at a time where no
            gradient is kept. None means all at once.
        augmentation (dict, optional): Arguments of a :class:`DeviceAugmentation` of training clips.
        init_cfg (dict, optional): Initialization config of the whole model.

    Raises:
        ValueError: If the bound is below 1, or the recognizer does not classify RGB frames.
    """

    def __init__(
        self,
        anonymizer: dict,
        recognizer: dict,
        max_frames_per_pass: int | None,
        augmentation: dict | None,
        init_cfg: dict | None,
    ) -> None:
        recognizer_module, format_shape = build_rgb_recognizer(recognizer)
        super().__init__(
            data_preprocessor=MinimaxDataPreprocessor(format_shape, augmentation),
            init_cfg=init_cfg,
        )
        if max_frames_per_pass is not None and max_frames_per_pass < 1:
            raise ValueError(
                'max_frames_per_pass must be 1 or more, or None for all, but is '
                f'{max_frames_per_pass}.'
            )
        self.anonymizer = MODELS.build(anonymizer)
        self.recognizer = recognizer_module
        self.format_shape = format_shape
        self.max_frames_per_pass = max_frames_per_pass

    def forward(self, inputs: Tensor, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Run the recognizer on anonymized clips, so that MMAction2's tools evaluate f_T(f_A(x)).

        Args:
            inputs (Tensor): Clips in [0, 1], (N, M, C, T, H, W) or (N, M, C, H, W).
            data_samples (Sequence, optional): MMAction2's data samples.
            mode (str): ``'tensor'``, ``'predict'`` or ``'loss'``, as in MMAction2.

        Returns:
            The recognizer's output for that mode. Predictions also have ``frame_change``, the
            video's mean L1 between raw and anonymized frames.
        """
        anonymized = self.anonymize(inputs)
        clips, data_samples = self._normalize(anonymized, data_samples)
        out = self.recognizer(clips, data_samples, mode=mode)
        if mode == 'predict':
            changes = (anonymized - inputs).abs().flatten(1).mean(1)
            for sample, change in zip(out, changes, strict=True):
                sample.set_field(change, 'frame_change')
        return out

    @torch.no_grad()
    def anonymize(self, clips: Tensor) -> Tensor:
        """Anonymize clips in bounded memory, in f_A's current BatchNorm mode.

        Args:
            clips (Tensor): RGB in [0, 1], (N, M, C, T, H, W) or (N, M, C, H, W).

        Returns:
            Tensor: Anonymized clips, same shape and range.
        """
        (anonymized,) = self._rewrite(
            as_clips(clips, self.format_shape), clips_per_video=self._clips_per_video(clips)
        )
        return unfold_frames(anonymized.flatten(0, 1), clips, self.format_shape)

    def _rewrite(self, *parts: Tensor, clips_per_video: int = 1) -> list[Tensor]:
        return rewrite(self.anonymizer, parts, self.max_frames_per_pass, clips_per_video)

    def _clips_per_video(self, inputs: Tensor) -> int:
        return inputs.shape[1] if inputs.dim() == 6 else 1

    def _normalize(self, clips: Tensor, data_samples: Sequence | None) -> tuple[Tensor, Sequence]:
        """Apply the recognizer's own preprocessing (normalisation, blending) to [0, 1] clips."""
        recognizer = unwrapped(self.recognizer)
        batch = dict(inputs=list(clips * 255), data_samples=data_samples)
        batch = recognizer.data_preprocessor(batch, training=recognizer.training)
        return batch['inputs'], batch['data_samples']
