"""A classifier that also returns its embedding."""

from mmaction.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from ...registration import register


@register(MODELS)
class EmbeddingClassifier(ImageClassifier):
    """MMPretrain's ``ImageClassifier`` that predicts its embedding too.

    An embedding that distinguishes the persons of a training set may also identify other persons:
    :class:`VerificationMetric` compares embeddings of persons who are in no training set. The head
    is any head of MMPretrain with ``pre_logits`` (``LinearClsHead``, ``ArcFaceClsHead``, ...).
    """

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> list[DataSample]:
        """Classify, and keep the input features of the head's last layer.

        Args:
            inputs (Tensor): (N, C, ...).
            data_samples (list[DataSample], optional): Samples that get the predictions.
            **kwargs: Arguments of the head's ``predict``.

        Returns:
            list[DataSample]: The samples with the head's predictions and ``embedding`` (D,).
        """
        features = self.extract_feat(inputs)
        samples = self.head.predict(features, data_samples, **kwargs)
        for sample, embedding in zip(samples, self.head.pre_logits(features), strict=True):
            sample.set_field(embedding, 'embedding')
        return samples
