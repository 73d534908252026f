"""The label-free privacy branch f_B of SPAct."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor

from ...registration import register
from .branch import PrivacyBranch
from .features import feature_maps, in_channels


@register(MODELS)
class ContrastivePrivacyBranch(PrivacyBranch):
    """Recognise which two views come from one image (SPAct Section 3.3).

    A model that succeeds sees features particular to the image, so an anonymizer that defeats the
    model has removed private information without any label.

    Args:
        backbone (dict): Any image backbone of MMPretrain, for instance
            ``dict(type='mmpretrain.ResNet', depth=50)`` or
            ``dict(type='mmpretrain.VisionTransformer', arch='small', img_size=112)``.
        neck (dict | list[dict]): A projector from the features of the backbone's last stage to the
            embedding, for instance ``dict(type='mmpretrain.MoCoV2Neck', in_channels=2048,
            hid_channels=2048, out_channels=128)``, which is the paper's Linear - ReLU - Linear. A
            neck with several ``in_channels``, such as ``HRFuseScales``, gets all stages.
        loss (dict): The loss of two views. Defaults to :class:`NTXentLoss`.
        init_cfg (dict, optional): Initialization config.
    """

    #: Smallest number of images in a batch: one pair has no negatives.
    min_batch_size = 2
    modes = ('loss', 'confuse', 'tensor')

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict],
        loss: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self._channels = in_channels(neck)
        self.loss_module = MODELS.build(loss or dict(type='NTXentLoss'))

    def embed(self, images: Tensor) -> Tensor:
        """Embed one view as its own BatchNorm batch.

        Args:
            images (Tensor): RGB in [0, 1], (N, 3, H, W).

        Returns:
            Tensor: Embeddings (N, D), not normalised.
        """
        maps = feature_maps(self.backbone(images), self._channels)
        return self.neck(maps if self._channels is None else maps[-1:])[-1]

    def tensor(
        self, views: Sequence[Tensor], data_samples: Sequence | None = None
    ) -> tuple[Tensor, ...]:
        """Return the embeddings of the views.

        Args:
            views (Sequence[Tensor]): Two views of N images, RGB in [0, 1], (N, 3, H, W) each.
            data_samples (Sequence, optional): Not used.

        Returns:
            tuple[Tensor, ...]: (N, D) for each view.

        Raises:
            ValueError: If there are not two views.
        """
        if len(views) != 2:
            raise ValueError(
                f'ContrastivePrivacyBranch needs two views of each image, but got {len(views)}; '
                'let the privacy pipeline produce two.'
            )
        return tuple(self.embed(view) for view in views)

    def loss(
        self, views: Sequence[Tensor], data_samples: Sequence | None = None
    ) -> dict[str, Tensor]:
        """Return ``dict(loss_privacy=...)`` of two views, as for :meth:`tensor`; no labels."""
        return dict(loss_privacy=self.loss_module(*self.tensor(views)))

    def loss_bounds(self, batch_size: int) -> tuple[float, float] | None:
        """Return L_B of a branch that is right about all images, and of a blind branch.

        Args:
            batch_size (int): Images in a batch of this process.

        Returns:
            tuple[float, float] | None: None for a loss without ``bounds``.
        """
        bounds = getattr(self.loss_module, 'bounds', None)
        return None if bounds is None else bounds(batch_size)
