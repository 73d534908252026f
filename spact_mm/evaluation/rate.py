"""How much the frames that leave a noisy channel can say."""

from collections.abc import Sequence

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..registration import register


@register(METRICS)
class RateMetric(BaseMetric):
    """Bound in bits on what a clip tells of its video, as ``rate/bits_clip``.

    The mean over the tested clips of :meth:`GaussianChannel.rate
    <spact_mm.models.GaussianChannel.rate>`. What the bound says and what not is told there.

    Reads ``bits_clip``, which :class:`PricedAnonymization` adds to its predictions.
    """

    default_prefix = 'rate'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the mean over the clips of each video."""
        self.results += [float(sample['bits_clip']) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the videos."""
        return dict(bits_clip=sum(results) / len(results))
