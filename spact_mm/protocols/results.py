"""What a protocol's stages have found, as a report."""

import hashlib
import inspect
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..evaluation.attackers_plot import plot_attackers
from ..evaluation.html_report import write_html
from ..evaluation.panel_report import PanelReport
from ..evaluation.report import Report, to_column, write_json, write_markdown
from ..evaluation.summary import Summary, goals, summarize
from ..evaluation.tradeoff import plot_tradeoff
from ..files import write_whole
from .attackers import TWICE
from .examples import draw_examples, draw_grid, find_example_stages
from .plan import Protocol
from .spec import folder_name
from .stage import Stage


def collect_rows(stages: Sequence[Stage]) -> list[dict]:
    """Return a row for each method, seed and fold with a result.

    Args:
        stages (Sequence[Stage]): Stages, done or not.

    Returns:
        list[dict]: ``method``, ``seed``, ``fold``, the metrics, and where they are from:
        ``config_hash`` (of all stages of the row), ``commit`` (several if they differ), ``time``
        (of the last stage) and ``seconds`` (of all). With ``attackers``, ``{name: result}``, where
        stages are attackers of a panel, see :func:`~spact_mm.evaluation.panel.find_strongest`.
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
    """Return ``attackers`` of a row, nothing where no stage is one."""
    by_name = {r.get('name', ''): r['attacker'] for r in results if r.get('attacker')}
    attackers = {}
    for name, found in by_name.items():
        if 'score' not in found:  # of a training that is only to tell the strength
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


def write_report(
    protocol: Protocol,
    command: str,
    columns: Sequence = ('top1', 'cmap', 'f1'),
    attack_columns: Sequence = (),
    published: Mapping | None = None,
    raw: str = 'raw',
    method: str = 'SPAct',
    supervised: str | None = 'supervised',
    obfuscations: Sequence[str] = (),
    chance: Mapping[str, str] | None = None,
    x: str = 'cmap',
    x_title: str = 'cMAP',
    goal: Mapping | None = None,
    notes: Sequence[str] = (),
    data: str = '',
) -> Path | None:
    """Write ``report.{json,md,html}`` and pictures of what is done so far.

    Without a measure of utility the plot is of the attackers, one by one.

    Args:
        protocol (Protocol): The protocol.
        command (str): The command that made the results.
        columns (Sequence): Columns of the table, see
            :data:`spact_mm.evaluation.report.COLUMNS`.
        attack_columns (Sequence): Columns of the table of further attackers.
        published (Mapping, optional): ``{source: {method: {metric: fraction}}}``.
        raw (str): The method that changes are relative to.
        method (str): The method that the goals are about.
        supervised (str, optional): The baseline that needs labels.
        obfuscations (Sequence[str]): Methods that are not trained.
        chance (Mapping, optional): Metric to the metric that is its chance level. Defaults to
            ``dict(top1='top1_chance', cmap='cmap_chance')``.
        x (str): Metric of the attacker in the plot. Where the protocol has a panel of attackers,
            the plot shows the advantage of the strongest, and this is their score's key.
        x_title (str): What that is called in the tables of the panel.
        goal (Mapping, optional): ``min_top1_kept`` and ``min_advantage_removed``.
        notes (Sequence[str]): What a reader must know.
        data (str): The data, for the provenance.

    Returns:
        Path | None: ``report.md``, None if nothing is done yet.
    """
    rows = collect_rows(protocol.stages)
    if not rows:
        return None
    order = {name: position for position, name in enumerate(protocol.methods)}
    rows.sort(key=lambda row: (order[row['method']], row['seed'], row['fold'] or 0))
    panel = None
    if any('attackers' in row for row in rows):
        panel = PanelReport(rows, x, x_title, raw, method)
        for row, entry, named in zip(rows, panel.strongest, panel.entries(), strict=True):
            if entry is not None:
                row.update(advantage=entry['advantage'], advantage_chance=0.0, strongest=named)
    attribute_metric = x
    if panel is not None:
        x, chance = 'advantage', dict(chance or {}, advantage='advantage_chance')
        goal = dict(goal or {}, chance='advantage_chance')
    summary = summarize(rows)
    judged = None
    has_utility = any('top1' in metrics for metrics in summary.values())
    if method in summary and (has_utility or panel is None):
        judged = goals(
            summary, method, raw, supervised, obfuscations, privacy=x, **dict(goal or {})
        )
    chance = chance or dict(top1='top1_chance', cmap='cmap_chance')
    found = [summary.get(raw, {}), *summary.values()]
    levels = {
        key: next(metrics[name]['mean'] for metrics in found if name in metrics)
        for key, name in chance.items()
        if any(name in metrics for metrics in found)
    }
    seconds = sum(row['seconds'] for row in rows)
    provenance = {
        'Command': f'`{command}`',
        'Data': data,
        'Stages': _count(protocol.stages),
        'Computing time': f'{seconds / 3600:.2f} process hours',
        'Written': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
    }
    write_json(
        protocol.work_dir / 'report.json',
        rows,
        _with_strongest(summary, panel),
        dict(protocol=protocol.name, command=command, goals=judged),
    )
    plot = None
    if any('top1' in metrics and x in metrics for metrics in summary.values()):
        plot = protocol.work_dir / 'tradeoff.png'
        plot_tradeoff(
            summary,
            plot,
            published=published,
            chance=levels,
            title=protocol.title,
            raw=raw,
            x=x,
            connect=[list(obfuscations)] if obfuscations else (),
        )
    elif panel is not None:
        plot = plot_attackers(panel, protocol.work_dir / 'attackers.png', protocol.title)
    report = Report(
        title=protocol.title,
        rows=rows,
        summary=summary,
        columns=columns,
        attack_columns=attack_columns,
        published=published,
        raw=raw,
        goals=judged,
        notes=notes,
        provenance={key: value for key, value in provenance.items() if value},
        panel=panel,
    )
    stages = sorted(protocol.stages, key=lambda stage: order[stage.method])
    examples = _read_examples(protocol.work_dir, stages)
    if examples:
        draw_grid(examples, protocol.work_dir / 'examples.png')
    write_html(
        protocol.work_dir / 'report.html',
        report,
        plot=plot,
        examples=examples,
        attributes=average_precisions(stages, attribute_metric, rows),
        configs=_read_configs(stages),
    )
    path = protocol.work_dir / 'report.md'
    write_markdown(path, report)
    return path


def average_precisions(
    stages: Sequence[Stage], metric: str, rows: Sequence[Mapping] = ()
) -> dict[str, dict[str, float]]:
    """Return the average precision of each attribute, the mean over the seeds and folds done.

    Args:
        stages (Sequence[Stage]): Stages, done or not.
        metric (str): Key of a metric in the report; the stages that measure it are asked.
        rows (Sequence[Mapping]): With ``strongest``, if the protocol has a panel: then only the
            strongest attacker of each row is asked.

    Returns:
        dict: ``{method: {attribute: value}}``, without methods that have none, and ``'chance'``
        last.
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


def _with_strongest(summary: Summary, panel: PanelReport | None) -> dict:
    if panel is None:
        return summary
    entries = panel.summary_entries()
    return {
        method: dict(metrics, strongest=entries[method]) if method in entries else metrics
        for method, metrics in summary.items()
    }


def _read_examples(work_dir: Path, stages: Sequence[Stage]) -> dict[str, bytes]:
    """Return pictures of each method; they are drawn once for each state of its stage."""
    examples = {}
    for method, stage in find_example_stages(stages).items():
        path = work_dir / 'examples' / f'{folder_name(method)}-{stage.hash}.png'
        if not path.exists() or _is_broken(path):
            picture = draw_examples(stage)
            if picture is None:
                continue
            write_whole(path, picture)
        examples[method] = path.read_bytes()
    return examples


def _is_broken(path: Path) -> bool:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return not data.size or cv2.imdecode(data, cv2.IMREAD_COLOR) is None


def _read_configs(stages: Sequence[Stage]) -> dict[str, str]:
    """Return the config of one stage of each kind and of each training, as a run has it."""
    configs = {}
    for stage in stages:
        title = f'{stage.name} of {stage.method}' if stage.name == 'train' else stage.name
        file = stage.folder / 'config.py'
        if title not in configs and file.exists():
            configs[title] = file.read_text('utf-8', errors='replace')
    return {f'Config: {title}': text for title, text in configs.items()}


def check_report(protocol: Protocol) -> None:
    """Refuse what :func:`write_report` will not understand, before there is anything to report.

    Args:
        protocol (Protocol): The protocol.

    Raises:
        ValueError: If a key, column or goal of the protocol's ``report`` is unknown.
    """
    _check_keys('report', protocol.report, write_report, ('protocol', 'command'))
    goal = protocol.report.get('goal') or {}
    given = ('summary', 'method', 'raw', 'supervised', 'obfuscations', 'privacy')
    _check_keys('report.goal', goal, goals, given)
    for key in ('columns', 'attack_columns'):
        for column in protocol.report.get(key, ()):
            to_column(column)


def _check_keys(name: str, keys: Mapping, function: Callable, given: Sequence[str]) -> None:
    known = [key for key in inspect.signature(function).parameters if key not in given]
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise ValueError(
            f'The protocol has the unknown key {unknown[0]!r} in {name}; choose from {known}.'
        )


def _count(stages: Sequence[Stage]) -> str:
    done = sum(stage.read_result() is not None for stage in stages)
    return f'{done} of {len(stages)} done' + ('' if done == len(stages) else ', the rest to come')
