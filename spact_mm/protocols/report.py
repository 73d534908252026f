"""The report on the results of a protocol's stages."""

import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from ..evaluation.attackers_plot import plot_attackers
from ..evaluation.columns import to_column
from ..evaluation.curves import make_curves
from ..evaluation.html_report import write_html
from ..evaluation.panel_report import PanelReport
from ..evaluation.report import Report, write_json, write_markdown
from ..evaluation.summary import Summary, goals, summarize
from ..evaluation.tradeoff import plot_tradeoff
from ..files import write_whole
from ..models.anonymizers.checkpoint import find_anonymizer
from .examples import (
    draw_examples,
    draw_grid,
    find_example_stages,
    read_clips,
    read_preprocessor,
)
from .flicker import measure_flicker
from .kept_results import KEPT_RESULTS, keep_results
from .protocol import Protocol
from .results import average_precisions, collect_rows
from .spec import folder_name
from .stage import Stage
from .stage_files import read_json

#: Default names of the metrics of chance levels, by metric.
_CHANCE = dict(top1='top1_chance', cmap='cmap_chance')


@dataclass(frozen=True)
class ReportSettings:
    """Settings in a protocol's dictionary ``report``.

    Attributes:
        columns (Sequence): Columns of the table, see
            :data:`spact_mm.evaluation.columns.COLUMNS`.
        attack_columns (Sequence): Columns of the table of further attackers.
        published (Mapping, optional): ``{source: {method: {metric: fraction}}}``.
        raw (str): The raw method, the reference of changes.
        method (str): The method for which the goals are evaluated.
        supervised (str, optional): The baseline with labels.
        obfuscations (Sequence[str]): Methods without training.
        chance (Mapping, optional): Names of the metrics of chance levels, by metric. Defaults to
            ``dict(top1='top1_chance', cmap='cmap_chance')``.
        x (str): Metric of the attacker in the plot. With a panel of attackers the plot shows the
            advantage of the strongest, and this is the key of the attackers' score.
        x_title (str): Name of this metric in the tables of the panel.
        curves (Mapping[str, Sequence[str]]): Settings of each method with a knob, as names of
            methods from the weakest to the strongest. They are joined by a line in the plot, and
            the area below is reported. Obfuscations of one kind are joined without an entry here.
        goal (Mapping, optional): ``min_top1_kept`` and ``min_advantage_removed``.
        notes (Sequence[str]): Notes for the reader.
        data (str): Description of the data, for the provenance.
    """

    columns: Sequence = ('top1', 'cmap', 'f1')
    attack_columns: Sequence = ()
    published: Mapping | None = None
    raw: str = 'raw'
    method: str = 'SPAct'
    supervised: str | None = 'supervised'
    obfuscations: Sequence[str] = ()
    chance: Mapping[str, str] | None = None
    x: str = 'cmap'
    x_title: str = 'cMAP'
    curves: Mapping[str, Sequence[str]] = field(default_factory=dict)
    goal: Mapping | None = None
    notes: Sequence[str] = ()
    data: str = ''


def write_report(protocol: Protocol, command: str) -> Path | None:
    """Write ``report.{json,md,html}``, ``results.jsonl`` and pictures of the results so far.

    Without a measure of utility the plot shows the attackers one by one.

    Args:
        protocol (Protocol): The protocol, with settings in its ``report``.
        command (str): The command that made the results.

    Returns:
        Path | None: ``report.md``; None if there is no result yet.
    """
    settings = ReportSettings(**protocol.report)
    raw, method, x = settings.raw, settings.method, settings.x
    rows = collect_rows(protocol.stages)
    if not rows:
        return None
    keep_results(protocol.stages, protocol.work_dir / KEPT_RESULTS)
    order = {name: position for position, name in enumerate(protocol.methods)}
    rows.sort(key=lambda row: (order[row['method']], row['seed'], row['fold'] or 0))
    panel, goal, chance = None, settings.goal or {}, settings.chance or {}
    if any('attackers' in row for row in rows):
        panel = PanelReport(rows, x, settings.x_title, raw, method)
        for row, entry, named in zip(rows, panel.strongest, panel.entries(), strict=True):
            if entry is not None:
                row.update(advantage=entry['advantage'], advantage_chance=0.0, strongest=named)
        x, goal = 'advantage', dict(goal, chance='advantage_chance')
        chance = dict(chance, advantage='advantage_chance')
    summary = summarize(rows)
    judged = None
    has_utility = any('top1' in metrics for metrics in summary.values())
    if method in summary and (has_utility or panel is None):
        supervised, obfuscations = settings.supervised, settings.obfuscations
        judged = goals(summary, method, raw, supervised, obfuscations, privacy=x, **goal)
    stages = sorted(protocol.stages, key=lambda stage: order[stage.method])
    examples, flicker = _read_examples(protocol.work_dir, stages)
    levels = _find_levels(summary, raw, chance or _CHANCE)
    families = {**_find_families(protocol.stages, settings.obfuscations), **settings.curves}
    curves = make_curves(summary, families, raw, x, levels.get(x, 0.0))
    write_json(
        protocol.work_dir / 'report.json',
        rows,
        _with_strongest(summary, panel),
        dict(protocol=protocol.name, command=command, goals=judged, curves=curves, flicker=flicker),
    )
    missing = sum(stage.read_result() is None for stage in protocol.stages)
    plot = None
    if any('top1' in metrics and x in metrics for metrics in summary.values()):
        plot = protocol.work_dir / 'tradeoff.png'
        plot_tradeoff(
            summary,
            plot,
            published=settings.published,
            chance=levels,
            title=protocol.title,
            raw=raw,
            x=x,
            connect=families.values(),
        )
    elif panel is not None:
        plot = plot_attackers(panel, protocol.work_dir / 'attackers.png', protocol.title)
    provenance = {
        'Command': f'`{command}`',
        'Data': settings.data,
        'Stages': f'{len(protocol.stages) - missing} of {len(protocol.stages)} done',
        'Computing time': f'{sum(row["seconds"] for row in rows) / 3600:.2f} process hours',
        'Written': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
    }
    report = Report(
        title=protocol.title,
        rows=rows,
        summary=summary,
        columns=settings.columns,
        attack_columns=settings.attack_columns,
        published=settings.published,
        raw=raw,
        goals=judged,
        notes=settings.notes,
        provenance={key: value for key, value in provenance.items() if value},
        panel=panel,
        curves=curves,
        flicker=flicker,
        unfinished=_describe_missing(missing, len(protocol.stages)),
    )
    if examples:
        draw_grid(examples, protocol.work_dir / 'examples.png')
    write_html(
        protocol.work_dir / 'report.html',
        report,
        plot=plot,
        examples=examples,
        attributes=average_precisions(stages, settings.x, rows),
        configs=_read_configs(stages),
    )
    path = protocol.work_dir / 'report.md'
    write_markdown(path, report)
    return path


def _find_levels(summary: Summary, raw: str, chance: Mapping[str, str]) -> dict[str, float]:
    """Return the chance level of each metric, of the raw method or the first method with one."""
    found = [summary.get(raw, {}), *summary.values()]
    return {
        key: next(metrics[name]['mean'] for metrics in found if name in metrics)
        for key, name in chance.items()
        if any(name in metrics for metrics in found)
    }


def _with_strongest(summary: Summary, panel: PanelReport | None) -> dict:
    if panel is None:
        return summary
    entries = panel.summary_entries()
    return {
        method: dict(metrics, strongest=entries[method]) if method in entries else metrics
        for method, metrics in summary.items()
    }


def _read_examples(work_dir: Path, stages: Sequence[Stage]) -> tuple[dict, dict]:
    """Return pictures and flicker of each method, made once for each state of its stages.

    A method with a renderer, or with a network that has been trained to undo it, has further
    pictures, of what these make of it.
    """
    pictures, flicker = {}, {}
    kinds = {
        '': find_example_stages(stages),
        'rendered': find_example_stages(stages, 'renderer'),
        'undone': find_example_stages(stages, 'inverter'),
    }
    for method, stage in kinds[''].items():
        clips = cache(lambda stage=stage: read_clips(stage, read_preprocessor(stage)))
        for word, found in kinds.items():
            if method not in found:
                continue
            title = f'{method}, {word}' if word else method
            stem = '-'.join(filter(None, (folder_name(method), word, found[method].hash)))
            path = work_dir / 'examples' / f'{stem}.png'
            # Nobody watches the reconstruction of an attacker.
            is_watched = word != 'undone'
            numbers = path.with_suffix('.json')
            known = read_json(numbers) if is_watched else {}
            if _is_broken(path) or (is_watched and set(known) != {'before', 'after'}):
                network = read_preprocessor(found[method]).anonymizer
                if getattr(network, 'needs_boxes', False):
                    continue
                write_whole(path, draw_examples(network, clips()))
                if is_watched:
                    known = measure_flicker(network, clips())
                    write_whole(numbers, json.dumps(known))
            pictures[title] = path.read_bytes()
            if is_watched:
                flicker[title] = known
    return pictures, flicker


def _is_broken(path: Path) -> bool:
    data = np.frombuffer(path.read_bytes() if path.exists() else b'', np.uint8)
    return not data.size or cv2.imdecode(data, cv2.IMREAD_COLOR) is None


def _read_configs(stages: Sequence[Stage]) -> dict[str, str]:
    """Return the whole config of one stage of each kind and of each training."""
    configs = {}
    for stage in stages:
        title = f'{stage.name} of {stage.method}' if stage.name == 'train' else stage.name
        file = stage.folder / 'config.py'
        if title not in configs and file.exists():
            configs[title] = file.read_text('utf-8', errors='replace')
    return {f'Config: {title}': text for title, text in configs.items()}


def check_report(protocol: Protocol) -> None:
    """Check the settings for :func:`write_report`, before any stage runs.

    Args:
        protocol (Protocol): The protocol.

    Raises:
        ValueError: If a key, column or goal of the protocol's ``report`` is unknown.
    """
    _check_keys('report', protocol.report, ReportSettings)
    goal = protocol.report.get('goal') or {}
    given = ('summary', 'method', 'raw', 'supervised', 'obfuscations', 'privacy')
    _check_keys('report.goal', goal, goals, given)
    for key in ('columns', 'attack_columns'):
        for column in protocol.report.get(key, ()):
            to_column(column)


def _check_keys(name: str, keys: Mapping, function: Callable, given: Sequence[str] = ()) -> None:
    known = [key for key in inspect.signature(function).parameters if key not in given]
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise ValueError(
            f'The protocol has the unknown key {unknown[0]!r} in {name}; choose from {known}.'
        )


def _find_families(stages: Sequence[Stage], methods: Sequence[str]) -> dict[str, list[str]]:
    """Return groups of obfuscations of one kind with different strengths, by name."""
    kinds: dict[str, list[str]] = {}
    for method in methods:
        configs = (stage.config for stage in stages if stage.method == method)
        anonymizer = next(filter(None, map(find_anonymizer, configs)), {})
        kinds.setdefault(str(anonymizer.get('type', method)), []).append(method)
    return {', '.join(found): found for found in kinds.values() if len(found) > 1}


def _describe_missing(missing: int, total: int) -> str:
    """Return a sentence that warns of comparisons between unequal parts, if stages are missing."""
    if not missing:
        return ''
    return (
        f'Unfinished: {missing} of {total} stages have no result yet. Until then methods may '
        'differ in folds and attackers, and the strongest attacker may be among the missing. '
        'Advantages are compared on the folds that both methods have.'
    )
