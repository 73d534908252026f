"""Means over the tested videos of what a model adds to its predictions."""

from collections.abc import Sequence
from typing import ClassVar

from mmengine.evaluator import BaseMetric


class FieldMean(BaseMetric):
    """Mean of a number that the predictions hold; a subclass says which, and what it is called."""

    #: The field of the predictions.
    field: ClassVar[str]
    #: The metric's name, behind the prefix.
    name: ClassVar[str]

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the number of each video."""
        self.results += [float(sample[self.field]) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the videos."""
        return {self.name: sum(results) / len(results)}
