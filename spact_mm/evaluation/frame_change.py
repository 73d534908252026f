"""How far the anonymizer moves the frames."""

from collections.abc import Sequence

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..registration import register


@register(METRICS)
class FrameChangeMetric(BaseMetric):
    """Mean L1 between raw and anonymized frames, both in [0, 1], as ``frames/L1``.

    Before the minimax it tells how well f_A reconstructs; afterwards, how much it changes. A change
    is no protection: that is what fresh attackers measure.

    Reads ``frame_change``, which :class:`MinimaxAnonymization` adds to its predictions.
    """

    default_prefix = 'frames'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the change of each video."""
        self.results += [float(sample['frame_change']) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the videos."""
        return dict(L1=sum(results) / len(results))
