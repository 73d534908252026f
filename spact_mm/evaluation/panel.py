"""The strongest of several attackers, chosen on validation data.

A panel's attackers have different inputs (single images, several frames, clips) and so different
chance levels. They are compared by their advantage: 0 at chance, 1 for an attacker who is always
right.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from .summary import advantage_removed, spread

#: An attacker's result, see :func:`find_strongest`.
Result = Mapping[str, float]
#: Least gain in score by twice the training for an attacker to count as still rising.
RISE = 0.01


def advantage(score: float, chance: float) -> float:
    """Return an attacker's lead over chance relative to the lead of a perfect attacker.

    Args:
        score (float): Fraction in [0, 1].
        chance (float): Fraction in [0, 1].

    Returns:
        float: 1 at best, 0 at chance, below 0 if worse than chance; 0 if chance is 1, as there is
        nothing to find out.
    """
    return (score - chance) / (1 - chance) if chance < 1 else 0.0


def find_strongest(rows: Sequence[Mapping], raw: str = 'raw') -> list[dict | None]:
    """Find the strongest attacker of each method and seed.

    The strongest attacker has the greatest advantage on the attackers' validation split, averaged
    over the folds of a seed; among equals it is the first. Its result on the test persons is
    reported.

    Args:
        rows (Sequence[Mapping]): One for each method, seed and fold, with ``method``, ``seed``,
            ``fold`` and perhaps ``attackers``: ``{name: result}``, a result being ``score`` and
            ``chance`` on the test persons, ``val_score`` and ``val_chance`` on the validation
            split. All are fractions.
        raw (str): The raw method: a removed advantage is relative to its strongest attacker with
            the same seed.

    Returns:
        list[dict | None]: For each row ``attacker``, ``score``, ``chance``, ``advantage``,
        ``advantage_removed`` (of the row alone; None if raw has no advantage) and ``best_on_test``
        (``attacker``, ``score``, ``chance``), which favours the attacker; None for a row without
        attackers.
    """
    chosen = {key: _choose(group) for key, group in _group(rows).items()}
    found: list[dict | None] = []
    for row in rows:
        results = row.get('attackers') or {}
        name = chosen.get((row['method'], row['seed']))
        if name not in results:
            found.append(None)
            continue
        best = max(results, key=lambda n: advantage(results[n]['score'], results[n]['chance']))
        found.append(
            dict(
                attacker=name,
                score=results[name]['score'],
                chance=results[name]['chance'],
                advantage=advantage(results[name]['score'], results[name]['chance']),
                best_on_test=dict(
                    attacker=best, score=results[best]['score'], chance=results[best]['chance']
                ),
            )
        )
    by_place = {
        (row['seed'], row.get('fold')): entry['advantage']
        for row, entry in zip(rows, found, strict=True)
        if entry and row['method'] == raw
    }
    for row, entry in zip(rows, found, strict=True):
        if entry is not None:
            reference = by_place.get((row['seed'], row.get('fold')))
            entry['advantage_removed'] = _removed(entry['advantage'], reference)
    return found


def summarize_strongest(
    rows: Sequence[Mapping], strongest: Sequence[Mapping | None], raw: str = 'raw'
) -> dict[str, dict]:
    """Average the strongest attackers of each method: over the folds of a seed, then over seeds.

    Args:
        rows (Sequence[Mapping]): As for :func:`find_strongest`.
        strongest (Sequence[Mapping | None]): Result of :func:`find_strongest`.
        raw (str): As for :func:`find_strongest`.

    Returns:
        dict[str, dict]: For each method that was attacked: ``attackers`` (``{name: seeds}``),
        ``score`` and ``chance`` (each ``mean``, ``std``, ``n``) and ``advantage_removed``:
        ``mean``, ``std``, ``n``, and ``worst`` with its ``worst_seed``, the seed with the least
        removed. The removed part of a seed is computed from its mean advantage over the folds
        that raw has too; seeds that raw lacks are compared with the mean of raw's seeds.
        ``best_on_test`` has
        ``mean``, ``std`` and ``n`` of the score of the attacker with the greatest advantage on the
        test over the folds of a seed, with ``attackers`` and ``advantage_removed`` of its own.
    """
    # {method: {seed: {fold: (the strongest attacker, all attackers)}}}
    groups: dict[str, dict[int, dict]] = {}
    for row, entry in zip(rows, strongest, strict=True):
        if entry is not None:
            folds = groups.setdefault(row['method'], {}).setdefault(row['seed'], {})
            folds[row.get('fold')] = (entry, row['attackers'])
    summary = {}
    for method, seeds in groups.items():
        best = {seed: _find_best([a for _, a in folds.values()]) for seed, folds in seeds.items()}
        removed, removed_of_best = {}, {}
        for seed, folds in seeds.items() if method != raw else ():
            common, reference = _find_reference(groups.get(raw, {}), seed, folds)
            if reference is not None:
                ours = fmean(folds[fold][0]['advantage'] for fold in common)
                attackers = [folds[fold][1] for fold in common]
                theirs = _mean_advantage(attackers, best[seed]['attacker'], of='')
                removed[seed] = _removed(ours, reference)
                removed_of_best[seed] = _removed(theirs, reference)
        entries = [[entry for entry, _ in folds.values()] for folds in seeds.values()]
        summary[method] = dict(
            attackers=_count(group[0]['attacker'] for group in entries),
            score=spread(fmean(e['score'] for e in group) for group in entries),
            chance=spread(fmean(e['chance'] for e in group) for group in entries),
            best_on_test=dict(
                spread(b['score'] for b in best.values()),
                attackers=_count(b['attacker'] for b in best.values()),
                **_with_worst(removed_of_best),
            ),
            **_with_worst(removed),
        )
    return summary


def describe_strength(validation: Mapping[str, Mapping[str, Result]]) -> dict[str, dict]:
    """Describe the growth of attackers' validation scores during their training.

    Args:
        validation (Mapping): ``{attacker: {part of its training: result}}``; the part is a decimal
            such as ``'0.25'``; ``'2'`` is a training twice as long. A result has ``score``.

    Returns:
        dict[str, dict]: For each trained attacker: ``scores``, ``{part: score}`` with the parts in
        order, and ``is_rising``: whether twice the training raised the score by :data:`RISE`; None
        if this was not tried.
    """
    told = {}
    for name, results in validation.items():
        scores = {part: results[part]['score'] for part in sorted(results, key=float)}
        if len(scores) > 1:
            rising = scores['2'] > scores['1'] + RISE if {'1', '2'} <= set(scores) else None
            told[name] = dict(scores=scores, is_rising=rising)
    return told


def _group(rows: Iterable[Mapping]) -> dict[tuple, list[Mapping[str, Result]]]:
    groups: dict[tuple, list] = {}
    for row in rows:
        if row.get('attackers'):
            groups.setdefault((row['method'], row['seed']), []).append(row['attackers'])
    return groups


def _choose(folds: Sequence[Mapping[str, Result]], of: str = 'val_') -> str:
    """Return the strongest attacker on a split among those that all folds have.

    Args:
        folds (Sequence[Mapping]): ``{attacker: result}`` of each fold.
        of (str): Prefix of the split's keys; empty for the test.
    """
    names = [name for name in folds[0] if all(name in fold for fold in folds)] or list(folds[0])
    return max(names, key=lambda name: _mean_advantage(folds, name, of))


def _mean_advantage(folds: Sequence[Mapping[str, Result]], name: str, of: str) -> float:
    results = [fold[name] for fold in folds if name in fold]
    return fmean(advantage(r[f'{of}score'], r[f'{of}chance']) for r in results)


def _find_best(folds: Sequence[Mapping[str, Result]]) -> dict:
    """Return the name and score of the best attacker on the test over folds."""
    name = _choose(folds, '')
    return dict(attacker=name, score=fmean(f[name]['score'] for f in folds if name in f))


def _with_worst(removed: Mapping[int, float | None]) -> dict[str, dict]:
    """Return ``advantage_removed`` of the seeds of which it is known; empty if there is none."""
    known = {seed: part for seed, part in removed.items() if part is not None}
    if not known:
        return {}
    worst = min(known, key=known.get)
    entry = dict(spread(known.values()), worst=known[worst], worst_seed=worst)
    return dict(advantage_removed=entry)


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


def _removed(value: float, reference: float | None) -> float | None:
    part = math.nan if reference is None else advantage_removed(value, reference, 0.0)
    return None if math.isnan(part) else part


def _find_reference(
    raw: Mapping[int, Mapping], seed: int, folds: Iterable
) -> tuple[list, float | None]:
    """Return the folds that raw has too, and its mean advantage there; None if it has none.

    An unfinished protocol may have other folds of raw than of a method; folds differ by more than
    methods do.

    Args:
        raw (Mapping): ``{seed: {fold: (strongest, attackers)}}``; all seeds are averaged if this
            one is missing.
        seed (int): The method's seed.
        folds (Iterable): The method's folds.
    """
    seeds = [raw[seed]] if seed in raw else list(raw.values())
    common = [fold for fold in folds if seeds and all(fold in known for known in seeds)]
    if not common:
        return common, None
    return common, fmean(known[fold][0]['advantage'] for known in seeds for fold in common)
