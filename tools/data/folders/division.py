"""The division of clips into training, validation and test, for actions and for attackers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clips import Clip, Clips, count_values

from spact_mm.datasets.group_split import PARTS, divide_groups, join_groups

#: Least number of groups of a label to be in all parts.
_NEEDED = len(PARTS)
_PLURALS = dict(person='persons', source='recordings', video='videos')


@dataclass(frozen=True)
class Privacy:
    """The labels that attackers are to find out, and the clips.

    Attributes:
        names (tuple[str, ...]): Persons or attributes, in the order of the labels.
        is_one (bool): Whether each clip has exactly one label.
        is_identity (bool): Whether the labels are persons.
        parts (dict[str, list[Clip]]): The clips of each of
            :data:`~spact_mm.datasets.group_split.PARTS`.
    """

    names: tuple[str, ...]
    is_one: bool
    is_identity: bool
    parts: dict[str, list[Clip]]

    def labels(self, clip: Clip) -> list[str]:
        """Return the labels of a clip."""
        if not self.is_one:
            return list(clip.present)
        return [clip.fields['person' if self.is_identity else 'attribute']]


@dataclass(frozen=True)
class Division:
    """The lists of a division.

    Attributes:
        parts (dict[str, list[Clip]]): Clips of each part for actions; no person and no recording is
            in two parts.
        anonymizer (list[Clip]): Clips for training the anonymizer, without test clips.
        privacy (Privacy, optional): Labels for attackers; None if there are none.
        notes (list[str]): Notes for the reader, in sentences.
    """

    parts: dict[str, list[Clip]]
    anonymizer: list[Clip]
    privacy: Privacy | None
    notes: list[str] = field(default_factory=list)


def divide(
    clips: Clips, copies: Sequence[Sequence[Clip]], fractions: Mapping[str, float], seed: int
) -> Division:
    """Divide clips for actions and for attackers.

    Attacks on attributes use the parts of the actions, so their test persons are in no training.
    For attacks on identities each person is in all parts, with different recordings; the test clips
    are not shown to the anonymizer.

    Args:
        clips (Clips): Readable clips.
        copies (Sequence[Sequence[Clip]]): Groups of identical videos.
        fractions (Mapping[str, float]): The share of each part.
        seed (int): Seed of the division.

    Raises:
        ValueError: If there are too few clips, persons or recordings.
    """
    fields = [name for name in ('person', 'source') if name in clips.fields]
    parts, notes = _divide_actions(clips, copies, fields, fractions, seed)
    if not fields:
        notes.append(
            'nothing tells persons or recordings, so each video counts by itself: clips cut from '
            'one recording may be in training and test. Name them by --layout or --labels.'
        )
    elif (clips.attributes or 'attribute' in clips.fields) and 'person' not in fields:
        notes.append(
            'nothing tells persons, so one may be in training and test, and what looks like an '
            'attribute may be the person. Name them by --layout or --labels.'
        )
    privacy = None
    if clips.attributes:
        privacy = Privacy(clips.attributes, False, False, parts)
    elif 'attribute' in clips.fields:
        names = tuple(count_values(clips.clips, 'attribute'))
        privacy = Privacy(names, True, False, parts)
    elif 'person' in fields:
        privacy, told = _divide_persons(clips.clips, copies, fields, fractions, seed)
        notes += told
    anonymizer = parts['train']
    if privacy is not None and privacy.is_identity:
        tested = {clip.path for clip in privacy.parts['test']}
        anonymizer = [clip for clip in anonymizer if clip.path not in tested]
    if not anonymizer:
        raise ValueError(
            'No video is left for the anonymizer, as all of the training persons are in the test '
            'of their identity; add videos of these persons.'
        )
    return Division(parts, anonymizer, privacy, notes)


def _divide_actions(
    clips: Clips,
    copies: Sequence[Sequence[Clip]],
    fields: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
) -> tuple[dict[str, list[Clip]], list[str]]:
    groups = _join(clips.clips, copies, fields)
    what = _PLURALS[fields[0] if fields else 'video']
    if 'person' in fields:
        persons = count_values(clips.clips, 'person')
        if len(persons) == 1:
            raise ValueError(
                f'All videos are of one person, {next(iter(persons))!r}, but training, validation '
                'and test share nobody: add videos of two others at least, or leave the person out '
                'of --layout and the table.'
            )
    if len(groups) < _NEEDED:
        shared = ' or '.join(_PLURALS[name] for name in fields)
        joined = f' that share no {shared}' if fields else ''
        raise ValueError(
            f'There are {len(groups)} groups of videos{joined}, but training, validation and test '
            f'need one each: add videos of other {what}.'
        )
    labels = [
        Counter(label for clip in group for label in _labels(clip, clips)) for group in groups
    ]
    drawn = divide_groups(labels, fractions, seed)
    parts = _collect(groups, drawn)
    _check_privacy(clips, labels, drawn, what)
    notes = []
    for action in count_values(clips.clips, 'class'):
        absent = [p for p in PARTS if action not in {clip.action for clip in parts[p]}]
        if absent:
            owners = sum(f'class {action}' in group for group in labels)
            notes.append(
                f'no {" or ".join(absent)} video shows {action!r}, which {owners} {what} do; '
                f'{_NEEDED} at least are needed.'
            )
    empty = next((part for part in PARTS if not parts[part]), None)
    if empty is not None:
        raise ValueError(
            f'No video is left for {empty}, as each class is shown by fewer than {_NEEDED} {what}; '
            'add some.'
        )
    return parts, notes


def _labels(clip: Clip, clips: Clips) -> list[str]:
    """Return the labels of a clip that should be in every part."""
    found = [f'class {clip.action}']
    if 'attribute' in clip.fields:
        found.append(f'value {clip.fields["attribute"]}')
    return found + [f'{name in clip.present} {name}' for name in clips.attributes]


def _check_privacy(
    clips: Clips, labels: Sequence[Counter], drawn: Sequence[str], what: str
) -> None:
    """Refuse a division in which attackers cannot be trained, chosen or tested."""
    wanted = [(f'{has} {name}', name, has) for name in clips.attributes for has in (True, False)]
    if 'attribute' in clips.fields:
        values = count_values(clips.clips, 'attribute')
        if len(values) < 2:
            raise ValueError(
                f'All videos have the attribute {next(iter(values))!r}, so nobody can learn to '
                'tell; add videos with another, or leave it out of --layout.'
            )
        wanted += [(f'value {value}', value, True) for value in values]
    for label, name, has in wanted:
        owners = [part for part, group in zip(drawn, labels, strict=True) if label in group]
        if set(owners) != set(PARTS):
            raise ValueError(
                f'{len(owners)} {what} have videos with{"" if has else "out"} {name!r}, and no '
                f'division was found with one in each of {", ".join(PARTS)}; add some, {_NEEDED} '
                'at least, or leave the attribute out.'
            )


def _divide_persons(
    clips: Sequence[Clip],
    copies: Sequence[Sequence[Clip]],
    fields: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
) -> tuple[Privacy | None, list[str]]:
    """Divide the recordings of each person, so that each person is in all parts."""
    groups = _join(clips, copies, [name for name in fields if name != 'person'])
    what = _PLURALS['source' if 'source' in fields else 'video']
    owned = Counter(person for group in groups for person in {c.fields['person'] for c in group})
    known = {person for person, count in owned.items() if count >= _NEEDED}
    labels = [
        Counter(clip.fields['person'] for clip in group if clip.fields['person'] in known)
        for group in groups
    ]
    used = [(group, counts) for group, counts in zip(groups, labels, strict=True) if counts]
    drawn = divide_groups([counts for _, counts in used], fractions, seed) if used else []
    seen: dict[str, set[str]] = {}
    for (_, counts), part in zip(used, drawn, strict=True):
        for person in counts:
            seen.setdefault(person, set()).add(part)
    names = tuple(sorted(person for person in seen if len(seen[person]) == len(PARTS)))
    left_out = sorted(set(owned) - set(names))
    notes = []
    if left_out:
        notes.append(
            f'attackers are not asked for {", ".join(map(repr, left_out))}, of whom there are not '
            f'{_NEEDED} {what} that can be divided.'
        )
    if len(names) < 2:
        notes.append(
            f'nobody is attacked, as that needs 2 persons with {_NEEDED} {what} each: the protocol '
            'measures actions alone.'
        )
        return None, notes
    kept = [[clip for clip in group if clip.fields['person'] in names] for group, _ in used]
    parts = _collect(kept, drawn)
    return Privacy(names, True, True, parts), notes


def _join(
    clips: Sequence[Clip], copies: Sequence[Sequence[Clip]], fields: Sequence[str]
) -> list[list[Clip]]:
    """Group clips that share a field's value or are copies."""
    keys = {clip.path: [(name, clip.fields[name]) for name in fields] for clip in clips}
    for number, same in enumerate(copies):
        for clip in same:
            keys[clip.path].append(('copies', number))
    groups = join_groups([keys[clip.path] for clip in clips])
    return [[clips[index] for index in group] for group in groups]


def _collect(groups: Iterable[Sequence[Clip]], drawn: Sequence[str]) -> dict[str, list[Clip]]:
    """Return the clips of the groups of each part, sorted by path."""
    parts: dict[str, list[Clip]] = {part: [] for part in PARTS}
    for group, part in zip(groups, drawn, strict=True):
        parts[part] += group
    return {part: sorted(clips, key=lambda clip: clip.path) for part, clips in parts.items()}
