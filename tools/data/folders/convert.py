"""Make lists and configs of your own videos: classes, and persons or attributes, by folders or CSV.

Example:
    python tools/data/folders/convert.py --videos data/mine/videos --out data/mine
    python tools/data/folders/convert.py --videos clips --out data/clips --layout '{class}/{person}'
"""

import argparse
import csv
import io
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clips import Clip, Clips, count_values, find_copies, read_clips
from division import Division, divide
from mmengine.config import Config
from recipes import Settings, write_protocol, write_training

from spact_mm.apis.sources import VIDEOS
from spact_mm.datasets.annotation_files import write_attribute_file, write_names, write_video_list
from spact_mm.datasets.conversion import ConversionReport, list_files, make_parser, run_converter
from spact_mm.datasets.group_split import PARTS
from spact_mm.datasets.integrity import check_video, find_broken
from spact_mm.datasets.own_clips import read_table
from spact_mm.files import write_whole

REPORT, ATTACK = 'folders_report.json', 'attack.csv'
EPILOG = """
--layout says what folders and names mean, by {class}, {person}, {source} (the recording that a clip
is cut from) and {attribute} (one of several, such as female and male); * is anything. Examples:
{class}, {class}/{person}, {person}/{class}, {class}/{source}_*. --labels is a CSV file with the
column "file" (the path below --videos), the same four as columns if you like, and each other
column an attribute, 0 or 1; it takes the place of --layout, or adds to it. Nobody and no recording
is in two of train, val and test. See docs/your_data.md. Exit codes: 0 if all is well, 1 if files
are missing or cannot be read (they are named, and the lists are without them), 2 if there is no
list.
"""


def convert(args: argparse.Namespace) -> int:
    """Check the videos and write lists and configs; return 0 if no file is amiss, else 1.

    Raises:
        FileNotFoundError: If the folder is absent or holds no video, or the table is absent.
        ValueError: If names, labels or options are wrong, or there are too few videos.
    """
    root, out = args.videos, args.out
    fractions = _fractions(args)
    if not root.is_dir():
        raise FileNotFoundError(f'The video folder {root} does not exist; pass yours by --videos.')
    for name, path in (('videos', root), ('out', out)):
        if '{' in str(path):
            raise ValueError(
                f'--{name} is {path}, but configs take braces for placeholders; rename it.'
            )
    on_disk = list_files(root, VIDEOS)
    if not on_disk:
        raise FileNotFoundError(
            f'{root} holds no video; pass the folder of the class folders by --videos. Videos are '
            f'told by their endings: {" ".join(sorted(VIDEOS))}.'
        )
    clips = read_clips(root, on_disk, args.layout, args.labels)
    classes = list(count_values(clips.clips, 'class'))
    if len(classes) < 2:
        raise ValueError(
            f'All videos are of one class, {classes[0]!r}, so there is nothing to recognize; add a '
            'class, or correct --layout.'
        )
    report = ConversionReport('own videos', args.check, missing=list(clips.missing))
    paths = [clip.path for clip in clips.clips]
    report.unlisted = sorted(set(on_disk) - set(paths))
    report.broken = find_broken(root, paths, check_video, args.check, args.workers)
    usable = _leave_out(clips, report.broken)
    report.add_count('videos', len(paths), len(paths), len(usable.clips))
    copies = find_copies(root, usable.clips)
    division = divide(usable, copies, fractions, args.seed)
    if copies:
        division.notes.append(
            f'{sum(map(len, copies))} videos are copies of others, which stay on one side: '
            f'{copies[0][0].path} and {copies[0][1].path}'
            f'{", for example" if len(copies) > 1 else ""}.'
        )

    delimiter = '\t' if any(' ' in path for path in paths) else ' '
    settings = Settings(out, root, len(classes), delimiter, args.quick)
    _write_lists(settings, division, classes, usable, report)
    table = _write_attack_table(out / ATTACK, usable, division)
    title = f'{settings.name}: action recognition'
    if division.privacy:
        title += f' against {"identity" if division.privacy.is_identity else "attribute leakage"}'
    data = f'own videos ({len(usable.clips)}, {len(classes)} classes)'
    train, protocol = out / f'spact_{settings.name}.py', out / f'protocol_{settings.name}.py'
    write_whole(train, write_training(settings, division))
    write_whole(protocol, write_protocol(settings, division, title, data))

    fault = 'files are missing or cannot be read'
    code = report.finish(out / REPORT, args.allow_missing, fault)
    for note in division.notes:
        print(f'  note: {note}')
    epochs = sum(stage.epochs for stage in Config.fromfile(train).custom_hooks[0].schedule)
    print(_describe_commands(root, train, protocol, table, epochs))
    return code


def _fractions(args: argparse.Namespace) -> dict[str, float]:
    for part in ('val', 'test'):
        if not 0 < getattr(args, part) < 0.5:
            raise ValueError(f'--{part} is {getattr(args, part)}; give a fraction in (0, 0.5).')
    return dict(train=1 - args.val - args.test, val=args.val, test=args.test)


def _leave_out(clips: Clips, broken: Mapping[str, str]) -> Clips:
    """Return the readable clips, at least one of each class."""
    usable = [clip for clip in clips.clips if clip.path not in broken]
    lost = sorted({clip.action for clip in clips.clips} - {clip.action for clip in usable})
    if lost:
        first = next(clip.path for clip in clips.clips if clip.action == lost[0])
        count = count_values(clips.clips, 'class')[lost[0]]
        raise ValueError(
            f'None of the {count} videos of the class {lost[0]!r} can be read, for example {first} '
            f'({broken[first]}); replace them or remove the class.'
        )
    return Clips(usable, clips.fields, clips.attributes, clips.missing)


def _write_lists(
    settings: Settings,
    division: Division,
    classes: Sequence[str],
    clips: Clips,
    report: ConversionReport,
) -> None:
    out = settings.out
    _forget_attack(out)
    write_names(out / 'classes.txt', classes)
    for name, part in {**division.parts, 'anonymizer': division.anonymizer}.items():
        entries = [(clip.path, classes.index(clip.action)) for clip in part]
        written = write_video_list(out / f'{name}.txt', entries, settings.delimiter)
        report.add_count(f'{name}.txt', written, written, written)
    privacy = division.privacy
    for name, part in privacy.parts.items() if privacy else ():
        path = out / f'privacy_{name}.json'
        entries = [(clip.path, privacy.labels(clip)) for clip in part]
        actions = {clip.path: clip.action for clip in part}
        written = write_attribute_file(path, privacy.names, entries, 'own videos', actions)
        report.add_count(path.name, written, written, written)
    if privacy:
        write_names(out / 'labels.txt', privacy.names)
    part_of = {clip.path: name for name, part in division.parts.items() for clip in part}
    attacks = privacy.parts if privacy else {}
    attack_of = {clip.path: name for name, part in attacks.items() for clip in part}
    _write_table(
        out / 'clips.csv',
        ['file', *clips.fields, *clips.attributes, 'part', 'attack_part'],
        [
            [
                clip.path,
                *(clip.fields[name] for name in clips.fields),
                *(int(name in clip.present) for name in clips.attributes),
                part_of[clip.path],
                attack_of.get(clip.path, ''),
            ]
            for clip in clips.clips
        ],
    )


def _forget_attack(out: Path) -> None:
    """Remove an earlier conversion's files for attackers, as this conversion may write none."""
    if (out / REPORT).is_file():
        for name in (*(f'privacy_{part}.json' for part in PARTS), 'labels.txt', ATTACK):
            (out / name).unlink(missing_ok=True)


def _write_attack_table(path: Path, clips: Clips, division: Division) -> Path | None:
    """Write the table for ``tools/attack.py``, if that tool can use it.

    The table is of persons whom the anonymizer has not seen, or of all persons if these are too
    few.
    """
    privacy = division.privacy
    if privacy is None:
        return None
    names = () if privacy.is_identity else privacy.names
    persons = ('person',) if 'person' in clips.fields else ()
    unseen = [clip for part in ('val', 'test') for clip in division.parts[part]]
    for candidates in (unseen, clips.clips):
        if privacy.is_identity:
            candidates = _drop_rare(candidates)
        rows = [
            [
                clip.path,
                *(clip.fields[name] for name in persons),
                *(int(name in privacy.labels(clip)) for name in names),
            ]
            for clip in sorted(candidates, key=lambda clip: clip.path)
        ]
        _write_table(path, ['file', *persons, *names], rows)
        try:
            read_table(path, [row[0] for row in rows]).divide(0)
        except ValueError:
            continue
        if candidates is not unseen and len(rows) > len(unseen):
            division.notes.append(
                f'{path} has videos that the anonymizer is trained on, as the others are too few '
                'for tools/attack.py.'
            )
        return path
    path.unlink()
    division.notes.append('there are too few videos for tools/attack.py.')
    return None


def _drop_rare(clips: Sequence[Clip]) -> list[Clip]:
    counts = count_values(clips, 'person')
    return [clip for clip in clips if counts[clip.fields['person']] >= len(PARTS)]


def _describe_commands(
    root: Path, train: Path, protocol: Path, table: Path | None, epochs: int
) -> str:
    def line(*words: str | Path) -> str:
        return '  ' + shlex.join(['python', *map(str, words)])

    checkpoint = Path('work_dirs', train.stem, f'epoch_{epochs}.pth')
    lines = ['Next:', line('tools/train.py', train), line('tools/protocol.py', protocol)]
    if table is not None:
        words = ['tools/attack.py', root, '--labels', table, '--checkpoint', checkpoint]
        lines.append(line(*words))
    return '\n'.join(lines)


def _write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence]) -> None:
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(head)
    writer.writerows(rows)
    write_whole(path, text.getvalue())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = make_parser(
        __doc__.splitlines()[0],
        EPILOG,
        videos=('data/folders/videos', 'the folder of the videos'),
        out=('data/folders', 'where lists and configs go'),
    )
    parser.add_argument(
        '--layout', help='what folders and names mean (default: {class}; see below)'
    )
    parser.add_argument('--labels', metavar='CSV', help='a table, in place of or beside --layout')
    for part, default in (('val', 0.15), ('test', 0.25)):
        parser.add_argument(
            f'--{part}',
            type=float,
            default=default,
            metavar='FRACTION',
            help=f'of the videos, for {part} (default: %(default)s)',
        )
    parser.add_argument(
        '--seed', type=int, default=0, help='another one divides otherwise (default: %(default)s)'
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='configs of one epoch a stage, that show in minutes whether everything runs, and '
        'nothing else',
    )
    return run_converter(convert, parser, argv)


if __name__ == '__main__':
    sys.exit(main())
