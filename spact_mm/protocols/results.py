"""The results of a protocol's stages."""

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence

from .attackers import TWICE
from .stage import Stage


def collect_rows(stages: Sequence[Stage]) -> list[dict]:
    """Return a row for each method, seed and fold with a result.

    Args:
        stages (Sequence[Stage]): Stages, done or not.

    Returns:
        list[dict]: ``method``, ``seed``, ``fold``, the metrics, and their origin: ``config_hash``
        (of all stages of the row), ``commit`` (several if they differ), ``time`` (of the last
        stage) and ``seconds`` (of all). If stages are attackers of a panel, also ``attackers``,
        ``{name: result}``, see :func:`~spact_mm.evaluation.panel.find_strongest`.
    """
    groups: dict[tuple, list[dict]] = {}
    for stage in stages:
        result = stage.read_result()
        if result is not None:
            groups.setdefault((stage.method, stage.seed, stage.fold), []).append(result)
    rows = []
    for (method, seed, fold), results in groups.items():
        metrics = {key: value for result in results for key, value in result['metrics'].items()}
        if not metrics:
            continue
        hashes = ' '.join(sorted(result['config_hash'] for result in results))
        rows.append(
            dict(
                method=method,
                seed=seed,
                fold=fold,
                **metrics,
                **_find_attackers(results),
                config_hash=hashlib.sha256(hashes.encode()).hexdigest()[:12],
                commit=' '.join(sorted({result.get('commit', '') for result in results})),
                time=max(result.get('time', '') for result in results),
                seconds=round(sum(result['seconds'] for result in results), 1),
            )
        )
    return rows


def _find_attackers(results: Sequence[Mapping]) -> dict:
    """Return ``attackers`` of a row; empty if no stage is an attacker."""
    by_name = {r.get('name', ''): r['attacker'] for r in results if r.get('attacker')}
    attackers = {}
    for name, found in by_name.items():
        if 'score' not in found:  # a training only to measure the strength
            continue
        longer = by_name.get(name + TWICE, {}).get('validation', {})
        validation = dict(found['validation'], **{k: v for k, v in longer.items() if k == '2'})
        chosen_by = validation['1']
        attackers[name] = dict(
            score=found['score'],
            chance=found['chance'],
            val_score=chosen_by['score'],
            val_chance=chosen_by['chance'],
            validation=validation,
        )
    return dict(attackers=attackers) if attackers else {}


def average_precisions(
    stages: Sequence[Stage], metric: str, rows: Sequence[Mapping] = ()
) -> dict[str, dict[str, float]]:
    """Return the average precision of each attribute, averaged over finished seeds and folds.

    Args:
        stages (Sequence[Stage]): Stages, done or not.
        metric (str): Key of a metric in the report; the stages that measure it are used.
        rows (Sequence[Mapping]): Rows, with ``strongest`` if the protocol has a panel: then only
            the strongest attacker of each row is used.

    Returns:
        dict: ``{method: {attribute: value}}``, without methods that lack such results, and
        ``'chance'`` last.
    """
    strongest = {
        (row['method'], row['seed'], row.get('fold')): row['strongest']['attacker']
        for row in rows
        if row.get('strongest')
    }
    found: dict[str, dict[str, list[float]]] = {}
    chance: dict[str, list[float]] = {}
    for stage in stages:
        if strongest:
            is_asked = strongest.get((stage.method, stage.seed, stage.fold)) == stage.name
        else:
            is_asked = metric in stage.metrics
        result = stage.read_result() if is_asked else None
        for name, value in (result or {}).get('values', {}).items():
            kind, _, attribute = name.rpartition('/')[2].partition('_')
            if not math.isfinite(value):
                continue
            if kind == 'AP':
                found.setdefault(stage.method, {}).setdefault(attribute, []).append(value)
            elif kind == 'chance':
                chance.setdefault(attribute, []).append(value)
    if chance:
        found['chance'] = chance
    return {
        method: {attribute: statistics.fmean(values) for attribute, values in entries.items()}
        for method, entries in found.items()
    }
