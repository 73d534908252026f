"""Metrics of a privacy attacker: cMAP and F1 over attributes, and their chance level."""

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..registration import register
from .ranking import average_precision

LEVELS = ('image', 'video')


@register(METRICS)
class PrivacyAttributeMetric(BaseMetric):
    """cMAP and F1 of a privacy attacker (SPAct Section 4), as fractions in [0, 1].

    - ``privacy/cMAP``: mean of the attributes' average precision, as defined by scikit-learn's
      ``average_precision_score``; an attribute without a positive counts as 0, with a warning.
    - ``privacy/cMAP_chance``: the mean positive rate, the expectation for a random ranking.
    - ``privacy/F1``: macro mean of F1 at scores above the threshold; 0/0 counts as 0.
    - ``privacy/AP_<attribute>``, ``privacy/chance_<attribute>`` (its positive rate) and
      ``privacy/count``, the number of images or videos.
    - With ``single_label``: ``privacy/top1`` and ``privacy/top1_chance`` (the share of the largest
      class). AP is one class against the rest, and F1 takes the class with the highest score as the
      prediction: with many classes no score may pass a threshold.

    The metric reads the predictions of MMPretrain's ``ImageClassifier``: ``pred_score`` (K,), the
    probabilities, and ``gt_score`` (K,) or else ``gt_label``, the indices of present attributes.

    Args:
        threshold (float): An attribute is predicted if its score is above the threshold. Defaults
            to 0.5.
        on_logits (bool): Whether ``threshold`` is for the raw output instead of its sigmoid. The
            published codes of this family apply 0.5 to raw outputs, which are logits in some of
            them; there 0.5 means a probability of 0.622, and F1 is lower. Defaults to False.
        attributes (Sequence[str], optional): Names of the K attributes. None, the default, means
            ``classes`` in the data set's metainfo, or numbers if it has none.
        columns (Mapping[str, Sequence[int]], optional): Indices of the scores for each attribute,
            of which the largest is used; for an attacker trained on the attributes of another data
            set, such as :data:`~spact_mm.datasets.VISPR1_COLUMNS` on PA-HMDB51. Other names than
            the attributes' are ignored. None, the default, means one score for each attribute.
        level (str): ``'image'``; or ``'video'``: the scores of all samples of the same ``video_id``
            (in their metainfo) are averaged first. Defaults to ``'image'``.
        single_label (bool): Whether each sample has exactly one attribute, for instance an identity
            of a closed set. Defaults to False.
        **kwargs: Arguments of :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If the options contradict each other or the samples, or a score is no
            probability.
    """

    default_prefix = 'privacy'

    def __init__(
        self,
        threshold: float = 0.5,
        on_logits: bool = False,
        attributes: Sequence[str] | None = None,
        columns: Mapping[str, Sequence[int]] | None = None,
        level: str = 'image',
        single_label: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if level not in LEVELS:
            raise ValueError(
                f'level of PrivacyAttributeMetric is {level!r}; choose from {list(LEVELS)}.'
            )
        if single_label and (on_logits or threshold != 0.5):
            raise ValueError(
                'threshold and on_logits of PrivacyAttributeMetric have no meaning with '
                'single_label=True, where the best-scored class is the prediction; leave them out.'
            )
        if not on_logits and not 0 <= threshold < 1:
            raise ValueError(
                f'threshold of PrivacyAttributeMetric is {threshold}, but probabilities are in '
                '[0, 1); set on_logits=True for a threshold on the raw output.'
            )
        # sigmoid(x) > sigmoid(t) if and only if x > t.
        self.threshold = 1 / (1 + math.exp(-threshold)) if on_logits else threshold
        self.attributes = None if attributes is None else tuple(attributes)
        self.columns = columns
        self.level = level
        self.single_label = single_label

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect scores and labels of a batch."""
        for sample in data_samples:
            score = _to_numpy(sample['pred_score'])
            # NaN compares false; softmax may exceed 1 by rounding.
            if not np.all(np.abs(score - 0.5) <= 0.5 + 1e-4):
                raise ValueError(
                    f'pred_score of {_name(sample)} holds values that are no probabilities (NaN, '
                    'infinite or outside [0, 1]); the attacker has diverged, lower its learning '
                    'rate, or its head gives raw outputs.'
                )
            score = self._combine(score)
            self.results.append((self._video(sample), score, self._target(sample, len(score))))

    def _combine(self, score: np.ndarray) -> np.ndarray:
        """Return the score of each attribute, the largest of its columns."""
        if self.columns is None:
            return score
        names = self.attributes or (self.dataset_meta or {}).get('classes') or tuple(self.columns)
        absent = [name for name in names if not len(self.columns.get(name, ()))]
        if absent:
            raise ValueError(
                f'columns of PrivacyAttributeMetric has no entry for {", ".join(absent)}; give the '
                'scores that each attribute is made of.'
            )
        chosen = [list(self.columns[name]) for name in names]
        if any(not 0 <= column < len(score) for group in chosen for column in group):
            raise ValueError(
                f'columns of PrivacyAttributeMetric are {dict(self.columns)}, but the attacker '
                f'gives {len(score)} scores, numbered from 0; correct columns or num_classes of '
                'the head.'
            )
        return np.array([score[group].max() for group in chosen])

    def _video(self, sample: dict) -> str | None:
        if self.level == 'image':
            return None
        if 'video_id' not in sample:
            raise ValueError(
                f"{_name(sample)} has no video_id, which level='video' of PrivacyAttributeMetric "
                "needs; add 'video_id' to meta_keys of mmpretrain.PackInputs."
            )
        return sample['video_id']

    def _target(self, sample: dict, num_classes: int) -> np.ndarray:
        """Return the labels (K,) as 0 and 1."""
        if 'gt_score' in sample:
            target = _to_numpy(sample['gt_score'])
        elif 'gt_label' in sample:
            labels = _to_numpy(sample['gt_label']).astype(int).reshape(-1)
            target = np.isin(np.arange(max([num_classes, *(labels + 1)])), labels)
        else:
            raise ValueError(
                f'{_name(sample)} has neither gt_score nor gt_label, which PrivacyAttributeMetric '
                'needs; set attributes of the data set.'
            )
        if len(target) != num_classes:
            raise ValueError(
                f'{_name(sample)} has {len(target)} labels but {num_classes} scores; set '
                'num_classes of the head to the number of attributes of the data set.'
            )
        if not np.isin(target, (0, 1)).all() or (self.single_label and target.sum() != 1):
            wanted = 'exactly one 1 and else 0' if self.single_label else '0 and 1 only'
            raise ValueError(
                f'The labels of {_name(sample)} are {target.tolist()}, but '
                f'PrivacyAttributeMetric(single_label={self.single_label}) takes {wanted}.'
            )
        return target.astype(bool)

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Evaluate the scores of all samples.

        Args:
            results (list[tuple]): Video, scores (K,) and labels (K,) of each sample.

        Returns:
            dict[str, float]: The metrics of the class, without prefix.
        """
        if not results:
            raise ValueError(
                'PrivacyAttributeMetric got no prediction; check the test data set and its loader.'
            )
        if self.level == 'video':
            results = _average_by_video(results)
        scores = np.stack([score for _, score, _ in results])
        targets = np.stack([target for *_, target in results])
        names = self._names(targets.shape[1])
        absent = [name for name, n in zip(names, targets.sum(0), strict=True) if n == 0]
        if absent:
            print_log(
                f'No {self.level} evaluated has {", ".join(absent)}: their AP and F1 count 0 in '
                'the means.',
                logger='current',
                level=logging.WARNING,
            )
        rates = targets.mean(0)
        precisions = [average_precision(t, s) for t, s in zip(targets.T, scores.T, strict=True)]
        if self.single_label:
            best = scores.argmax(1)
            predicted = best[:, None] == np.arange(len(names))
        else:
            predicted = scores > self.threshold
        values = dict(
            cMAP=np.mean(precisions),
            cMAP_chance=rates.mean(),
            F1=f1_scores(targets, predicted).mean(),
        )
        if self.single_label:
            values.update(top1=(best == targets.argmax(1)).mean(), top1_chance=rates.max())
        values.update({f'AP_{name}': ap for name, ap in zip(names, precisions, strict=True)})
        values.update({f'chance_{name}': rate for name, rate in zip(names, rates, strict=True)})
        return dict({key: float(value) for key, value in values.items()}, count=len(results))

    def _names(self, num_classes: int) -> tuple[str, ...]:
        names, source = self.attributes, 'attributes of PrivacyAttributeMetric'
        if names is None:
            names, source = (self.dataset_meta or {}).get('classes'), 'classes of the data set'
        if names is None:
            return tuple(map(str, range(num_classes)))
        if len(names) != num_classes:
            raise ValueError(
                f'{source} are {len(names)} names, but the attacker gives {num_classes} scores; '
                'give one name for each.'
            )
        return tuple(names)


def f1_scores(targets: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return F1 of each column, 0 for 0/0.

    Args:
        targets (np.ndarray): (N, K) bool.
        predicted (np.ndarray): (N, K) bool.

    Returns:
        np.ndarray: (K,) in [0, 1].
    """
    total = targets.sum(0) + predicted.sum(0)
    return 2 * (targets & predicted).sum(0) / np.maximum(total, 1)


def _average_by_video(results: list[tuple]) -> list[tuple]:
    """Return one row for each video: its mean scores and its labels."""
    videos = {}
    for video, score, target in results:
        scores, first = videos.setdefault(video, ([], target))
        if not np.array_equal(first, target):
            raise ValueError(
                f"Frames of the video {video} have different labels; use level='image' of "
                'PrivacyAttributeMetric.'
            )
        scores.append(score)
    return [(video, np.mean(scores, 0), target) for video, (scores, target) in videos.items()]


def _to_numpy(values: torch.Tensor | np.ndarray | Sequence | int) -> np.ndarray:
    return torch.as_tensor(values).double().cpu().numpy()


def _name(sample: dict) -> str:
    """Return the name of a sample for a message."""
    keys = ('img_path', 'filename', 'video_id', 'sample_idx')
    return next((f'{key} {sample[key]}' for key in keys if key in sample), 'a sample')
