"""Lists for choosing an attacker: the training lists of attributes, divided by person.

The lists are made from the training lists and ``persons.json`` alone, so data rendered before these
lists existed need not be rendered again.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from spact_mm.datasets.annotation_files import read_attribute_file, write_attribute_file

#: One of this number of persons goes to the validation list.
ONE_IN = 8
#: Endings of the names of the divided training lists and of the resulting lists.
_DIVIDED = {'images': 'attributes.json', 'videos': 'video_attributes.json'}


def attacker_list_names() -> list[str]:
    """Return the names of all attackers' lists."""
    return [name for kind in _DIVIDED for name in _names(kind)]


def validation_persons(persons: Iterable[int]) -> set[int]:
    """Choose the persons whose samples an attacker is validated on.

    One of each eight persons is taken: the first of the first eight, the second of the second
    eight, and so on. As the actions take turns too, every action is included from 28 persons on.
    Attributes are drawn person by person, so any choice independent of them is fair.

    Args:
        persons: The numbers of all training persons; repetitions do not matter.

    Returns:
        set[int]: One in :data:`ONE_IN` persons, at least one; empty for a single person, as neither
        list may be without persons.
    """
    numbers = sorted(set(persons))
    if len(numbers) < 2:
        return set()
    return {n for rank, n in enumerate(numbers) if rank % ONE_IN == rank // ONE_IN % ONE_IN}


def write_attacker_lists(out: Path) -> list[str]:
    """Write the attackers' lists that are absent or do not match the training lists.

    With a single training person no list is written, and lists of other data are removed.

    Args:
        out: Folder of the data set with its training lists and persons.

    Returns:
        list[str]: The names of the files that were written.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a training list or ``persons.json`` is damaged.
    """
    persons = json.loads((out / 'persons.json').read_text(encoding='utf-8'))
    changed = []
    for kind, ending in _DIVIDED.items():
        person_of = persons[kind]['train']
        held_out = validation_persons(person_of.values())
        content = read_attribute_file(out / f'train_{ending}')
        for name, is_val in zip(_names(kind), (False, True), strict=True):
            part = [
                (entry['img_path'], entry['attributes'])
                for entry in content['data_list']
                if (person_of[entry['img_path']] in held_out) == is_val
            ]
            if not held_out:
                (out / name).unlink(missing_ok=True)
            elif _write_if_other(out / name, content['metainfo'], part):
                changed.append(name)
    return changed


def _write_if_other(path: Path, metainfo: dict, part: list[tuple[str, list[str]]]) -> bool:
    """Write a list; return whether the file was absent or had other content."""
    entries = [dict(img_path=sample, attributes=present) for sample, present in part]
    try:
        if json.loads(path.read_bytes()) == dict(metainfo=metainfo, data_list=entries):
            return False
    except (FileNotFoundError, ValueError, RecursionError):
        pass
    write_attribute_file(path, metainfo['attributes'], part, metainfo['dataset'])
    return True


def _names(kind: str) -> tuple[str, str]:
    return f'attacker_train_{_DIVIDED[kind]}', f'attacker_val_{_DIVIDED[kind]}'
