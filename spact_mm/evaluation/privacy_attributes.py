"""How much a privacy attacker still reads: cMAP and F1 over attributes, and their chance level."""

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

    - ``privacy/cMAP``: mean over the attributes of average precision, by the definition of
      scikit-learn's ``average_precision_score``; an attribute without a positive counts 0, and a
      warning names it.
    - ``privacy/cMAP_chance``: the mean positive rate, which an attacker reaches that ranks at
      random.
    - ``privacy/F1``: macro mean of F1 at scores above the threshold; 0/0 counts 0.
    - ``privacy/AP_<attribute>``, ``privacy/chance_<attribute>`` (its positive rate) and
      ``privacy/count``, the number of images or videos.
    - With ``single_label``: ``privacy/top1`` and ``privacy/top1_chance`` (the share of the largest
      class). AP is one class against the rest, and F1 takes the best-scored class as the
      prediction: none of many classes need pass a threshold.

    It reads what MMPretrain's ``ImageClassifier`` predicts: ``pred_score`` (K,), the probabilities,
    and ``gt_score`` (K,) or else ``gt_label``, the indices of those present.

    Args:
        threshold (float): An attribute is predicted if its score is above it. Defaults to 0.5.
        on_logits (bool): Whether ``threshold`` is for the raw output instead of its sigmoid. The
            published codes of this family put 0.5 on raw outputs, which are logits in some: a
            probability above 0.622, a lower F1. Defaults to False.
        attributes (Sequence[str], optional): Names of the K attributes. None, the default, means
            ``classes`` in the data set's metainfo, or numbers where it has none.
        columns (Mapping[str, Sequence[int]], optional): Of which scores each attribute is made, the
            largest counts; for an attacker trained on the attributes of another data set, as
            :data:`~spact_mm.datasets.VISPR1_COLUMNS` on PA-HMDB51. Names beyond the attributes are
            ignored. None, the default, means one score an attribute.
        level (str): ``'image'``; or ``'video'``: the scores of all samples of the same ``video_id``
            (in their metainfo) are averaged first. Defaults to ``'image'``.
        single_label (bool): Whether exactly one attribute is present in each sample, for instance
            an identity of a closed set. Defaults to False.
        **kwargs: As :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If the options contradict each other, or samples and options do not agree, or
            a score is no probability.
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
        # sigmoid(x) > sigmoid(t) where x > t.
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
            dict[str, float]: The values named above, without prefix.
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
    """F1 of each column, 0 where it is 0/0.

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
    """Name a sample in a message."""
    keys = ('img_path', 'filename', 'video_id', 'sample_idx')
    return next((f'{key} {sample[key]}' for key in keys if key in sample), 'a sample')
