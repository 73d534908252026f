"""The trade-off between utility and privacy as numbers, from the metrics of the runs."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from statistics import fmean, stdev

#: ``{method: {metric: {'mean', 'std', 'n'}}}``.
Summary = dict[str, dict[str, dict]]


def summarize(rows: Iterable[Mapping]) -> Summary:
    """Average the metrics of each method: over the folds of a seed first, then over the seeds.

    A seed that lacks a fold of another seed of the method is left out for that metric. If every
    seed lacks a fold, all seeds are used and the entry has ``complete=False``.

    Args:
        rows (Iterable[Mapping]): One per measurement: ``method``, ``seed``, ``fold`` (may be None
            or absent), metrics as numbers, and other entries as strings. A metric that is None, NaN
            or infinite counts as missing. Rows of one method, seed and fold are merged.

    Returns:
        dict: ``{method: {metric: {'mean', 'std', 'n'}}}``, methods and metrics in order of
        appearance; ``std`` is the sample standard deviation over the ``n`` seeds, 0 for one.

    Raises:
        ValueError: If a row has no method or seed, or a metric has two values for one method,
            seed and fold.
    """
    values: dict[str, dict[str, dict]] = {}
    for number, row in enumerate(rows):
        if row.get('method') is None or 'seed' not in row:
            raise ValueError(f'Row {number} of the results needs the keys "method" and "seed".')
        method, seed, fold = row['method'], row['seed'], row.get('fold')
        metrics = values.setdefault(method, {})
        for name, value in row.items():
            if name in ('seed', 'fold') or not _is_number(value):
                continue
            folds = metrics.setdefault(name, {}).setdefault(seed, {})
            if folds.setdefault(fold, float(value)) != float(value):
                raise ValueError(
                    f'The results of method {method!r}, seed {seed}, fold {fold} hold two values '
                    f'of {name!r}; remove the outdated row.'
                )
    return {
        method: {name: _average(seeds) for name, seeds in metrics.items()}
        for method, metrics in values.items()
    }


def _average(seeds: dict[int, dict]) -> dict:
    """Average ``{seed: {fold: value}}``."""
    all_folds = set().union(*seeds.values())
    complete = [folds for folds in seeds.values() if set(folds) == all_folds]
    entry = spread(fmean(folds.values()) for folds in complete or seeds.values())
    return entry if complete else dict(entry, complete=False)


def spread(values: Iterable[float]) -> dict:
    """Return ``mean``, ``std`` (the sample standard deviation, 0 for one value) and ``n``."""
    values = list(values)
    deviation = stdev(values) if len(values) > 1 else 0.0
    return dict(mean=fmean(values), std=deviation, n=len(values))


def advantage_removed(value: float, raw: float, chance: float) -> float:
    """Return the removed part of an attacker's lead over chance: 0 as on raw video, 1 at chance.

    Below 0 the attacker is better than on raw video; above 1, worse than chance. NaN if the
    attacker on raw video is at chance or below, as there is nothing to remove.
    """
    return (raw - value) / (raw - chance) if raw > chance else math.nan


def goals(
    summary: Summary,
    method: str = 'SPAct',
    raw: str = 'raw',
    supervised: str | None = 'supervised',
    obfuscations: Sequence[str] = (),
    min_top1_kept: float = 0.99,
    min_advantage_removed: float = 0.0,
    utility: str = 'top1',
    privacy: str = 'cmap',
    chance: str = 'cmap_chance',
) -> dict[str, dict]:
    """Compare a method with its goals.

    - ``top1_kept``: the method's utility divided by raw video's.
    - ``advantage_removed``: the removed part of the attacker's lead over chance.
    - ``not_dominated``: ``value`` lists the obfuscations with both a higher utility and a weaker
      attacker; the list should be empty.
    - ``within_supervised_spread``: neither metric may be worse than the metric of the baseline with
      labels by more than the combined standard deviation, ``sqrt(std² + std_supervised²)``.
      ``value`` holds how much worse each metric is, negative if better. Unknown if a method has a
      single seed, and so no spread.

    Args:
        summary (dict): From :func:`summarize`.
        method (str): The compared method.
        raw (str): The method that stands for raw video.
        supervised (str, optional): The baseline with labels.
        obfuscations (Sequence[str]): Methods without training.
        min_top1_kept (float): Goal of ``top1_kept``.
        min_advantage_removed (float): Goal of ``advantage_removed``, to be exceeded.
        utility (str): Metric of the recognizer, higher is better.
        privacy (str): Metric of the attacker, lower is better.
        chance (str): Chance level of ``privacy``.

    Returns:
        dict: ``{goal: {'value', 'goal', 'met'}}``; ``value`` and ``met`` are None if unknown.
    """

    def mean(name: str | None, metric: str) -> float | None:
        return summary.get(name, {}).get(metric, {}).get('mean')

    top1, cmap = mean(method, utility), mean(method, privacy)
    raw_top1, raw_cmap, level = mean(raw, utility), mean(raw, privacy), mean(raw, chance)
    kept = top1 / raw_top1 if top1 is not None and raw_top1 else None
    removed = None
    if None not in (cmap, raw_cmap, level) and raw_cmap > level:
        removed = advantage_removed(cmap, raw_cmap, level)
    better = None
    rivals = {name: (mean(name, utility), mean(name, privacy)) for name in obfuscations}
    rivals = {name: means for name, means in rivals.items() if None not in means}
    if rivals and None not in (top1, cmap):
        better = [name for name, (a, b) in rivals.items() if a > top1 and b < cmap]
    lags, spreads = {}, {}
    for metric, sign in ((utility, -1), (privacy, 1)):
        ours, theirs = (summary.get(name, {}).get(metric) for name in (method, supervised))
        if ours and theirs and min(ours['n'], theirs['n']) > 1:
            lags[metric] = sign * (ours['mean'] - theirs['mean'])
            spreads[metric] = math.hypot(ours['std'], theirs['std'])
    lags = lags if len(lags) == 2 else None
    return dict(
        top1_kept=_judge(kept, min_top1_kept, lambda v: v >= min_top1_kept),
        advantage_removed=_judge(
            removed, min_advantage_removed, lambda v: v > min_advantage_removed
        ),
        not_dominated=_judge(better, [], lambda v: not v),
        within_supervised_spread=_judge(
            lags, spreads if lags else None, lambda v: all(v[name] <= spreads[name] for name in v)
        ),
    )


def _judge(value, goal, is_met: Callable) -> dict:
    return dict(value=value, goal=goal, met=None if value is None else is_met(value))


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
