"""How much the frames that leave a noisy channel can say."""

from mmaction.registry import METRICS

from ..registration import register
from .field_mean import FieldMean


@register(METRICS)
class RateMetric(FieldMean):
    """Bound in bits on what a clip tells of its video, as ``rate/bits_clip``.

    The mean over the tested clips of :meth:`GaussianChannel.rate
    <spact_mm.models.GaussianChannel.rate>`. What the bound says and what not is told there.

    Reads ``bits_clip``, which :class:`PricedAnonymization` adds to its predictions.
    """

    default_prefix = 'rate'
    field, name = 'bits_clip', 'bits_clip'
