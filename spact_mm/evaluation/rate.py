"""A metric of the information that passes a noisy channel."""

from mmaction.registry import METRICS

from ..registration import register
from .field_mean import FieldMean


@register(METRICS)
class RateMetric(FieldMean):
    """Bound in bits on the information in a clip about its video, as ``rate/bits_clip``.

    The mean over the tested clips of :meth:`GaussianChannel.rate
    <spact_mm.models.GaussianChannel.rate>`. :class:`GaussianChannel` describes the meaning and the
    limits of the bound.

    Reads ``bits_clip``, which :class:`PricedAnonymization` adds to its predictions.
    """

    default_prefix = 'rate'
    field, name = 'bits_clip', 'bits_clip'
