"""How far the anonymizer moves the frames."""

from mmaction.registry import METRICS

from ..registration import register
from .field_mean import FieldMean


@register(METRICS)
class FrameChangeMetric(FieldMean):
    """Mean L1 between raw and anonymized frames, both in [0, 1], as ``frames/L1``.

    Before the minimax it tells how well f_A reconstructs; afterwards, how much it changes. A change
    is no protection: that is what fresh attackers measure.

    Reads ``frame_change``, which :class:`MinimaxAnonymization` adds to its predictions.
    """

    default_prefix = 'frames'
    field, name = 'frame_change', 'L1'
