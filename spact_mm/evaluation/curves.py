"""The trade-off of a method with a knob, such as a blur's strength, as a curve and a number."""

from collections.abc import Mapping, Sequence

from .summary import Summary, advantage_removed


def trade_off_area(points: Sequence[tuple[float, float]]) -> float:
    """Return the area below the best trade-offs of several points.

    Args:
        points (Sequence[tuple[float, float]]): For each setting the removed part of the attacker's
            advantage and the kept part of the utility; both are clipped to [0, 1].

    Returns:
        float: In [0, 1]: the area of all (removed, kept) that a setting reaches or exceeds in both.
        The area is 0 for raw video alone, and 1 for a setting that removes everything at no cost.

    Example:
        >>> trade_off_area([(0.5, 1.0), (1.0, 0.5)])
        0.75
    """
    area, best = 0.0, 0.0
    inside = [tuple(min(max(value, 0.0), 1.0) for value in point) for point in points]
    # From the most to the least private: each point adds the area above the earlier ones.
    for removed, kept in sorted(inside, reverse=True):
        area += removed * max(kept - best, 0.0)
        best = max(best, kept)
    return area


def make_curves(
    summary: Summary,
    families: Mapping[str, Sequence[str]],
    raw: str,
    privacy: str,
    chance: float,
    utility: str = 'top1',
) -> dict[str, dict]:
    """Compute the trade-off curve of each method with a knob.

    Args:
        summary (Summary): From :func:`~.summary.summarize`.
        families (Mapping[str, Sequence[str]]): Settings of each method, as names of the summary.
            Settings that were not measured are left out.
        raw (str): The method that stands for raw video.
        privacy (str): Metric of the attacker.
        chance (float): Chance level of this metric.
        utility (str): Metric of the recognizer. Defaults to ``'top1'``.

    Returns:
        dict: For each method ``points``, a list of ``method``, ``advantage_removed`` and
        ``utility_kept``, and ``area``, see :func:`trade_off_area`; empty if raw video was not
        measured.
    """

    def mean(method: str, metric: str) -> float | None:
        return summary.get(method, {}).get(metric, {}).get('mean')

    reference, level = mean(raw, utility), mean(raw, privacy)
    if not reference or level is None or level <= chance:
        return {}
    curves = {}
    for title, methods in families.items():
        points = [
            dict(
                method=method,
                advantage_removed=advantage_removed(mean(method, privacy), level, chance),
                utility_kept=mean(method, utility) / reference,
            )
            for method in methods
            if None not in (mean(method, privacy), mean(method, utility))
        ]
        if points:
            reached = [(point['advantage_removed'], point['utility_kept']) for point in points]
            curves[title] = dict(points=points, area=trade_off_area(reached))
    return curves
