"""Reports on the trade-off between utility and privacy, as a page and as a data file."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..files import write_whole
from .columns import Column, to_column
from .panel_report import PanelReport
from .report_table import MISSING, Table, make_table
from .summary import Summary

#: For each goal a description of the measured value, and its relation to the required one.
_GOALS = dict(
    top1_kept=('Top-1 kept of raw', 'at least '),
    advantage_removed=("attacker's advantage over chance removed", 'more than '),
    not_dominated=('obfuscations better in both', ''),
    within_supervised_spread=('worse than the supervised baseline by', 'at most '),
)


_CURVES = 'Methods with a knob'
_FLICKER = 'Flicker'


@dataclass(frozen=True)
class Report:
    """The contents of a report, independent of the file format.

    Attributes:
        title (str): Heading.
        rows (Sequence[Mapping]): As for :func:`summarize`; the seeds, commits and configuration
            hashes of the provenance come from here.
        summary (dict): From :func:`summarize`.
        columns (Sequence[str | Mapping | Column]): Columns of the first table, as for
            :func:`~spact_mm.evaluation.columns.to_column`.
        attack_columns (Sequence[str | Mapping | Column]): Columns of a second table, if any.
        published (Mapping, optional): ``{source: {method: {metric: value}}}``, in the units of
            the rows; columns of their own, in the first table.
        raw (str): The raw method, the reference of changes.
        goals (Mapping, optional): From :func:`spact_mm.evaluation.summary.goals`.
        notes (Sequence[str]): Notes that a reader must know, such as limits of the protection.
        provenance (Mapping): Command, data, machine, date and the like.
        panel (PanelReport, optional): The attackers; the strongest is shown first.
        curves (Mapping[str, Mapping]): From :func:`~spact_mm.evaluation.curves.make_curves`.
        flicker (Mapping[str, Mapping]): By method the mean change of a pixel between frames of a
            still scene, 0 to 255: ``before`` and ``after`` the anonymizer.
        unfinished (str): A sentence that says what is not measured yet, if anything.
    """

    title: str
    rows: Sequence[Mapping]
    summary: Summary
    columns: Sequence[str | Mapping | Column] = ('top1', 'cmap', 'f1')
    attack_columns: Sequence[str | Mapping | Column] = ()
    published: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None
    raw: str = 'raw'
    goals: Mapping[str, Mapping] | None = None
    notes: Sequence[str] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    panel: PanelReport | None = None
    curves: Mapping[str, Mapping] = field(default_factory=dict)
    flicker: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unfinished: str = ''

    @cached_property
    def sections(self) -> list[tuple[str, Table]]:
        """Return titles and tables: the panel's, the paper's layout, further attackers.

        The first row of a table is its head.
        """
        columns = [to_column(c) for c in self.columns]
        table = make_table(self.summary, columns, self.raw, self.published or {})
        sections = [('Utility and privacy', table)]
        if self.panel is not None:
            sections = [*self.panel.tables(self.summary), ('One attacker, as published', table)]
            if not self.published:
                sections.pop()
        if self.attack_columns:
            columns = [to_column(c) for c in self.attack_columns]
            sections.append(('Further attackers', make_table(self.summary, columns, self.raw, {})))
        if self.curves:
            sections.append((_CURVES, _curves_table(self.curves)))
        if self.flicker:
            sections.append((_FLICKER, _flicker_table(self.flicker)))
        return sections

    @property
    def headline(self) -> list[str]:
        """Return sentences on the measured protection; first what is not measured yet."""
        first = [self.unfinished] if self.unfinished else []
        return first + (self.panel.headline() if self.panel is not None else [])

    @property
    def legend(self) -> list[str]:
        """Return sentences that explain the numbers and marks of the tables."""
        cells = [cell for _, table in self.sections for row in table for cell in row]
        raw = self.raw
        sentences = []
        if self.panel is not None:
            sentences += [*self.panel.legend(), self.panel.strength_legend()]
        if self.curves:
            sentences.append(
                f'{_CURVES}: the area of all pairs of advantage removed and Top-1 kept that one of '
                'the settings reaches in both; 100 would be all removed at no cost.'
            )
        if self.flicker:
            sentences.append(
                f'{_FLICKER}: the mean change of a pixel between successive frames of a scene in '
                'which nothing moves, 0 to 255; the frames differ by the noise of a camera.'
            )
        if self.panel is not None and not (self.published or self.attack_columns):
            return sentences
        sentences += [
            'Mean ± sample standard deviation over seeds, each the mean over its folds; in '
            f'parentheses the relative change against {raw}. Advantage removed = (A({raw}) − A) / '
            f'(A({raw}) − chance), A the attacker in the column before it.'
        ]
        if any('[n = ' in cell for cell in cells):
            sentences.append(
                '[n = ...]: fewer seeds than the row has, the others lack a fold or all.'
            )
        if any('†' in cell for cell in cells):
            sentences.append('† Incomplete: every seed lacks a fold that another one has.')
        return sentences

    @property
    def goals_table(self) -> Table:
        """Return required and measured values, and ``met``, ``missed`` or ``unknown``.

        The first row is the head; without goals it is the only row.
        """
        words = {True: 'met', False: 'missed', None: 'unknown'}
        table = [['goal', 'asked', 'measured', '']]
        for name, goal in (self.goals or {}).items():
            title, relation = _GOALS[name]
            asked, measured = relation + _goal_text(goal['goal']), _goal_text(goal['value'])
            table.append([title, asked, measured, words[goal['met']]])
        return table

    @property
    def origin(self) -> dict[str, object]:
        """Return the origin of the numbers: seeds, commits, configurations and the provenance."""
        return {**_find_origin(self.rows), **self.provenance}


def write_markdown(path: str | os.PathLike, report: Report) -> str:
    """Write a report as Markdown: tables, goals, notes, provenance.

    Args:
        path: The file; its folder is created.
        report (Report): The contents.

    Returns:
        str: The text that was written.
    """
    (_, first), *others = report.sections
    parts = [f'# {report.title}', *report.headline, _markdown(first), *report.legend]
    for title, table in others:
        parts += [f'## {title}', _markdown(table)]
    if report.goals:
        goals = [
            ['**missed**' if cell == 'missed' else cell for cell in row]
            for row in report.goals_table
        ]
        parts += ['## Goals, met or missed', _markdown(goals)]
    if report.notes:
        parts += ['## Notes', _list(report.notes)]
    if report.origin:
        origin = (f'{name}: {value}' for name, value in report.origin.items())
        parts += ['## Provenance', _list(origin)]
    text = '\n\n'.join(parts) + '\n'
    write_whole(path, text)
    return text


def write_json(
    path: str | os.PathLike,
    rows: Sequence[Mapping],
    summary: Summary,
    extra: Mapping | None = None,
) -> None:
    """Write ``{"rows": [...], "summary": {...}, **extra}``, whole or not at all.

    Args:
        path: The file; its folder is created.
        rows (Sequence[Mapping]): As for :func:`summarize`.
        summary (dict): From :func:`summarize`.
        extra (Mapping, optional): Further entries, such as the goals. Numbers that JSON lacks (NaN,
            infinity) become null.
    """
    content = _as_json({'rows': list(rows), 'summary': summary, **(extra or {})})
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + '\n'
    write_whole(path, text)


def _curves_table(curves: Mapping[str, Mapping]) -> Table:
    table = [['method', 'settings: advantage removed, Top-1 kept (%)', 'area (%) ↑']]
    for title, curve in curves.items():
        points = '; '.join(
            f'{point["method"]}: {100 * point["advantage_removed"]:.1f}, '
            f'{100 * point["utility_kept"]:.1f}'
            for point in curve['points']
        )
        table.append([title, points, f'{100 * curve["area"]:.1f}'])
    return table


def _flicker_table(flicker: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [[name, f'{f["before"]:.1f}', f'{f["after"]:.1f}'] for name, f in flicker.items()]
    return [['method', 'in the input', 'in the output ↓'], *rows]


def _markdown(table: Table) -> str:
    rule = ['---'] + ['---:'] * (len(table[0]) - 1)
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in [table[0], rule, *table[1:]])


def _goal_text(value) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Mapping):
        return ', '.join(f'{metric} {100 * number:.1f} %' for metric, number in value.items())
    return f'{100 * value:.1f} %' if isinstance(value, float | int) else ', '.join(value) or 'none'


def _find_origin(rows: Sequence[Mapping]) -> dict[str, str]:
    """Return the seeds, commits and configuration hashes of rows."""
    origin = {}
    for key, name in (('seed', 'seeds'), ('commit', 'commit'), ('config_hash', 'config hashes')):
        found = dict.fromkeys(str(row[key]) for row in rows if row.get(key) is not None)
        if found:
            origin[name] = ', '.join(found)
    return origin


def _list(lines: Iterable[str]) -> str:
    return '\n'.join(f'- {line}' for line in lines)


def _as_json(value):
    """Convert tuples, numpy numbers and unknown numbers to types of JSON."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value.item() if hasattr(value, 'item') else value
