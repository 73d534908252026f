import math
from math import sqrt

import pytest

from spact_mm.evaluation.summary import advantage_removed, goals, summarize


def row(method, seed, fold=None, **metrics):
    return dict(method=method, seed=seed, fold=fold, commit='abc', config_hash='12', **metrics)


def entry(mean, std=0.0, n=3):
    return dict(mean=mean, std=std, n=n)


def test_folds_are_averaged_before_seeds():
    rows = [row('raw', 0, 0, cmap=0.5), row('raw', 0, 1, cmap=0.7)]
    rows += [row('raw', 1, 0, cmap=0.8), row('raw', 1, 1, cmap=1.0)]
    expected = dict(mean=pytest.approx(0.75), std=pytest.approx(0.3 / sqrt(2)), n=2)
    assert summarize(rows) == {'raw': {'cmap': expected}}


def test_order_is_that_of_the_rows_and_one_seed_has_no_spread():
    summary = summarize([row('b', 5, top1=0.25), row('a', 5, f1=1, top1=0.5)])
    assert list(summary) == ['b', 'a']
    assert summary == {
        'b': {'top1': dict(mean=0.25, std=0.0, n=1)},
        'a': {'f1': dict(mean=1.0, std=0.0, n=1), 'top1': dict(mean=0.5, std=0.0, n=1)},
    }


def test_rows_of_one_measurement_complete_each_other():
    rows = [row('raw', 0, None, top1=0.5), row('raw', 0, 0, cmap=0.25), row('raw', 0, 0, f1=0.125)]
    assert {name: e['mean'] for name, e in summarize(rows)['raw'].items()} == dict(
        top1=0.5, cmap=0.25, f1=0.125
    )


def test_metrics_are_averaged_over_the_seeds_that_have_them():
    rows = [row('raw', 0, top1=0.5, f1=0.25), row('raw', 1, top1=0.75, f1=None)]
    rows += [row('raw', 2, top1=math.nan), row('raw', 3, top1=math.inf, done=True)]
    assert summarize(rows) == {
        'raw': {
            'top1': dict(mean=0.625, std=pytest.approx(0.25 / sqrt(2)), n=2),
            'f1': dict(mean=0.25, std=0.0, n=1),
        }
    }


def test_a_seed_that_lacks_a_fold_is_left_out_of_that_metric():
    rows = [row('raw', 0, fold, cmap=0.5, f1=0.25) for fold in (0, 1)]
    rows += [row('raw', 1, 0, cmap=0.9, f1=0.75), row('raw', 1, 1, f1=0.75)]
    assert summarize(rows)['raw'] == {
        'cmap': dict(mean=0.5, std=0.0, n=1),
        'f1': dict(mean=0.5, std=pytest.approx(0.5 / sqrt(2)), n=2),
    }


def test_where_no_seed_is_complete_all_count_and_are_marked():
    rows = [row('raw', 0, 0, cmap=0.5), row('raw', 1, 1, cmap=0.75)]
    expected = dict(mean=0.625, std=pytest.approx(0.25 / sqrt(2)), n=2, complete=False)
    assert summarize(rows)['raw']['cmap'] == expected


def test_bad_rows_are_named():
    with pytest.raises(ValueError, match='Row 1 .* "method" and "seed"'):
        summarize([row('raw', 0), dict(method='raw')])
    rows = [row('raw', 0, 2, cmap=0.5), row('raw', 0, 2, cmap=0.6)]
    with pytest.raises(ValueError, match="'raw', seed 0, fold 2 hold two values of 'cmap'"):
        summarize(rows)


@pytest.mark.parametrize('value, removed', [(0.75, 0), (0.25, 1), (0.5, 0.5), (0.875, -0.25)])
def test_advantage_is_measured_from_chance(value, removed):
    assert advantage_removed(value, 0.75, 0.25) == removed


def test_there_is_no_advantage_at_chance():
    assert math.isnan(advantage_removed(0.2, 0.25, 0.25))


def summary(**changes):
    means = dict(raw=(0.8, 0.75), blur=(0.7, 0.5), supervised=(0.78, 0.45), SPAct=(0.76, 0.5))
    means |= changes
    made = {n: dict(top1=entry(a, 0.03), cmap=entry(b, 0.04)) for n, (a, b) in means.items()}
    made['raw']['cmap_chance'] = entry(0.25)
    return made


def judge(made, **settings):
    return goals(made, obfuscations=['blur', 'absent'], **settings)


def test_goals_are_measured():
    judged = judge(summary(), min_top1_kept=0.9, min_advantage_removed=0.5)
    assert judged['top1_kept'] == dict(value=pytest.approx(0.95), goal=0.9, met=True)
    assert judged['advantage_removed'] == dict(value=0.5, goal=0.5, met=False)
    assert judged['not_dominated'] == dict(value=[], goal=[], met=True)
    assert judged['within_supervised_spread'] == dict(
        value=dict(top1=pytest.approx(0.02), cmap=pytest.approx(0.05)),
        goal=dict(top1=pytest.approx(0.03 * sqrt(2)), cmap=pytest.approx(0.04 * sqrt(2))),
        met=True,
    )


def test_an_obfuscation_dominates_only_if_it_is_better_in_both():
    assert judge(summary(blur=(0.77, 0.49)))['not_dominated'] == dict(
        value=['blur'], goal=[], met=False
    )
    assert judge(summary(blur=(0.77, 0.5)))['not_dominated']['met']
    assert judge(summary(blur=(0.76, 0.4)))['not_dominated']['met']


@pytest.mark.parametrize(
    'top1, cmap, met', [(0.73, 0.45, False), (0.78, 0.51, False), (1, 0, True)]
)
def test_either_metric_beyond_the_spread_misses_the_supervised_baseline(top1, cmap, met):
    assert judge(summary(SPAct=(top1, cmap)))['within_supervised_spread']['met'] is met


def test_what_was_not_measured_is_unknown():
    made = summary()
    made['SPAct']['top1']['n'] = 1
    del made['raw'], made['blur']
    judged = judge(made)
    assert [judged[name]['met'] for name in judged] == [None] * 4
    assert [judged[name]['value'] for name in judged] == [None] * 4
