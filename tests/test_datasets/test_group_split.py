"""Divisions that keep persons and recordings together and every label in every part."""

import pytest

from spact_mm.datasets.group_split import PARTS, divide_groups, join_groups

FRACTIONS = dict(train=0.6, val=0.15, test=0.25)


def parts_of(label, groups, drawn):
    return [part for group, part in zip(groups, drawn, strict=True) if label in group]


def test_items_that_share_a_key_or_are_joined_by_others_are_one_group():
    keys = [['a'], ['b'], [], ['c', 'b'], ['d'], ['a', 'c'], []]
    assert join_groups(keys) == [[0, 1, 3, 5], [2], [4], [6]]
    assert join_groups([]) == []


def test_shares_are_those_wanted_where_groups_are_alike():
    groups = [{'walk': 1} for _ in range(100)] + [{'run': 1} for _ in range(40)]
    drawn = divide_groups(groups, FRACTIONS, 0)
    for label, total in (('walk', 100), ('run', 40)):
        parts = parts_of(label, groups, drawn)
        counts = [parts.count(part) for part in PARTS]
        assert counts == pytest.approx([total * FRACTIONS[part] for part in PARTS], abs=1)


@pytest.mark.parametrize('seed', range(5))
def test_rare_labels_are_in_all_parts_whatever_else_their_groups_have(seed):
    # Persons who do all, but for three who alone do something else each of three.
    groups = [{'walk': 3, 'run': 3} for _ in range(12)]
    for index in (1, 4, 7):
        groups[index]['juggle'] = 1
    drawn = divide_groups(groups, FRACTIONS, seed)
    for label in ('walk', 'run', 'juggle'):
        assert set(parts_of(label, groups, drawn)) == set(PARTS)


def test_labels_of_too_few_groups_are_trained_first_then_tested():
    groups = [{'walk': 1} for _ in range(9)] + [{'run': 1}] * 2 + [{'hop': 5}]
    for seed in range(5):
        drawn = divide_groups(groups, FRACTIONS, seed)
        assert sorted(parts_of('run', groups, drawn)) == ['test', 'train']
        assert parts_of('hop', groups, drawn) == ['train']


def test_two_large_recordings_do_not_both_leave_the_training():
    groups = [{'walk': 100}, {'walk': 100}] + [{'walk': 10} for _ in range(6)]
    drawn = divide_groups(groups, FRACTIONS, 0)
    train = sum(g['walk'] for g, part in zip(groups, drawn, strict=True) if part == 'train')
    assert train >= 130


def test_seed_decides_and_order_of_labels_does_not():
    groups = [{'walk': 1, 'run': 2} for _ in range(20)]
    turned = [dict(reversed(group.items())) for group in groups]
    first = divide_groups(groups, FRACTIONS, 3)
    assert divide_groups(turned, FRACTIONS, 3) == first
    assert any(divide_groups(groups, FRACTIONS, seed) != first for seed in range(3))
    # By Python's generator alone, which gives the same numbers in all versions.
    assert divide_groups(groups[:6], FRACTIONS, 0) == EXPECTED


EXPECTED = ['train', 'train', 'train', 'val', 'test', 'train']
