"""The trade-off of a method that has a knob, such as a blur's strength, as a curve and a number."""

from collections.abc import Mapping, Sequence

from .summary import Summary, advantage_removed


def trade_off_area(points: Sequence[tuple[float, float]]) -> float:
    """Return the area below the best that points reach together.

    Args:
        points (Sequence[tuple[float, float]]): Of each setting the part of the attacker's advantage
            that is removed and the part of the utility that is kept; both are taken in [0, 1].

    Returns:
        float: In [0, 1]: the area of all (removed, kept) that a setting reaches or exceeds in both.
        Raw video alone has 0; a setting that removes all and costs nothing, 1.

    Example:
        >>> trade_off_area([(0.5, 1.0), (1.0, 0.5)])
        0.75
    """
    area, best = 0.0, 0.0
    inside = [tuple(min(max(value, 0.0), 1.0) for value in point) for point in points]
    # From the most private to the least: each adds what is above those before.
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
    """Measure what each method with a knob reaches.

    Args:
        summary (Summary): From :func:`~.summary.summarize`.
        families (Mapping[str, Sequence[str]]): The method to its settings, names of the summary.
            Those that were not measured are left out.
        raw (str): The method that stands for raw video.
        privacy (str): Metric of the attacker.
        chance (float): Chance level of it.
        utility (str): Metric of the recognizer. Defaults to ``'top1'``.

    Returns:
        dict: By method ``points``, a list of ``method``, ``advantage_removed`` and
        ``utility_kept``, and ``area``, see :func:`trade_off_area`; nothing where raw video was not
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
