"""The attacker who undoes the anonymizer."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor

from ...registration import register
from ..preprocessors import AnonymizedImagePreprocessor

_LOSSES = dict(l1=F.l1_loss, mse=F.mse_loss)


@register(MODELS)
class ReconstructionPreprocessor(AnonymizedImagePreprocessor):
    """Return raw and anonymized images, both RGB in [0, 1].

    Args:
        anonymizer (dict, optional): As in :class:`AnonymizedImagePreprocessor`.
        checkpoint (str, optional): As in :class:`AnonymizedImagePreprocessor`.
        max_frames_per_pass (int, optional): As in :class:`AnonymizedImagePreprocessor`.
        to_rgb (bool): Whether the pipeline loads BGR images. Defaults to False.
    """

    def __init__(
        self,
        anonymizer: dict | None = None,
        checkpoint: str | None = None,
        max_frames_per_pass: int | None = 256,
        to_rgb: bool = False,
    ) -> None:
        super().__init__(
            anonymizer,
            checkpoint,
            max_frames_per_pass,
            mean=[0.0] * 3,
            std=[255.0] * 3,
            to_rgb=to_rgb,
        )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Convert a batch.

        Args:
            data (dict): ``inputs``, N images in [0, 255], (3, H, W) in a list or stacked;
                ``data_samples`` may be absent.
            training (bool): Not used.

        Returns:
            dict: ``inputs``, the anonymized images, and ``raw``, the raw images, both float
            (N, 3, H, W) in [0, 1]; ``data_samples``.

        Raises:
            ValueError: If the images differ in size.
        """
        images = data['inputs']
        if not isinstance(images, Tensor):
            sizes = sorted({tuple(image.shape[-2:]) for image in images})
            if len(sizes) > 1:
                raise ValueError(
                    f'The images of a batch have {len(sizes)} sizes, {sizes[0]} to {sizes[-1]}, '
                    'but the reconstruction attack takes one: add '
                    "dict(type='mmpretrain.Resize', scale=(width, height)) to the pipeline."
                )
            images = torch.stack(tuple(images))
        raw = ClsDataPreprocessor.forward(self, dict(inputs=images))['inputs']
        return dict(super().forward(dict(data, inputs=images)), raw=raw)


@register(MODELS)
class ReconstructionAttack(BaseModel):
    """Train a network to turn anonymized frames back into raw ones.

    The attacker passes raw images of their own through the anonymizer, and so has any number of
    pairs to learn from. The reconstructions may reveal more than the anonymized frames, to people
    and to attribute attackers. To measure an attribute attacker on reconstructions, put a
    ``SequentialAnonymizer`` of the anonymizer and the trained inverter in front of the attacker;
    the inverter's weights have the prefix ``inverter.`` in checkpoints.

    Args:
        anonymizer (dict, optional): f_A, frozen, as in :class:`AnonymizedImagePreprocessor`:
            None means the one that ``checkpoint`` names.
        inverter (dict, optional): Frames (N, 3, H, W) in [0, 1] to the same. Defaults to a
            ``UNetAnonymizer`` as large as f_A of the paper.
        checkpoint (str, optional): Checkpoint with f_A's weights, usually of the minimax training.
        loss (str): ``'l1'`` or ``'mse'``, the mean over all pixels; PSNR is a function of
            ``'mse'``. Defaults to ``'l1'``.
        data_preprocessor (dict, optional): Further settings of
            :class:`ReconstructionPreprocessor`, such as ``dict(to_rgb=True)``.
        init_cfg (dict, optional): Initialization config of the whole model.

    Raises:
        ValueError: If there is no such loss.

    Example:
        >>> model = dict(
        ...     type='ReconstructionAttack',
        ...     inverter=dict(type='UNetAnonymizer'),
        ...     checkpoint='work_dirs/spact_r3d_ucf101/epoch_370.pth',
        ... )
    """

    def __init__(
        self,
        anonymizer: dict | None = None,
        inverter: dict | None = None,
        checkpoint: str | None = None,
        loss: str = 'l1',
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if loss not in _LOSSES:
            raise ValueError(
                f'ReconstructionAttack has no loss {loss!r}; choose from {list(_LOSSES)}.'
            )
        preprocessor = dict(
            type='ReconstructionPreprocessor', anonymizer=anonymizer, checkpoint=checkpoint
        )
        super().__init__(
            data_preprocessor=dict(preprocessor, **(data_preprocessor or {})), init_cfg=init_cfg
        )
        self.inverter = MODELS.build(inverter or dict(type='UNetAnonymizer'))
        self.loss_function = _LOSSES[loss]

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence | None = None,
        raw: Tensor | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list:
        """Reconstruct images.

        Args:
            inputs (Tensor): Anonymized images, RGB in [0, 1], (N, 3, H, W).
            data_samples (Sequence, optional): The samples of the images.
            raw (Tensor, optional): The raw images, same shape; not needed by ``'tensor'``.
            mode (str): ``'tensor'``, ``'predict'`` or ``'loss'``. Defaults to ``'tensor'``.

        Returns:
            The reconstructions (N, 3, H, W); or the data samples with the images ``restored``,
            ``anonymized`` and ``raw``, (3, H, W) each; or ``dict(loss_reconstruction=...)``.

        Raises:
            ValueError: If the mode is none of these.
        """
        if mode not in ('tensor', 'predict', 'loss'):
            raise ValueError(
                "ReconstructionAttack has the modes 'tensor', 'predict' and 'loss', but not "
                f'{mode!r}.'
            )
        restored = self.inverter(inputs)
        if mode == 'tensor':
            return restored
        if mode == 'loss':
            return dict(loss_reconstruction=self.loss_function(restored.to(raw.dtype), raw))
        samples = data_samples or [None] * len(inputs)
        samples = [BaseDataElement() if sample is None else sample for sample in samples]
        images = dict(restored=restored, anonymized=inputs, raw=raw)
        for index, sample in enumerate(samples):
            for name, batch in images.items():
                sample.set_field(batch[index], name)
        return samples
