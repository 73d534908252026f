"""What few test clips can tell."""

import random

import pytest

from spact_mm.evaluation.few_samples import chance_of_precision, share_interval, smallest_difference


@pytest.mark.parametrize(
    ('share', 'count', 'low', 'high'),
    [
        (0.5, 10, 0.23659, 0.76341),
        (1.0, 4, 4 / (4 + 1.959964**2), 1.0),
        (0.0, 4, 0.0, 1 - 4 / (4 + 1.959964**2)),
        (0.9, 100, 0.82564, 0.94477),
    ],
)
def test_interval_is_wilsons(share, count, low, high):
    assert share_interval(share, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(('share', 'count'), [(0.5, 0), (-0.1, 5), (1.1, 5), (float('nan'), 5)])
def test_share_of_nothing_is_refused(share, count):
    with pytest.raises(ValueError, match='A share in'):
        share_interval(share, count)


def test_chance_rarely_makes_more_than_the_smallest_difference():
    rng, count = random.Random(0), 30
    bound = smallest_difference(count)
    assert bound == pytest.approx(0.253, abs=1e-3) and smallest_difference(1) == 1
    draws = [sum(rng.random() < 0.5 for _ in range(count)) / count for _ in range(4000)]
    beyond = sum(abs(a - b) > bound for a, b in zip(draws[::2], draws[1::2], strict=True))
    assert 0.02 < beyond / 2000 < 0.08


def test_precision_of_a_random_ranking_is_rarely_above_the_bound():
    bound, difference = chance_of_precision([12, 24], 48)
    # The mean is a little above the rates' 37.5 %.
    assert 0.45 < bound < 0.56 and 0.09 < difference < 0.22
    # With one clip of two, AP is 1 or a half.
    assert chance_of_precision([1], 2) == (1.0, 0.5)
    assert chance_of_precision([120, 240], 480)[0] < bound - 0.05
