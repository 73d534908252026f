"""Metrics of an attacker who links videos of the same person: EER, AUC and Rank-1."""

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..registration import register
from .ranking import equal_error_rate, rank_first, roc_curve

#: Similarities that are equal up to the rounding of float32 embeddings are ties: two embeddings
#: that differ by 1e-6 of their length have a cosine that differs by 1e-12.
_DIGITS = 9


@register(METRICS)
class VerificationMetric(BaseMetric):
    """How well embeddings link the videos of a person, as fractions in [0, 1].

    The embedding of a video is the mean over its samples' embeddings (clips or frames, by
    ``video_id``), each scaled to length 1 first. The similarity of two videos is the cosine of
    their embeddings. The attacker need not know the persons: the question is only whether two
    videos show the same person.

    - ``link/EER``: equal error rate, at the threshold where the rejected fraction of the pairs of
      one person equals the accepted fraction of the pairs of two persons, with linear interpolation
      between thresholds. 0 for a perfect attacker; chance is 0.5.
    - ``link/AUC``: area under the ROC curve: how often a pair of one person is more similar than a
      pair of two persons; a tie counts half. 1 for a perfect attacker; chance is 0.5.
    - ``link/Rank1``: how often the most similar other video is of the same person. Several equally
      similar videos count in equal parts.
    - ``link/EER_chance`` and ``link/AUC_chance``, 0.5; ``link/Rank1_chance``, the expectation of
      ``Rank1`` for a random order: the mean share of the same person among the other videos.
    - ``link/count``, the number of videos, and ``link/pairs``, the number of compared pairs.

    Equal embeddings are exactly at chance, as ties have no order. An attacker below chance (EER
    above 0.5) has as much information as one above: its answers need only be reversed.

    ``across='action'`` compares only videos of different actions, in all three numbers. Without it,
    videos of one action, which look alike for all persons, make pairs of two persons similar, and
    repetitions of an action by one person make the task easy. Other things that a person's videos
    have in common (day, place, light, clothes) count as a link; this metric cannot distinguish the
    causes.

    The metric reads ``embedding`` (D,) of :class:`EmbeddingClassifier`, ``gt_label``, the person,
    and ``video_id`` and ``across`` of the metainfo.

    Args:
        across (str, optional): A key of the samples' metainfo, for instance ``'action'``: videos
            with equal values are not compared. None, the default, compares all videos.
        **kwargs: Arguments of :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If a sample lacks an entry, an embedding is not finite, the samples of a video
            contradict each other, there are fewer than two persons, or a person has no two videos
            to compare.
    """

    default_prefix = 'link'

    def __init__(self, across: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.across = across

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect embeddings, persons and the values of ``across`` of a batch."""
        for sample in data_samples:
            video = self._get(sample, 'video_id')
            if 'embedding' not in sample:
                raise ValueError(
                    f'The prediction for {video} has no embedding, which VerificationMetric needs; '
                    'make EmbeddingClassifier the type of the model.'
                )
            embedding = _to_numpy(sample['embedding'])
            if embedding.ndim != 1 or not np.isfinite(embedding).all():
                raise ValueError(
                    f'The embedding of {video} has the shape {embedding.shape} or values that are '
                    'not finite, but VerificationMetric takes (D,); the attacker has diverged, '
                    'lower its learning rate, or its neck does not pool.'
                )
            person = _to_numpy(sample.get('gt_label', ())).reshape(-1)
            if len(person) != 1:
                raise ValueError(
                    f'{video} has {len(person)} labels in place of one, its person; set '
                    'single_label=True of VideoAttributeDataset.'
                )
            group = None if self.across is None else self._get(sample, self.across)
            self.results.append((video, _unit(embedding), int(person[0]), group))

    @staticmethod
    def _get(sample: dict, key: str):
        if sample.get(key) is None:
            name = next((sample[k] for k in ('video_id', 'filename') if sample.get(k)), 'A sample')
            raise ValueError(
                f'{name} has no {key}, which VerificationMetric needs; add {key!r} to meta_keys of '
                'mmpretrain.PackInputs, if the annotation file has it.'
            )
        return sample[key]

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Compare the videos of all samples.

        Args:
            results (list[tuple]): Video, embedding (D,) of length 1, person, and the value of
                ``across`` of each sample.

        Returns:
            dict[str, float]: The metrics of the class, without prefix.
        """
        if not results:
            raise ValueError(
                'VerificationMetric got no prediction; check the test data set and its loader.'
            )
        embeddings, persons, groups = _average_by_video(results)
        similarity = np.round(embeddings @ embeddings.T, _DIGITS)
        same = persons[:, None] == persons
        compared = ~np.eye(len(persons), dtype=bool)
        if self.across is not None:
            compared &= groups[:, None] != groups
        self._check(persons, (same & compared).any(1))
        rank1, rank1_chance = rank_first(similarity, same, compared)
        pairs = np.triu(compared)
        false_alarms, hits = roc_curve(same[pairs], similarity[pairs])
        return dict(
            EER=equal_error_rate(false_alarms, hits),
            EER_chance=0.5,
            AUC=float((np.diff(false_alarms) * (hits[1:] + hits[:-1]) / 2).sum()),
            AUC_chance=0.5,
            Rank1=rank1,
            Rank1_chance=rank1_chance,
            count=len(persons),
            pairs=int(pairs.sum()),
        )

    def _check(self, persons: np.ndarray, has_partner: np.ndarray) -> None:
        """Refuse videos for which the metrics are undefined."""
        found = np.unique(persons)
        names = (self.dataset_meta or {}).get('classes') or {}

        def name(person: int) -> str:
            return names[person] if person < len(names) else str(person)

        if len(found) < 2:
            raise ValueError(
                'VerificationMetric needs videos of two persons at least, but all are of '
                f'{name(found[0])}; correct the test list.'
            )
        if not has_partner.all():
            other = f' that differ in {self.across}' if self.across else ''
            raise ValueError(
                f'VerificationMetric needs two videos{other} of each person at least, but '
                f'{name(persons[~has_partner][0])} has fewer; correct the test list.'
            )


def _average_by_video(results: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return embeddings (N, D) of length 1, persons (N,) and groups (N,), with a row per video."""
    videos: dict[str, tuple] = {}
    for video, embedding, *labels in results:
        embeddings, first = videos.setdefault(video, ([], labels))
        if first != labels:
            raise ValueError(
                f'Samples of the video {video} differ in person or in across of '
                f'VerificationMetric: {first} and {labels}; correct the test list.'
            )
        embeddings.append(embedding)
    embeddings = np.stack([_unit(np.mean(values, 0)) for values, _ in videos.values()])
    persons, groups = zip(*(labels for _, labels in videos.values()), strict=True)
    return embeddings, np.array(persons), np.array(groups)


def _unit(vector: np.ndarray) -> np.ndarray:
    """Scale to length 1; zero stays zero, equally similar to all vectors."""
    return vector / max(np.linalg.norm(vector), np.finfo(float).tiny)


def _to_numpy(values) -> np.ndarray:
    return torch.as_tensor(values).double().cpu().numpy()
