"""Write lists of the Weizmann actions, with held-out persons and actions, and check the videos."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from spact_mm.datasets.annotation_files import write_attribute_file, write_names, write_video_list
from spact_mm.datasets.conversion import ConversionReport, list_files, make_parser, run_converter
from spact_mm.datasets.integrity import check_video, find_broken

PAGE = 'http://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html'
PERSONS = ('daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar')
# `skip` comes last, so that the others have the same labels in copies of the set without it.
ACTIONS = ('bend', 'jack', 'jump', 'pjump', 'run', 'side', 'walk', 'wave1', 'wave2', 'skip')
# One clip for each person; lena's are recorded twice (`lena_run1.avi`, `lena_run2.avi`).
NUM_CLIPS = {action: 10 if action in ('run', 'walk', 'skip') else 9 for action in ACTIONS}
# Held-out persons (for actions) and held-out actions (for identities) of each fold.
FOLDS = (
    (('daria', 'eli', 'lyova'), ('run', 'walk', 'jack')),
    (('ira', 'denis', 'moshe'), ('bend', 'side', 'wave1')),
    (('lena', 'ido', 'shahar'), ('jump', 'pjump', 'wave2', 'skip')),
)


class Clip(NamedTuple):
    """A video: its path relative to the video folder, its person and its action."""

    path: str
    person: str
    action: str


def parse_clip(path: str) -> Clip | None:
    """Read person and action from a file name, ``<person>_<action>.avi``.

    Args:
        path: The file, relative to the video folder; its folders are ignored.

    Returns:
        Clip | None: None for a file that is not of the set.
    """
    person, _, action = PurePosixPath(path).stem.lower().partition('_')
    if action not in ACTIONS and action[-1:] in ('1', '2'):
        action = action[:-1]
    return Clip(path, person, action) if person in PERSONS and action in ACTIONS else None


def split_fold(clips: Iterable[Clip], fold: int) -> dict[str, list[Clip]]:
    """Divide the clips by the held-out persons and actions of a fold.

    Args:
        clips: The clips of the set.
        fold: Index into :data:`FOLDS`.

    Returns:
        dict[str, list[Clip]]: ``action_test`` are the clips of the held-out persons and
        ``action_train`` the rest; ``identity_test`` are the clips of the held-out actions and
        ``identity_train`` the rest; ``anonymizer`` are the clips in neither test list. Linking is
        trained and tested on the clips of the action lists.
    """
    persons, actions = FOLDS[fold]
    names = ('action_train', 'action_test', 'identity_train', 'identity_test', 'anonymizer')
    lists = {name: [] for name in names}
    for clip in clips:
        is_person, is_action = clip.person in persons, clip.action in actions
        lists['action_test' if is_person else 'action_train'].append(clip)
        lists['identity_test' if is_action else 'identity_train'].append(clip)
        if not (is_person or is_action):
            lists['anonymizer'].append(clip)
    return lists


def split_attack(identity_train: Sequence[Clip], fold: int) -> dict[str, list[Clip]]:
    """Divide a fold's identity training list into an attacker's training and validation.

    The test has known persons in unseen actions, so the validation also has an unseen action. It is
    a single action: nine or ten clips are few, but the attacker needs the others. The folds take
    different actions, so together they have three clips of each person.

    Args:
        identity_train: The list of :func:`split_fold`.
        fold: Index into :data:`FOLDS`.

    Returns:
        dict[str, list[Clip]]: ``attacker_val`` are the clips of one action: the first action held
        out by the next fold for which the fewest persons lack a clip; ``attacker_train`` are the
        rest.
    """
    candidates = FOLDS[(fold + 1) % len(FOLDS)][1]
    people = {
        action: {clip.person for clip in identity_train if clip.action == action}
        for action in candidates
    }
    held_out = max(candidates, key=lambda action: len(people[action]))
    return dict(
        attacker_train=[clip for clip in identity_train if clip.action != held_out],
        attacker_val=[clip for clip in identity_train if clip.action == held_out],
    )


def convert(args: argparse.Namespace) -> int:
    """Check the data set and write the lists; return 0 if no clip is missing or broken, else 1.

    Raises:
        FileNotFoundError: If the video folder is absent or holds no clip of the set.
        ValueError: If a list would be empty.
    """
    root, out = args.videos, args.out
    if not root.is_dir():
        raise FileNotFoundError(
            f'The video folder {root} does not exist; download the zip files of the actions from '
            f'{PAGE}, unpack them and pass their folder by --videos.'
        )
    report = ConversionReport('Weizmann actions', args.check)
    on_disk = list_files(root, ['.avi'])
    # Indexed by stem, as a clip may lie both in the folder of its zip file and beside it.
    found = {
        PurePosixPath(clip.path).stem.lower(): clip for clip in map(parse_clip, on_disk) if clip
    }
    if not found:
        raise FileNotFoundError(
            f'{root} holds no clip named <person>_<action>.avi; download the zip files of the '
            f'actions from {PAGE}, unpack them and pass their folder by --videos.'
        )
    have = {clip.action for clip in found.values()}
    classes = [action for action in ACTIONS if action in (args.actions or have)]
    clips = sorted((c for c in found.values() if c.action in classes), key=lambda c: c.path)
    report.unlisted = sorted(set(on_disk) - {clip.path for clip in clips})
    pairs = {(clip.person, clip.action) for clip in clips}
    report.missing = [
        f'{person}_{action}.avi'
        for action in classes
        for person in PERSONS
        if (person, action) not in pairs
    ]
    paths = [clip.path for clip in clips]
    report.broken = find_broken(root, paths, check_video, args.check, args.workers)
    usable = [clip for clip in clips if clip.path not in report.broken]
    num_published = sum(NUM_CLIPS[action] for action in classes)
    report.add_count('clips', len(clips), num_published, len(usable))
    folds = [split_fold(usable, fold) for fold in range(len(FOLDS))]
    _check_lists(folds, classes)
    # No list is empty, as each fold holds out an existing action.
    for fold, lists in enumerate(folds):
        lists.update(split_attack(lists['identity_train'], fold))

    write_names(out / 'classes.txt', classes)
    write_names(out / 'persons.txt', PERSONS)
    for fold, lists in enumerate(folds):
        _write_fold(out, f'fold{fold}', lists, classes, report)
    absent = [action for action in ACTIONS if action not in classes]
    if absent:
        print(f'  note: without {", ".join(absent)}; classes.txt holds {len(classes)} actions')
    return report.finish(out / 'weizmann_report.json', args.allow_missing)


def _check_lists(folds: Sequence[dict[str, list[Clip]]], classes: Sequence[str]) -> None:
    for fold, lists in enumerate(folds):
        empty = [name for name, clips in lists.items() if not clips]
        if empty:
            persons, actions = FOLDS[fold]
            raise ValueError(
                f'No clip is left for {empty[0]} of fold {fold}, which holds out the persons '
                f'{", ".join(persons)} and the actions {", ".join(actions)}, while the actions '
                f'are {", ".join(classes)}; take more by --actions or download them from {PAGE}.'
            )


def _write_fold(
    out: Path,
    fold: str,
    lists: dict[str, list[Clip]],
    classes: Sequence[str],
    report: ConversionReport,
) -> None:
    """Write the ten files of one fold and count them."""
    for name, key in (
        ('action_train.txt', 'action_train'),
        ('action_test.txt', 'action_test'),
        ('anonymizer_train.txt', 'anonymizer'),
        ('identity_train.json', 'identity_train'),
        ('identity_test.json', 'identity_test'),
        ('attacker_train.json', 'attacker_train'),
        ('attacker_val.json', 'attacker_val'),
        ('anonymizer_identity.json', 'anonymizer'),
        ('link_train.json', 'action_train'),
        ('link_test.json', 'action_test'),
    ):
        path, clips = out / fold / name, lists[key]
        if path.suffix == '.txt':
            write_video_list(path, [(clip.path, classes.index(clip.action)) for clip in clips])
        else:
            persons = [(clip.path, [clip.person]) for clip in clips]
            actions = {clip.path: clip.action for clip in clips}
            write_attribute_file(path, PERSONS, persons, dataset='Weizmann', actions=actions)
        report.add_count(f'{fold}/{name}', len(clips), len(clips), len(clips))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__,
        videos=('data/weizmann/videos', 'the folder of the clips, with or without subfolders'),
        out=('data/weizmann', 'where the lists go'),
    )
    parser.add_argument(
        '--actions',
        nargs='+',
        choices=ACTIONS,
        help='the actions to take, at least one of each fold (default: all that are found)',
    )
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
