"""The table of methods and metrics as text."""

import math
from collections.abc import Mapping, Sequence

from .columns import Column
from .summary import Summary, advantage_removed

#: Rows of cells; the first row is the head.
Table = list[list[str]]

#: Cell of an unknown value.
MISSING = '–'


def make_table(
    summary: Summary, columns: Sequence[Column], raw: str, published: Mapping[str, Mapping]
) -> Table:
    """Return the table of a report; its first row is the head.

    Args:
        summary (dict): From :func:`~.summary.summarize`.
        columns (Sequence[Column]): Columns of the metrics.
        raw (str): The raw method, the reference of changes.
        published (Mapping): As in :class:`~.report.Report`.
    """
    methods = list(summary)
    for values in published.values():
        methods += [method for method in values if method not in methods]
    shown = {
        source: [c for c in columns if any(c.metric in metrics for metrics in values.values())]
        for source, values in published.items()
    }
    levels = {column.metric: _chance(summary, raw, column) for column in columns}

    head = ['method', 'seeds']
    for column in columns:
        head += [column.head, *_advantage_head(column, levels)]
    head += [f'{c.head}, {source}' for source, picked in shown.items() for c in picked]
    table = [head]

    for method in methods:
        entries = summary.get(method, {})
        seeds = max((entries[c.metric]['n'] for c in columns if c.metric in entries), default=0)
        cells = [method, str(seeds) if seeds else MISSING]
        for column in columns:
            entry = entries.get(column.metric)
            reference = summary.get(raw, {}) if method != raw else {}
            base = reference.get(column.metric) or reference.get(column.raw_metric)
            cells.append(_cell(column, entry, base, seeds))
            if _advantage_head(column, levels):
                cells.append(_advantage_cell(entry, base, levels[column.metric]))
        for source, picked in shown.items():
            values = published[source].get(method, {})
            cells += [c.format(values[c.metric]) if c.metric in values else MISSING for c in picked]
        table.append(cells)

    if any(level is not None for level in levels.values()):
        cells = ['chance', MISSING]
        for column in columns:
            level = levels[column.metric]
            cells.append(MISSING if level is None else column.format(level))
            cells += [MISSING] * len(_advantage_head(column, levels))
        table.append(cells + [MISSING] * (len(head) - len(cells)))
    return table


def _advantage_head(column: Column, levels: Mapping[str, float | None]) -> list[str]:
    shown = column.is_attack and levels[column.metric] is not None
    return ['advantage removed (%) ↑'] if shown else []


def _cell(column: Column, entry: dict | None, base: dict | None, seeds: int) -> str:
    """Return ``mean ± std (change against raw)``, without ± for a single seed."""
    if entry is None:
        return MISSING
    text = column.format(entry['mean'])
    if entry['n'] > 1:
        text += f' ± {column.format(entry["std"])}'
    if not entry.get('complete', True):
        text += '†'
    if entry['n'] < seeds:
        text += f' [n = {entry["n"]}]'
    # A ratio of decibels has no meaning.
    if base is not None and base['mean'] != 0 and column.unit == '%':
        change = round(100 * (entry['mean'] / base['mean'] - 1), 1)
        arrow = '↑ ' if change > 0 else '↓ ' if change < 0 else ''
        text += f' ({arrow}{abs(change):.1f} %)'
    return text


def _advantage_cell(entry: dict | None, base: dict | None, level: float) -> str:
    if entry is None or base is None:
        return MISSING
    removed = advantage_removed(entry['mean'], base['mean'], level)
    return MISSING if math.isnan(removed) else f'{100 * removed:.1f}'


def _chance(summary: Summary, raw: str, column: Column) -> float | None:
    """Return the chance level on raw video, or of the first method that has one."""
    found = [summary.get(raw, {}), *summary.values()]
    return next((m[column.chance]['mean'] for m in found if column.chance in m), None)
