"""The supervised privacy branch f_B: it predicts labelled attributes."""

import math
from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ...registration import register
from .branch import PrivacyBranch
from .features import feature_maps, in_channels


@register(MODELS)
class AttributePrivacyBranch(PrivacyBranch):
    """Predict privacy attributes of an image, as in Wu et al. (arXiv 1906.05675).

    The children are MMPretrain's and are built in its scope, so that their types need no
    ``mmpretrain.`` and a head's default loss is MMPretrain's; ``_scope_`` in a child's config
    overrides this. Seven attributes::

        dict(
            type='AttributePrivacyBranch',
            backbone=dict(type='mmpretrain.ResNet', depth=50),
            head=dict(
                type='mmpretrain.MultiLabelLinearClsHead',
                num_classes=7,
                in_channels=2048,
                loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / 7),
            ),
        )

    MMPretrain sums the binary cross entropy over the attributes; the weight makes it their mean.

    Args:
        backbone (dict): Any image backbone of MMPretrain.
        head (dict): ``mmpretrain.MultiLabelLinearClsHead`` for attributes or
            ``mmpretrain.LinearClsHead`` for one class of many, such as identities.
        neck (dict, optional): Between backbone and head; it gets a map of each stage. Defaults to
            ``mmpretrain.GlobalAveragePooling``.
        init_cfg (dict, optional): Initialization config.
    """

    modes = ('loss', 'confuse', 'tensor', 'predict')

    def __init__(
        self, backbone: dict, head: dict, neck: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = _build(backbone)
        self.neck = _build(neck or dict(type='GlobalAveragePooling'))
        self.head = _build(head)
        self._channels = in_channels(neck or head)

    def extract(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the features that the head takes, one view as its own BatchNorm batch.

        Args:
            images (Tensor): RGB in [0, 1], (N, 3, H, W).

        Returns:
            tuple[Tensor, ...]: The last is (N, C).
        """
        return self.neck(feature_maps(self.backbone(images), self._channels))

    def loss(
        self, views: Sequence[Tensor], data_samples: Sequence[BaseDataElement] | None
    ) -> dict[str, Tensor]:
        """Return ``dict(loss_privacy=...)``, the mean over one or more views.

        Args:
            views (Sequence[Tensor]): N images each, RGB in [0, 1], (N, 3, H, W).
            data_samples (Sequence): MMPretrain's ``DataSample`` of each image, with ``gt_score``
                (K,) or ``gt_label``.

        Raises:
            ValueError: If there is no view, or labels are absent or do not fit the head.
        """
        self._check_views(views)
        self._check_labels(data_samples)
        losses = [self.head.loss(self.extract(v), data_samples)['loss'] for v in views]
        return dict(loss_privacy=torch.stack(losses).mean())

    def tensor(
        self, views: Sequence[Tensor], data_samples: Sequence | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits (N, K) of each view."""
        self._check_views(views)
        return tuple(self.head(self.extract(view)) for view in views)

    def predict(
        self, views: Sequence[Tensor], data_samples: Sequence[BaseDataElement] | None = None
    ) -> list[BaseDataElement]:
        """Return the data samples with ``pred_score`` (K,), of the logits' mean over views."""
        self._check_views(views)
        # The heads are linear: the logits of mean features are the mean logits.
        features = torch.stack([self.extract(view)[-1] for view in views]).mean(0)
        return self.head.predict((features,), data_samples)

    def _check_views(self, views: Sequence[Tensor]) -> None:
        if len(views) == 0:
            raise ValueError('AttributePrivacyBranch needs at least one view, but got none.')

    def loss_bounds(self, batch_size: int) -> tuple[float, float] | None:
        """Return L_B of a branch that is right about all images, and of one that guesses.

        Args:
            batch_size (int): Not used.

        Returns:
            tuple[float, float] | None: None for a loss other than MMPretrain's cross entropy with
            equal weights.
        """
        loss, classes = getattr(self.head, 'loss_module', None), self.head.num_classes
        if not hasattr(loss, 'use_sigmoid') or loss.use_soft or loss.reduction != 'mean':
            return None
        if loss.class_weight is not None or loss.pos_weight is not None:
            return None
        # A guess is a coin for each attribute, or one draw of all classes.
        chance = classes * math.log(2) if loss.use_sigmoid else math.log(classes)
        return 0.0, chance * loss.loss_weight

    def _check_labels(self, data_samples: Sequence[BaseDataElement] | None) -> None:
        for sample in [None] if data_samples is None else data_samples:
            if sample is None or not ('gt_score' in sample or 'gt_label' in sample):
                raise ValueError(
                    'AttributePrivacyBranch needs a labelled privacy loader, but its samples have '
                    'no labels; give the config a privacy_dataloader whose data set has attributes '
                    "(VISPRDataset(attributes='VISPR1'))."
                )
            if 'gt_score' in sample and len(sample.gt_score) != self.head.num_classes:
                raise ValueError(
                    f'The head of AttributePrivacyBranch has num_classes={self.head.num_classes}, '
                    f'but the privacy samples have {len(sample.gt_score)} attributes; make both '
                    'equal.'
                )


def _build(config: dict) -> nn.Module:
    """Build a child in MMPretrain's scope, unless its config names another one."""
    return MODELS.build(dict(dict(_scope_='mmpretrain'), **config))
