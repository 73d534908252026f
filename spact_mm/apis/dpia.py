"""A draft of a data protection impact assessment, filled in with this package's records."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from .outputs import MANIFEST

_OPEN = '**[to be filled in]**'

_TEMPLATE = """# Data protection impact assessment (draft)

No legal advice. It has the parts that Article 35(7) GDPR asks for. Numbers after **measured** were
written by the tool; {open} is for the controller. docs/claims.md says what the numbers bear.

## 1. What is done, and for what (Article 35(7)(a))

- Controller, contact, data protection officer: {open}
- Purpose, and the legal basis (Article 6; Article 9 where it applies): {open}
- Whose pictures, where and when they were taken, how these persons were told (Articles 13 and
  14): {open}
- What happens to the raw videos, who has access, when they are erased: {open}
- Who gets the outputs, where, for how long: {open}
- **measured** {files}
- **measured** {sound}
- **measured** {zones}

## 2. Necessity and proportionality (Article 35(7)(b))

- Why the purpose cannot be reached with less: fewer cameras, times or persons, lower resolution,
  counts in place of videos: {open}
- What the task loses by the anonymizer: {utility}

## 3. Risks (Article 35(7)(c))

For each: who is harmed, how likely, how severely.

- **Somebody is recognised by what an attacker's network finds.** **measured** {attack} An
  attacker can be stronger than those that were tried. Assessment: {open}
- **Somebody is recognised by gait, build or manner of movement**, which the anonymizer keeps for
  the action. Assessment: {open}
- **Context gives somebody away**: place, time, clothes, company, routine, or a second recording
  of the same scene. Assessment: {open}
- **The action itself is sensitive**, such as a fall, a fight or a prayer. Assessment: {open}
- **Outputs are linked** with each other or with other data. Assessment: {open}
- **The anonymizer fails on frames unlike those that it was measured on.** **measured** {left}
  {changes} Assessment: {open}
- **Raw videos leak**, before or beside the outputs. Assessment: {open}

## 4. Measures (Article 35(7)(d))

- Every frame is rewritten, except zones kept raw; none depends on whether a detector has found a
  face.
- Sound and metadata of the files: see 1.
- Weights, noise and raw videos are kept apart from the outputs: {open}
- Access, encryption, retention, training, incident response: {open}
- When this is looked at again (Article 35(11)), at the latest when stronger attackers are
  published: {open}
- Advice of the data protection officer (Article 35(2)), views of those concerned (Article 35(9)):
  {open}
- Whether the risk that is left is high, so that the authority is asked before (Article 36):
  {open}
"""


def draft_dpia(out: str | Path, report: str | Path | None = None, method: str = 'SPAct') -> str:
    """Fill a template from the manifest of a folder of outputs and the report of a protocol.

    Args:
        out (str | Path): A folder that ``spact-anonymize`` has written to.
        report (str | Path, optional): ``report.json`` of the protocol in which attackers were run
            on this anonymizer. Defaults to None: no such protocol.
        method (str): The anonymizer's name in the report. Defaults to ``'SPAct'``.

    Returns:
        str: Markdown.

    Raises:
        ValueError: If a file is of another kind, or the report has no such method.
        FileNotFoundError: If a file does not exist.
    """
    entries = _read_manifest(Path(out) / MANIFEST)
    attack, utility = _describe_report(report, method)
    return _TEMPLATE.format(
        open=_OPEN,
        files=_describe_files(entries),
        sound=_describe_sound(entries),
        zones=_describe_zones(entries),
        left=_describe_left(entries),
        changes=_describe_changes(entries),
        attack=attack,
        utility=utility,
    )


def _read_manifest(path: Path) -> list[dict]:
    """Return the last line of each output."""
    if not path.is_file():
        raise FileNotFoundError(f'There is no {path}: give a folder that spact-anonymize wrote to.')
    found = {}
    for line in path.read_text(errors='replace').splitlines():
        try:
            entry = json.loads(line)
            found[entry['output']] = entry
        except (ValueError, TypeError, KeyError):
            continue
    if not found:
        raise ValueError(f'{path} lists no output: anonymize something first.')
    return list(found.values())


def _describe_files(entries: list[dict]) -> str:
    frames = sum(entry.get('frames', 0) for entry in entries)
    settings = len({entry.get('settings') for entry in entries})
    return f'{len(entries)} outputs, {frames} frames, written with {settings} different settings.'


def _describe_sound(entries: list[dict]) -> str:
    states = Counter(entry.get('audio', 'none') for entry in entries)
    if states['kept']:
        return (
            f'**Sound was KEPT in {states["kept"]} outputs: voices identify persons.** It was '
            f'dropped in {states["dropped"]}.'
        )
    return f'Sound was dropped in {states["dropped"]} outputs and kept in none.'


def _describe_zones(entries: list[dict]) -> str:
    count = sum(bool(entry.get('raw_zones')) for entry in entries)
    if count:
        return f'**{count} outputs have zones that are RAW: whoever was in them is seen.**'
    return 'No output has a zone that was kept raw.'


def _describe_left(entries: list[dict]) -> str:
    measured = [e for e in entries if isinstance(e.get('left'), (int, float))]
    if not measured:
        return 'What is left of the input was measured on no output.'
    left, detail = (np.array([e[name] for e in measured]) for name in ('left', 'detail_left'))
    return (
        f'Of the brightness of the input a correlation of {left.mean():.2f} is left on average and '
        f'{left.max():.2f} at most, of detail {detail.mean():.2f} and {detail.max():.2f} (first '
        f'frames of {len(measured)} outputs; a low one is no protection).'
    )


def _describe_changes(entries: list[dict]) -> str:
    known = [e['changes'] for e in entries if isinstance(e.get('changes'), dict)]
    if not known:
        return 'Which frames changed how much was not logged (`--changes`).'
    unchanged = sum(changes['unchanged_frames'] for changes in known)
    least = min(changes['least_changed'] for changes in known)
    return (
        f'In the {len(known)} outputs with a log of changes {unchanged} frames came out unchanged; '
        f'of the frame that changed least {100 * least:.0f} % of the pixels did.'
    )


def _describe_report(path: str | Path | None, method: str) -> tuple[str, str]:
    if path is None:
        return (
            '**No attacker was tried on this anonymizer (no report given), so no protection is '
            'known.**',
            _OPEN,
        )
    try:
        report = json.loads(Path(path).read_text())
        summary = report['summary']
    except (ValueError, TypeError, KeyError):
        raise ValueError(f'{path} is no report.json of a protocol.') from None
    if method not in summary:
        raise ValueError(f'{path} has no method {method!r}: choose from {", ".join(summary)}.')
    row = summary[method]
    utility = _OPEN
    if 'top1' in row:
        utility = (
            f'**measured** Top-1 {100 * row["top1"]["mean"]:.1f} % ({row["top1"]["n"]} seeds, '
            f'protocol {report.get("protocol")}). For the task at hand: {_OPEN}'
        )
    strongest = row.get('strongest')
    if not isinstance(strongest, dict):
        return f'The report names no strongest attacker of {method}. {_OPEN}', utility
    removed = strongest['advantage_removed']
    score = next(k for k in strongest if k not in ('attackers', 'chance', 'best_on_test'))
    return (
        f'The strongest attacker ({", ".join(strongest["attackers"])}) reaches {score} '
        f'{100 * strongest[score]["mean"]:.1f} % behind {method}, where chance is '
        f'{100 * strongest["chance"]["mean"]:.1f} %: {100 * removed["mean"]:.1f} % of the '
        f'advantage on raw video is removed, {100 * removed["worst"]:.1f} % with the worst seed '
        f'({removed["n"]} seeds, protocol {report.get("protocol")}).',
        utility,
    )
