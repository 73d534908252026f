"""The training of a renderer: a network that draws calm pictures of a noisy channel's output."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from ..registration import register
from .anonymizers.traits import is_random, rewrite_clips
from .frames import as_clips
from .preprocessors import AnonymizedActionPreprocessor


@register(MODELS)
class RendererPreprocessor(AnonymizedActionPreprocessor):
    """Return two outputs of an anonymizer for each clip, with noise of their own.

    Args:
        format_shape (str): ``'NCTHW'`` or ``'NCHW'``, as the pipeline gives. Defaults to
            ``'NCTHW'``.
        **kwargs: Further arguments of :class:`AnonymizedActionPreprocessor`, without mean and std.

    Raises:
        ValueError: If the anonymizer is not random.
    """

    def __init__(self, format_shape: str = 'NCTHW', **kwargs) -> None:
        super().__init__(mean=[0.0] * 3, std=[255.0] * 3, format_shape=format_shape, **kwargs)
        if not is_random(self.anonymizer):
            raise ValueError(
                f'A renderer learns from two draws of noise, but {type(self.anonymizer).__name__} '
                "draws none: give it a dict(type='GaussianChannel', ...)."
            )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Convert a batch.

        Args:
            data (dict): As for :class:`AnonymizedActionPreprocessor`.
            training (bool): Whether the second output is needed. Defaults to False.

        Returns:
            dict: ``inputs``, the anonymized clips as float in [0, 1], (N, T, 3, H, W), where N
            counts all clips; in training also ``again``, the clips with other noise; and
            ``data_samples``.
        """
        batch = super().forward(data, training)
        batch['inputs'] = as_clips(batch['inputs'], self.format_shape)
        if training:
            other = super().forward(data, training)['inputs']
            batch['again'] = as_clips(other, self.format_shape)
        return batch


@register(MODELS)
class RendererTraining(BaseModel):
    """Train a renderer: a network that draws calm pictures of a noisy channel's output.

    The renderer sees only the channel's output Y, so that it adds nothing to what Y tells of the
    video (data-processing inequality). It learns from pairs of outputs with independent noise, one
    being predicted from the other: the least squared error has the mean of what may have been sent
    (Noise2Noise, Lehtinen et al., ICML 2018, Section 2). Raw frames are no part of the loss.

    A checkpoint of this model is an anonymizer for all tools: f_A with the renderer behind it.

    Args:
        anonymizer (dict, optional): f_A with its channel, frozen, as in
            :class:`AnonymizedActionPreprocessor`. Tools that use the checkpoint need its config.
        renderer (dict, optional): Network of clips, or of frames. Defaults to a ``ClipRenderer``.
        checkpoint (str, optional): Checkpoint with f_A's weights.
        data_preprocessor (dict, optional): Further settings of :class:`RendererPreprocessor`, such
            as ``dict(to_rgb=True)``.
        init_cfg (dict, optional): Initialization config of the whole model.

    Raises:
        ValueError: If the anonymizer is not random.

    Example:
        >>> model = dict(
        ...     type='RendererTraining',
        ...     anonymizer=dict(
        ...         type='GaussianChannel', anonymizer=dict(type='UNetAnonymizer'), stride=8
        ...     ),
        ...     checkpoint='work_dirs/price_r3d_ucf101/epoch_220.pth',
        ... )
    """

    def __init__(
        self,
        anonymizer: dict | None = None,
        renderer: dict | None = None,
        checkpoint: str | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        preprocessor = dict(
            type='RendererPreprocessor', anonymizer=anonymizer, checkpoint=checkpoint
        )
        super().__init__(
            data_preprocessor=dict(preprocessor, **(data_preprocessor or {})), init_cfg=init_cfg
        )
        self.renderer = MODELS.build(renderer or dict(type='ClipRenderer'))

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence | None = None,
        again: Tensor | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[Tensor]:
        """Draw pictures.

        Args:
            inputs (Tensor): Outputs of the channel, RGB in [0, 1], (N, T, 3, H, W).
            data_samples (Sequence, optional): Not used.
            again (Tensor, optional): The outputs with other noise, same shape, for ``'loss'``.
            mode (str): ``'tensor'``, ``'predict'`` or ``'loss'``. Defaults to ``'tensor'``.

        Returns:
            The pictures (N, T, 3, H, W), as a list for ``'predict'``; or
            ``dict(loss_rendering=...)``.

        Raises:
            ValueError: If the mode is none of these.
        """
        if mode not in ('tensor', 'predict', 'loss'):
            raise ValueError(
                f"RendererTraining has the modes 'tensor', 'predict' and 'loss', but not {mode!r}."
            )
        pictures = rewrite_clips(self.renderer, inputs)
        if mode == 'loss':
            return dict(loss_rendering=F.mse_loss(pictures.to(again.dtype), again))
        return pictures if mode == 'tensor' else list(pictures)
