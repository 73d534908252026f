"""A classifier that also tells by what it classifies."""

from mmaction.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from ...registration import register


@register(MODELS)
class EmbeddingClassifier(ImageClassifier):
    """MMPretrain's ``ImageClassifier`` that predicts its embedding too.

    An attacker who learns to tell the persons of a training set apart by it may recognise others by
    the same: :class:`VerificationMetric` compares embeddings of persons that are in no training.
    The head is any of MMPretrain's that has ``pre_logits`` (``LinearClsHead``,
    ``ArcFaceClsHead``, ...).
    """

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> list[DataSample]:
        """Classify, and keep the features that the head's last layer gets.

        Args:
            inputs (Tensor): (N, C, ...).
            data_samples (list[DataSample], optional): What the predictions are added to.
            **kwargs: As those of the head's ``predict``.

        Returns:
            list[DataSample]: With ``embedding`` (D,) beside what the head predicts.
        """
        features = self.extract_feat(inputs)
        samples = self.head.predict(features, data_samples, **kwargs)
        for sample, embedding in zip(samples, self.head.pre_logits(features), strict=True):
            sample.set_field(embedding, 'embedding')
        return samples
