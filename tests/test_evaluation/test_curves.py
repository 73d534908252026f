"""Methods with a knob: the area below what they reach."""

import pytest

from spact_mm.evaluation.curves import make_curves, trade_off_area


@pytest.mark.parametrize(
    'points, area',
    [
        ([], 0.0),
        ([(0.0, 1.0)], 0.0),
        ([(1.0, 1.0)], 1.0),
        ([(0.5, 1.0), (1.0, 0.5)], 0.75),
        # Behind another in both, it adds nothing.
        ([(0.5, 1.0), (1.0, 0.5), (0.4, 0.9)], 0.75),
        ([(1.0, 0.5), (0.4, 0.9), (0.5, 1.0)], 0.75),
        # Better than raw video and worse than chance count as those.
        ([(1.2, 0.5), (-0.3, 1.1), (0.5, 1.3)], 0.75),
        ([(0.2, 0.9), (0.6, 0.7), (0.9, 0.1)], 0.9 * 0.1 + 0.6 * 0.6 + 0.2 * 0.2),
    ],
)
def test_area(points, area):
    assert trade_off_area(points) == pytest.approx(area)


def entry(**metrics):
    return {name: dict(mean=value, std=0.0, n=1) for name, value in metrics.items()}


def test_curves_are_relative_to_raw_and_chance():
    summary = {
        'raw': entry(top1=0.8, advantage=0.9),
        'weak': entry(top1=0.8, advantage=0.45),
        'strong': entry(top1=0.4, advantage=0.0),
        'unmeasured': entry(top1=0.5),
    }
    families = {'blur': ['weak', 'strong', 'unmeasured'], 'price': ['absent']}
    curves = make_curves(summary, families, 'raw', 'advantage', 0.0)
    assert list(curves) == ['blur']
    assert curves['blur']['points'] == [
        dict(method='weak', advantage_removed=0.5, utility_kept=1.0),
        dict(method='strong', advantage_removed=1.0, utility_kept=0.5),
    ]
    assert curves['blur']['area'] == pytest.approx(0.75)
    # An attacker's score and its chance level.
    summary = {'raw': entry(top1=1.0, cmap=0.9), 'weak': entry(top1=1.0, cmap=0.6)}
    curve = make_curves(summary, {'blur': ['weak']}, 'raw', 'cmap', 0.4)['blur']
    assert curve['area'] == pytest.approx(0.6)
    # Nothing to remove.
    assert make_curves(summary, {'blur': ['weak']}, 'raw', 'cmap', 0.9) == {}
    assert make_curves({}, {'blur': ['weak']}, 'raw', 'cmap', 0.4) == {}
