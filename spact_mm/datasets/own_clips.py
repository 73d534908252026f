"""The user's own clips: their persons or attributes, and their division for attackers."""

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from .tables import check_columns, read_table_rows

#: Parts of a division: for training attackers, for selecting them and for measuring them.
PARTS = ('train', 'val', 'test')
#: Least number of files of a person, and of persons, for an attack on identities.
MIN_CLIPS, MIN_PERSONS = 3, 2
#: Fraction of each person's clips, or of the persons.
_TEST, _VAL = 0.3, 0.2
#: Number of divisions of persons that are tried to have all attributes in all parts.
_ATTEMPTS = 200
_FILE, _PERSON = 'file', 'person'

#: Names of the clips by part.
Division = dict[str, list[str]]


@dataclass(frozen=True)
class LabelledClips:
    """Clips and the labels that an attacker is to find out.

    Attributes:
        attributes (tuple[str, ...]): Persons, or attributes.
        labels (dict[str, tuple[str, ...]]): Attributes of each clip, by its path below the folder.
        groups (dict[str, list[str]]): Clips by person; one clip each if persons are unknown.
        is_identity (bool): Whether each clip has one of the attributes, the person.
        has_persons (bool): Whether the persons of the clips are known.
    """

    attributes: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    groups: dict[str, list[str]]
    is_identity: bool
    has_persons: bool

    def divide(self, seed: int) -> Division:
        """Divide the clips for a seed.

        For attacks on identities each person is in all parts, with different clips. For attacks on
        attributes each person is in one part only.

        Raises:
            ValueError: If there are too few persons or clips.
        """
        if self.is_identity:
            return divide_by_clip(self.groups, seed)
        return divide_by_person(self.groups, self.labels, self.attributes, seed)


def find_persons(names: Iterable[str], folder: str | os.PathLike) -> LabelledClips:
    """Take the first folder of each path as the person.

    Args:
        names (Iterable[str]): Paths of the clips below the folder.
        folder: Name of the folder in an error.

    Raises:
        ValueError: If a clip lies in no folder, or there are too few persons or clips of a person.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        person, *others = PurePath(name).parts
        if not others:
            raise ValueError(
                f'{name} lies in {folder} itself, but there is to be one folder a person; move it '
                'into one, or give a table with --labels.'
            )
        groups.setdefault(person, []).append(name)
    return _name_persons(groups, f'{folder} has', 'folders with clips', 'a folder each, ')


def read_table(
    path: str | os.PathLike, known: Iterable[str], left_out: Iterable[str] = ()
) -> LabelledClips:
    """Read a table of attributes, or of persons.

    The table is a CSV file in UTF-8 with a header and a line for each clip. It has a column
    ``file`` (the path below the folder), an optional column ``person``, and a column of 0 or 1 for
    each attribute. Without attributes the labels are the persons.

    Args:
        path: The table.
        known (Iterable[str]): Paths of the clips below the folder; clips that are not in the table
            are left out.
        left_out (Iterable[str]): Paths that the table may name, but that are left out, as they
            cannot be read.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the file is no table, names an unknown file, has another value, an attribute
            that all clips or none have, or too few persons or clips of a person.
    """
    head, rows = read_table_rows(path)
    attributes = tuple(name for name in head if name not in (_FILE, _PERSON))
    _check_head(head, attributes, path)
    known, left_out = set(known), set(left_out)
    labels: dict[str, tuple[str, ...]] = {}
    groups: dict[str, list[str]] = {}
    for where, cells in rows:
        name = PurePath(cells[_FILE]).as_posix()
        if name in labels or name not in known | left_out:
            reason = 'once more' if name in labels else 'which is no video or image of the folder'
            raise ValueError(
                f'{where} names {cells[_FILE]!r}, {reason}; correct it, paths being relative to '
                'the folder.'
            )
        wrong = next((key for key in attributes if cells[key] not in ('0', '1')), None)
        if wrong is not None:
            raise ValueError(f'{where} has {wrong} = {cells[wrong]!r} in place of 0 or 1.')
        if cells.get(_PERSON) == '':
            raise ValueError(f'{where} has no person; name one in each row, or drop the column.')
        if name in left_out:
            continue
        labels[name] = tuple(key for key in attributes if cells[key] == '1')
        groups.setdefault(cells.get(_PERSON, name), []).append(name)
    if not attributes:
        return _name_persons(groups, f'The table {path} has', 'persons')
    for key in attributes:
        count = sum(key in present for present in labels.values())
        if count in (0, len(labels)):
            raise ValueError(
                f'{"No" if not count else "Every"} clip of {path} that can be read has {key}, so '
                'nobody can learn to tell; add clips of the other kind, or drop the column.'
            )
    return LabelledClips(attributes, labels, groups, is_identity=False, has_persons=_PERSON in head)


def _name_persons(
    groups: dict[str, list[str]], whose: str, what: str, how: str = ''
) -> LabelledClips:
    """Return clips labelled by persons, if there are enough persons and clips."""
    needed = (
        f'an attack needs at least {MIN_PERSONS} persons, {how}with at least {MIN_CLIPS} clips '
        'each that can be read'
    )
    if len(groups) < MIN_PERSONS:
        raise ValueError(f'{whose} {len(groups)} {what}, but {needed}; add some.')
    few = {person: len(clips) for person, clips in groups.items() if len(clips) < MIN_CLIPS}
    if few:
        told = ', '.join(f'{person!r} ({count})' for person, count in few.items())
        raise ValueError(f'{whose} too few clips of {told}: {needed}; add some, or leave them out.')
    labels = {name: (person,) for person, clips in groups.items() for name in clips}
    return LabelledClips(tuple(groups), labels, groups, is_identity=True, has_persons=True)


def _check_head(head: list[str], attributes: Sequence[str], path: str | os.PathLike) -> None:
    if _FILE not in head or not (attributes or _PERSON in head):
        raise ValueError(
            f'The head of {path} is {", ".join(head) or "empty"}, but it needs a column "file" and '
            'at least one attribute, or "person" to have persons named.'
        )
    check_columns(head, path)


def divide_by_clip(groups: Mapping[str, Sequence[str]], seed: int) -> Division:
    """Divide the clips of each person, so that each person is in all parts.

    The order of a person's clips is drawn once, and each seed tests the next clips, so that the
    seeds together test as many clips as possible.

    Args:
        groups (Mapping): Clips by person, at least :data:`MIN_CLIPS` each.
        seed (int): 0 or more.
    """
    division: Division = {part: [] for part in PARTS}
    for person, clips in groups.items():
        order = sorted(clips)
        random.Random(person).shuffle(order)
        num_test, num_val = _counts(len(order))
        start = seed * num_test % len(order)
        order = order[start:] + order[:start]
        division['test'] += order[:num_test]
        division['val'] += order[num_test : num_test + num_val]
        division['train'] += order[num_test + num_val :]
    return {part: sorted(names) for part, names in division.items()}


def divide_by_person(
    groups: Mapping[str, Sequence[str]],
    labels: Mapping[str, Sequence[str]],
    attributes: Sequence[str],
    seed: int,
) -> Division:
    """Divide persons: each is in one part, and each part has clips with and without an attribute.

    From many divisions the function takes the one in which the rarest attribute, or absence of an
    attribute, is most frequent.

    Args:
        groups (Mapping): Clips by person.
        labels (Mapping): Attributes of each clip.
        attributes (Sequence[str]): All attributes.
        seed (int): 0 or more.

    Raises:
        ValueError: If no tried division has clips with and without each attribute in all parts.
    """
    best, best_count, rarest = {}, -1, ''
    for attempt in range(_ATTEMPTS if len(groups) >= len(PARTS) else 0):
        order = sorted(groups)
        random.Random(f'{seed} {attempt}').shuffle(order)
        num_test, num_val = _counts(len(order))
        persons = dict(
            train=order[num_test + num_val :],
            val=order[num_test : num_test + num_val],
            test=order[:num_test],
        )
        division = {
            part: sorted(clip for person in names for clip in groups[person])
            for part, names in persons.items()
        }
        count, attribute = min(
            (_count_rarer(names, labels, attribute), attribute)
            for names in division.values()
            for attribute in attributes
        )
        if count > best_count:
            best, best_count, rarest = division, count, attribute
    if best_count < 1:
        what = repr(rarest) if rarest else 'each attribute'
        raise ValueError(
            f'{len(groups)} persons (or files, where the table has no persons) cannot be divided '
            f'such that some with and some without {what} are in all of {", ".join(PARTS)}; add '
            'clips: at least 3 persons with and 3 without.'
        )
    return best


def _count_rarer(names: Sequence[str], labels: Mapping[str, Sequence[str]], attribute: str) -> int:
    """Return the number of clips with or without an attribute, whichever is smaller."""
    count = sum(attribute in labels[name] for name in names)
    return min(count, len(names) - count)


def _counts(total: int) -> tuple[int, int]:
    """Return the numbers of test and validation items for a total."""
    return max(1, round(_TEST * total)), max(1, round(_VAL * total))
