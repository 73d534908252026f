"""The strongest of several attackers, chosen on data that is not the test's.

A panel's attackers see different things (single images, several frames, clips) and so have
different chance levels. They are compared by their advantage: 0 at chance, 1 where nothing is
hidden.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from .summary import advantage_removed, spread

#: An attacker's result, see :func:`find_strongest`.
Result = Mapping[str, float]
#: Points by which an attacker who trains twice as long must be better to count as still rising.
RISE = 0.01


def advantage(score: float, chance: float) -> float:
    """Return an attacker's lead over chance as a part of the lead of one who is always right.

    Args:
        score (float): Fraction in [0, 1].
        chance (float): Fraction in [0, 1].

    Returns:
        float: 1 at best, 0 at chance, below 0 where worse than chance; 0 where chance is 1, so that
        there is nothing to find out.
    """
    return (score - chance) / (1 - chance) if chance < 1 else 0.0


def find_strongest(rows: Sequence[Mapping], raw: str = 'raw') -> list[dict | None]:
    """Find the strongest attacker of each method and seed.

    It is the one with the greatest advantage on the attackers' validation split, the mean over the
    folds of a seed; the first of equals. Its result on the test persons counts.

    Args:
        rows (Sequence[Mapping]): One for each method, seed and fold, with ``method``, ``seed``,
            ``fold`` and perhaps ``attackers``: ``{name: result}``, a result being ``score`` and
            ``chance`` on the test persons, ``val_score`` and ``val_chance`` on the validation
            split. All are fractions.
        raw (str): The method that an advantage is removed of: the strongest attacker's there, with
            the same seed.

    Returns:
        list[dict | None]: For each row ``attacker``, ``score``, ``chance``, ``advantage``,
        ``advantage_removed`` (of the row alone; None where raw has none) and ``best_on_test``
        (``attacker``, ``score``, ``chance``), which flatters the attacker; None where a row has no
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
        strongest (Sequence[Mapping | None]): What that returned.
        raw (str): As for :func:`find_strongest`.

    Returns:
        dict[str, dict]: For each method that was attacked: ``attackers`` (``{name: seeds}``),
        ``score``, ``chance`` and ``best_on_test`` (each ``mean``, ``std``, ``n``) and
        ``advantage_removed``: ``mean``, ``std``, ``n``, and ``worst`` with its ``worst_seed``, the
        seed of which least is removed. A seed's part is that of its mean advantage over the folds;
        seeds that raw has not are compared with the mean of raw's.
    """
    groups: dict[str, dict[int, list[Mapping]]] = {}
    for row, entry in zip(rows, strongest, strict=True):
        if entry is not None:
            groups.setdefault(row['method'], {}).setdefault(row['seed'], []).append(entry)
    raw_seeds = {
        seed: fmean(e['advantage'] for e in group) for seed, group in groups.get(raw, {}).items()
    }
    summary = {}
    for method, seeds in groups.items():
        names = [group[0]['attacker'] for group in seeds.values()]
        removed = {}
        for seed, group in seeds.items():
            mean = fmean(e['advantage'] for e in group)
            part = _removed(mean, raw_seeds.get(seed, _mean_or_none(raw_seeds.values())))
            if part is not None and method != raw:
                removed[seed] = part
        entry = dict(
            attackers={name: names.count(name) for name in dict.fromkeys(names)},
            score=spread(fmean(e['score'] for e in g) for g in seeds.values()),
            chance=spread(fmean(e['chance'] for e in g) for g in seeds.values()),
            best_on_test=spread(
                fmean(e['best_on_test']['score'] for e in g) for g in seeds.values()
            ),
        )
        if removed:
            worst = min(removed, key=removed.get)
            entry['advantage_removed'] = dict(
                spread(removed.values()), worst=removed[worst], worst_seed=worst
            )
        summary[method] = entry
    return summary


def describe_strength(validation: Mapping[str, Mapping[str, Result]]) -> dict[str, dict]:
    """Tell how an attacker's score on the validation split grew with its training.

    Args:
        validation (Mapping): ``{attacker: {part of its training: result}}``; the part is a decimal
            such as ``'0.25'``, ``'2'`` being a training twice as long; a result has ``score``.

    Returns:
        dict[str, dict]: For each attacker with a training: ``scores``, ``{part: score}`` with the
        parts in order, and ``is_rising``: whether twice the training found more by :data:`RISE`,
        None where it was not tried.
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


def _choose(folds: Sequence[Mapping[str, Result]]) -> str:
    """Return the attacker that finds most on the validation split, of those that all folds have."""
    names = [name for name in folds[0] if all(name in fold for fold in folds)] or list(folds[0])

    def found(name: str) -> float:
        results = [fold[name] for fold in folds if name in fold]
        return fmean(advantage(r['val_score'], r['val_chance']) for r in results)

    return max(names, key=found)


def _removed(value: float, reference: float | None) -> float | None:
    part = math.nan if reference is None else advantage_removed(value, reference, 0.0)
    return None if math.isnan(part) else part


def _mean_or_none(values: Iterable[float]) -> float | None:
    values = list(values)
    return fmean(values) if values else None
