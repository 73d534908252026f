"""Statistics of few test clips: intervals of a share, and the smallest significant difference."""

import math
from collections.abc import Sequence

import numpy as np

from .ranking import average_precision

#: Two-sided 95 % of a normal distribution.
_Z = 1.959964
#: Below this many test clips a share says little.
FEW_CLIPS = 20
#: Number of random rankings.
_DRAWS = 1000


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of independent clips (Wilson, 1927).

    Args:
        share (float): In [0, 1].
        count (int): Number of clips, 1 or more.

    Returns:
        tuple[float, float]: Bounds in [0, 1].

    Raises:
        ValueError: If there is no clip or the share is not in [0, 1].
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f'A share in [0, 1] of 1 clip or more is needed, not {share} of {count}.')
    square = _Z**2 / count
    centre = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def smallest_difference(count: int) -> float:
    """Return the difference of two shares of ``count`` clips each that chance rarely exceeds.

    It is computed for equal true shares near a half: 95 % of the differences by chance are below
    it. For shares near 0 or 1 a smaller difference is enough.

    Args:
        count (int): Number of clips, 1 or more.
    """
    return min(1.0, _Z * math.sqrt(0.5 / count))


def chance_of_precision(positives: Sequence[int], count: int) -> tuple[float, float]:
    """Return the cMAP, and the difference of two cMAPs, that chance rarely exceeds.

    They are found by random rankings, for each attribute separately: 97.5 % of the cMAPs are below
    the first number, 95 % of the differences below the second. With few clips the first is well
    above the mean positive rate. Clips count as independent: with few persons chance exceeds these
    numbers more often.

    Args:
        positives (Sequence[int]): Number of clips with each attribute.
        count (int): Number of clips, 1 or more.
    """
    rng = np.random.default_rng(0)
    means = np.empty(2 * _DRAWS)
    for draw in range(len(means)):
        values = [
            average_precision(np.arange(count) < number, rng.random(count)) for number in positives
        ]
        means[draw] = np.mean(values)
    differences = np.abs(means[::2] - means[1::2])
    return float(np.quantile(means, 0.975)), float(np.quantile(differences, 0.95))
