"""Who is the strongest attacker, and what is left of his advantage."""

import cv2
import pytest

from spact_mm.evaluation import attackers_plot
from spact_mm.evaluation.attackers_plot import plot_attackers
from spact_mm.evaluation.panel import (
    advantage,
    describe_strength,
    find_strongest,
    summarize_strongest,
)
from spact_mm.evaluation.panel_report import PanelReport
from spact_mm.evaluation.summary import summarize


def result(val, test, chance=0.4, **more):
    return dict(score=test, chance=chance, val_score=val, val_chance=chance, **more)


def row(method, seed, fold=None, **attackers):
    return dict(method=method, seed=seed, fold=fold, attackers=attackers, top1=0.9)


def test_advantage_is_0_at_chance_and_1_at_best():
    assert advantage(1.0, 0.4) == 1 and advantage(0.4, 0.4) == 0
    assert advantage(0.7, 0.4) == pytest.approx(0.5)
    assert advantage(0.1, 0.4) == pytest.approx(-0.5)
    assert advantage(1.0, 1.0) == 0


def test_strongest_is_chosen_on_validation_and_shown_on_test():
    rows = [row('raw', 0, image=result(0.9, 0.8), clip=result(0.85, 0.95))]
    (found,) = find_strongest(rows)
    assert found['attacker'] == 'image' and found['score'] == 0.8
    assert found['best_on_test'] == dict(attacker='clip', score=0.95, chance=0.4)


def test_attackers_of_other_chance_are_compared_by_their_advantage():
    # 0.5 of a chance of 0.4 is less than 0.45 of a chance of 0.1.
    rows = [row('raw', 0, image=result(0.5, 0.5), identity=result(0.45, 0.45, chance=0.1))]
    assert find_strongest(rows)[0]['attacker'] == 'identity'


def test_folds_of_a_seed_choose_together():
    rows = [
        row('raw', 0, 0, image=result(0.9, 0.9), clip=result(0.8, 0.6)),
        row('raw', 0, 1, image=result(0.5, 0.5), clip=result(0.8, 0.8)),
        row('raw', 1, 0, image=result(0.9, 0.9), clip=result(0.8, 0.8)),
    ]
    assert [entry['attacker'] for entry in find_strongest(rows)] == ['clip', 'clip', 'image']


def test_what_is_removed_is_relative_to_the_strongest_on_raw_with_the_seed():
    rows = [
        row('raw', 0, image=result(1.0, 1.0)),
        row('raw', 1, image=result(0.7, 0.7)),
        row('SPAct', 0, image=result(0.7, 0.7), clip=result(0.6, 0.9)),
        row('SPAct', 1, image=result(0.4, 0.4), clip=result(0.55, 0.55)),
        row('lost', 0),
    ]
    found = find_strongest(rows)
    assert [e and e['attacker'] for e in found] == ['image', 'image', 'image', 'clip', None]
    assert [e['advantage_removed'] for e in found[:4]] == pytest.approx([0, 0, 0.5, 0.5])
    summary = summarize_strongest(rows, found)
    assert set(summary) == {'raw', 'SPAct'} and 'advantage_removed' not in summary['raw']
    spact = summary['SPAct']
    assert spact['attackers'] == dict(image=1, clip=1)
    assert spact['score'] == dict(mean=pytest.approx(0.625), std=pytest.approx(0.1060660), n=2)
    best = spact['best_on_test']
    assert best['mean'] == pytest.approx(0.725) and best['attackers'] == dict(clip=2)
    # Of clip's 0.9 a sixth is removed with seed 0, of 0.55 a half with seed 1.
    removed = best['advantage_removed']
    assert removed['mean'] == pytest.approx(1 / 3) and removed['n'] == 2
    assert (removed['worst_seed'], removed['worst']) == (0, pytest.approx(1 / 6))
    assert spact['advantage_removed']['mean'] == pytest.approx(0.5)


def test_best_on_test_is_one_attacker_for_all_folds_of_a_seed():
    rows = [row('raw', 0, fold, image=result(1.0, 1.0)) for fold in (0, 1)]
    rows.append(row('SPAct', 0, 0, image=result(0.9, 0.7), clip=result(0.4, 0.5)))
    rows.append(row('SPAct', 0, 1, image=result(0.9, 0.5), clip=result(0.4, 0.66)))
    found = find_strongest(rows)
    assert [entry['best_on_test']['attacker'] for entry in found[2:]] == ['image', 'clip']
    best = summarize_strongest(rows, found)['SPAct']['best_on_test']
    assert best['attackers'] == dict(image=1) and best['mean'] == pytest.approx(0.6)
    assert best['advantage_removed']['mean'] == pytest.approx(1 - 0.2 / 0.6)


def test_worst_seed_is_the_one_of_which_least_is_removed():
    rows = [row('raw', seed, image=result(1.0, 1.0)) for seed in (0, 1, 2)]
    rows += [row('SPAct', s, image=result(v, v)) for s, v in ((0, 0.7), (1, 0.94), (2, 0.4))]
    removed = summarize_strongest(rows, find_strongest(rows))['SPAct']['advantage_removed']
    assert removed['worst_seed'] == 1 and removed['worst'] == pytest.approx(0.1)
    assert removed['mean'] == pytest.approx((0.5 + 0.1 + 1) / 3) and removed['n'] == 3


def test_seed_that_raw_has_not_is_compared_with_the_mean_of_raw():
    rows = [row('raw', 0, image=result(1.0, 1.0)), row('SPAct', 7, image=result(0.7, 0.7))]
    removed = summarize_strongest(rows, find_strongest(rows))['SPAct']['advantage_removed']
    assert removed['mean'] == pytest.approx(0.5)


def test_unequal_folds_are_compared_where_both_methods_have_results():
    # Fold 1 is easier to attack; SPAct has not been there yet with seed 0.
    rows = [row('raw', 0, 0, image=result(0.7, 0.7)), row('raw', 0, 1, image=result(1.0, 1.0))]
    rows.append(row('SPAct', 0, 0, image=result(0.7, 0.55), clip=result(0.6, 0.7)))
    rows += [row('SPAct', 1, f, image=result(0.7, 0.55), clip=result(0.6, 0.7)) for f in (0, 1)]
    rows.append(row('SPAct', 2, 2, image=result(0.7, 0.55)))
    summary = summarize_strongest(rows, find_strongest(rows))['SPAct']
    # Half of 0.5 in fold 0 is left with seed 0; a third of 0.75 with seed 1; no raw in fold 2.
    removed = summary['advantage_removed']
    assert removed['mean'] == pytest.approx((1 / 2 + 2 / 3) / 2) and removed['n'] == 2
    assert (removed['worst_seed'], removed['worst']) == (0, pytest.approx(1 / 2))
    assert summary['best_on_test']['advantage_removed']['worst'] == pytest.approx(0)
    assert summary['score']['n'] == 3


def test_nothing_is_removed_of_no_advantage():
    rows = [row('raw', 0, image=result(0.4, 0.4)), row('SPAct', 0, image=result(0.4, 0.4))]
    found = find_strongest(rows)
    assert [entry['advantage_removed'] for entry in found] == [None, None]
    assert 'advantage_removed' not in summarize_strongest(rows, found)['SPAct']


def test_still_rising_is_said_of_twice_the_training_alone():
    def curve(**parts):
        return {key.replace('_', '.'): dict(score=value) for key, value in parts.items()}

    told = describe_strength(
        dict(
            image={'1': dict(score=0.9), '0.25': dict(score=0.5), '2': dict(score=0.92)},
            clip={'1': dict(score=0.9), '0.5': dict(score=0.5), '2': dict(score=0.905)},
            mean={'1': dict(score=0.9), '0.5': dict(score=0.5)},
            untrained={'1': dict(score=0.9)},
        )
    )
    assert list(told) == ['image', 'clip', 'mean']
    assert list(told['image']['scores']) == ['0.25', '1', '2']
    assert [told[name]['is_rising'] for name in told] == [True, False, None]


def parts(*scores):
    return {p: dict(score=s, chance=0.4) for p, s in zip(('0.5', '1', '2'), scores, strict=False)}


@pytest.fixture
def rows():
    return [
        row('raw', 0, image=result(1.0, 1.0), weak=result(0.9, 1.0, validation=parts(0.7, 0.9))),
        row(
            'SPAct',
            0,
            image=result(0.9, 0.94, validation=parts(0.8, 0.9, 0.95)),
            weak=result(0.5, 0.5, validation=parts(0.5, 0.5, 0.5)),
        ),
    ]


def test_first_line_says_what_is_protected_against(rows):
    first, best, second = PanelReport(rows).headline()
    assert first == (
        "Of the strongest attacker's advantage over chance SPAct removes 10.0 % (mean of 1 seed; "
        'worst, seed 0: 10.0 %). He reaches a cMAP of 94.0 % (chance 40.0 %) behind it and a cMAP '
        'of 100.0 % (chance 40.0 %) on raw.'
    )
    assert best == (
        'The best on the test (image) reaches 94.0 %: of his advantage 10.0 % is removed (worst, '
        'seed 0: 10.0 %).'
    )
    assert (
        second
        == 'More than half of the advantage is gone of: weak (83.3 %). Less of: image (10.0 %).'
    )


def test_attackers_from_raw_weights_are_compared_with_those_on_raw(rows):
    rows[1]['attackers']['weak_raw'] = result(0.85, 0.94)
    assert 'Less of: image (10.0 %), weak_raw (10.0 %).' in PanelReport(rows).headline()[2]


def test_first_line_says_that_nothing_is_protected(rows):
    rows[1]['attackers']['weak'] = result(0.9, 0.9)
    assert PanelReport(rows).headline()[2] == (
        'It protects against no attacker that was tried: of none it removes half (image (10.0 %), '
        'weak (16.7 %)).'
    )
    assert PanelReport(rows, method='other').headline() == []


def test_tables_have_the_strongest_first_then_one_by_one_then_strength(rows):
    (_, first), (_, second), (title, third) = PanelReport(rows).tables(summarize(rows))
    assert first[1:] == [
        ['raw', '1', '90.0', '100.0', '40.0', 'image (1)', '–', '–', '100.0', '–', '–'],
        ['SPAct', '1', '90.0', '94.0', '40.0', 'image (1)', '10.0', '10.0', '94.0', '10.0', '10.0'],
    ]
    assert second == [
        ['method', 'image', 'weak'],
        ['raw', '100.0', '100.0'],
        ['SPAct', '94.0', '50.0'],
        ['chance', '40.0', '40.0'],
    ]
    assert title.startswith('Strength')
    assert third == [
        ['method', 'attacker', '× 0.5', '× 1', '× 2', ''],
        ['raw', 'weak', '70.0', '90.0', '–', '–'],
        ['SPAct', 'image', '80.0', '90.0', '95.0', 'still rising'],
        ['SPAct', 'weak', '50.0', '50.0', '50.0', ''],
    ]


def test_files_name_the_score_by_its_metric(rows):
    report = PanelReport(rows, metric='identity_top1')
    entry = report.entries()[1]
    assert entry['identity_top1'] == 0.94 and entry['attacker'] == 'image'
    assert entry['advantage_removed'] == pytest.approx(0.1)
    assert entry['best_on_test'] == dict(attacker='image', identity_top1=0.94, chance=0.4)
    assert report.summary_entries()['SPAct']['identity_top1']['mean'] == 0.94


def test_without_utility_there_is_no_column_of_it(rows):
    bare = [{key: value for key, value in row.items() if key != 'top1'} for row in rows]
    (title, table), *_ = PanelReport(bare).tables(summarize(bare))
    (other, whole), *_ = PanelReport(rows).tables(summarize(rows))
    assert (title, other) == ('Privacy', 'Utility and privacy')
    assert table == [[*cells[:2], *cells[3:]] for cells in whole]


def test_attackers_are_drawn_before_and_after(rows, tmp_path):
    path = plot_attackers(PanelReport(rows), tmp_path / 'attackers.png', 'Title')
    picture = cv2.imread(str(path))
    assert picture.shape[0] > 400 and picture.shape[1] > 600
    # The colours of raw's bars, of the other's, and of the level of chance.
    for color in ((0x22, 0x22, 0x22), (0xB2, 0x72, 0x00), (0x00, 0x5E, 0xD5)):
        assert (picture == color).all(-1).sum() > 50


def test_attacker_who_begins_with_raws_weights_is_drawn_beside_that_one(monkeypatch, tmp_path):
    rows = [
        row('raw', 0, image=result(0.9, 0.9), mean=result(0.9, 0.8)),
        row('SPAct', 0, image=result(0.5, 0.5), mean_raw=result(0.7, 0.6)),
    ]
    figures = []
    keep = lambda figure, *_, **__: figures.append(figure)  # noqa: E731
    monkeypatch.setattr(attackers_plot, 'write_figure', keep)
    plot_attackers(PanelReport(rows), tmp_path / 'attackers.png')
    (axes,) = figures[0].axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ['image', 'mean,\nfrom raw']
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == [pytest.approx([90, 80]), pytest.approx([50, 60])]
