"""A metric of the difference between raw and anonymized frames."""

from mmaction.registry import METRICS

from ..registration import register
from .field_mean import FieldMean


@register(METRICS)
class FrameChangeMetric(FieldMean):
    """Mean L1 between raw and anonymized frames, both in [0, 1], as ``frames/L1``.

    Before the minimax it measures how well f_A reconstructs; afterwards, how much f_A changes. A
    change is no protection; fresh attackers measure protection.

    Reads ``frame_change``, which :class:`MinimaxAnonymization` adds to its predictions.
    """

    default_prefix = 'frames'
    field, name = 'frame_change', 'L1'
