"""Divisions of clips into training, validation and test that share no person and no recording."""

import random
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence

#: Parts of a data set: for training, for selection and for measurement.
PARTS = ('train', 'val', 'test')
#: Order in which parts that lack a label are filled.
_MISSED_MOST = ('train', 'test', 'val')
#: Number of random divisions of which the best is taken, and a budget that lowers it for many
#: groups.
_ATTEMPTS, _BUDGET = 50, 1_000_000


def join_groups(keys: Sequence[Collection[Hashable]]) -> list[list[int]]:
    """Group items that share a key, directly or through other items.

    Args:
        keys: The keys of each item; an item without a key is its own group.

    Returns:
        list[list[int]]: Indices of the items of each group, in rising order.
    """
    parents = list(range(len(keys)))

    def find(item: int) -> int:
        while parents[item] != item:
            parents[item] = item = parents[parents[item]]
        return item

    first: dict[Hashable, int] = {}
    for item, own in enumerate(keys):
        for key in own:
            roots = sorted((find(item), find(first.setdefault(key, item))))
            parents[roots[1]] = roots[0]
    groups: dict[int, list[int]] = {}
    for item in range(len(keys)):
        groups.setdefault(find(item), []).append(item)
    return list(groups.values())


def divide_groups(
    groups: Sequence[Mapping[str, int]], fractions: Mapping[str, float], seed: int
) -> list[str]:
    """Assign each group to a part, with every label in every part where this is possible.

    Labels of few groups are placed first. Each group goes to a part that lacks its label, or else
    to the part furthest below its fraction, as in iterative stratification (Sechidis et al., 2011).
    Several divisions are drawn in this way. The result has the fewest missing labels, and among
    equals the shares nearest to the fractions.

    Args:
        groups (Sequence[Mapping[str, int]]): Number of clips by label, for each group.
        fractions (Mapping[str, float]): The share of each of :data:`PARTS`; their sum is 1.
        seed (int): Seed of the division, with the same result in all versions of libraries.

    Returns:
        list[str]: The part of each group. A label of two groups is missing in validation; a label
        of a single group is in training only.
    """
    counts = [Counter(group) for group in groups]
    owners: dict[str, list[int]] = {}
    for index, group in enumerate(counts):
        for label in sorted(group):
            owners.setdefault(label, []).append(index)
    attempts = min(_ATTEMPTS, max(1, _BUDGET // max(1, len(groups) * len(owners))))
    drawn = [
        _draw(counts, owners, fractions, random.Random(f'{seed} {attempt}'))
        for attempt in range(attempts)
    ]
    return min(drawn, key=lambda parts: _judge(parts, counts, owners, fractions))


def _draw(
    counts: Sequence[Counter],
    owners: Mapping[str, Sequence[int]],
    fractions: Mapping[str, float],
    rng: random.Random,
) -> list[str]:
    """Return one division."""
    totals = {label: sum(counts[index][label] for index in owners[label]) for label in owners}
    have = {part: Counter() for part in PARTS}
    left = {label: len(indices) for label, indices in owners.items()}
    order = {label: rng.sample(indices, len(indices)) for label, indices in owners.items()}
    parts = [''] * len(counts)
    while left:
        label = min(left, key=lambda name: (left[name], name))
        while parts[order[label][-1]]:
            order[label].pop()
        index = order[label].pop()
        lacking = [part for part in _MISSED_MOST if not have[part][label]]
        part = (
            lacking[0]
            if lacking
            else max(PARTS, key=lambda part: fractions[part] * totals[label] - have[part][label])
        )
        parts[index] = part
        have[part].update(counts[index])
        for other in counts[index]:
            left[other] -= 1
            if not left[other]:
                del left[other]
    return parts


def _judge(
    parts: Sequence[str],
    counts: Sequence[Counter],
    owners: Mapping[str, Sequence[int]],
    fractions: Mapping[str, float],
) -> tuple[int, float]:
    """Return the number of labels missing in parts, and the distance of shares and fractions."""
    missing, distance = 0, 0.0
    for label, indices in owners.items():
        have = Counter()
        for index in indices:
            have[parts[index]] += counts[index][label]
        missing += sum(not have[part] for part in PARTS)
        total = sum(have.values())
        distance += sum(abs(have[part] / total - fractions[part]) for part in PARTS)
    return missing, distance
