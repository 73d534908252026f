"""Means over the tested videos of a number in a model's predictions."""

from collections.abc import Sequence
from typing import ClassVar

from mmengine.evaluator import BaseMetric


class FieldMean(BaseMetric):
    """Mean of a number in the predictions; a subclass defines the field and the metric's name."""

    #: Field of the predictions with the number.
    field: ClassVar[str]
    #: Name of the metric, after the prefix.
    name: ClassVar[str]

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the number of each video."""
        self.results += [float(sample[self.field]) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the videos."""
        return {self.name: sum(results) / len(results)}
