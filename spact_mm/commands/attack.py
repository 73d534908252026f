"""Attack your own clips: what do fresh attackers find before and after anonymizing?

Example:
    python tools/attack.py clips/ --checkpoint work_dirs/spact_r3d_demo/epoch_18.pth
    python tools/attack.py clips/ --labels attributes.csv --method blur --quick
"""

import argparse
import signal
import sys
from pathlib import Path

from mmengine.config import Config

from ..apis import (
    IMAGES,
    METHODS,
    AnonymizeInferencer,
    describe_left_out,
    find_anonymizer,
    find_left_out,
    find_sources,
    print_any_name,
    refuse_in_one_sentence,
)
from ..arguments import add_anonymizer_arguments
from ..datasets.own_clips import LabelledClips, find_persons, read_table
from ..datasets.small_clips import SmallClips
from ..files import lock_folder
from ..packaged import MIM, find_config
from ..protocols.own_clips import (
    describe_clips,
    describe_limits,
    plan_attack,
    tell_findings,
)
from ..protocols.stage_process import LocalExecutor, count_cores
from .protocol import run

CONFIGS = MIM / 'configs' / 'eval'
EPILOG = """
DIR has one folder a person with videos and images in it, 3 at least and better 10 or more, or any
videos and images with --labels: a CSV file with the columns "file" (the path below DIR), "person"
(may be absent) and an attribute each, 0 or 1. Several networks learn to name the person, or to read
the attributes, from a part of the clips as they are, and again from the same clips behind the
anonymizer; what they find in clips they have not seen is told. The same command goes on after
Ctrl-C. Small raw copies of the clips lie in the work dir while it runs; what stays there (weights
of attackers, names, after a failure anonymized frames) is personal data: delete it when you are
done. Exit codes: 0 if all is done, 1 if a stage failed or nothing could be run, 2 for a wrong
command line, 130 if interrupted. See docs/evaluation.md for what the numbers do not tell.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=EPILOG)
    parser.add_argument('folder', metavar='DIR', type=Path, help='one folder a person in it')
    add_anonymizer_arguments(parser, METHODS)
    parser.add_argument('--labels', metavar='CSV', help='a table of attributes; default: persons')
    parser.add_argument(
        '--work-dir',
        help='defaults to work_dirs/attack/<name of DIR>, with _quick after --quick',
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=natural,
        default=[0, 1, 2],
        help='each trains anew, with another division of the clips (default: 0 1 2)',
    )
    parser.add_argument(
        '--quick', action='store_true', help='one seed and a shorter training: for a first look'
    )
    parser.add_argument(
        '--size',
        type=size,
        default=64,
        help='side of the frames that are anonymized and attacked, as of tools/anonymize.py '
        '--size (default: %(default)s)',
    )
    parser.add_argument('--jobs', type=int, help='trainings at a time; see tools/protocol.py')
    args = parser.parse_args()
    if not args.folder.is_dir():
        parser.error(f'{args.folder} is no folder')
    for name in ('checkpoint', 'labels'):
        path = getattr(args, name)
        if path is not None and not Path(path).is_file():
            parser.error(f'--{name} {path}: there is no such file')
    if args.config:
        try:
            args.config = find_config(args.config)
        except FileNotFoundError as error:
            parser.error(f'--config: {error}')
    if args.method and args.config:
        parser.error('--config has no effect with --method')
    if args.quick:
        args.seeds = args.seeds[:1]
    args.seeds = list(dict.fromkeys(args.seeds))
    name = f'{args.folder.resolve().name or "clips"}{"_quick" if args.quick else ""}'
    args.work_dir = Path(args.work_dir or Path('work_dirs', 'attack', name))
    return args


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{value} is below 0')
    return value


def size(text: str) -> int:
    """Return a side of frames that suits the attackers' networks."""
    value = int(text)
    if not 32 <= value <= 512:
        raise argparse.ArgumentTypeError(f'{value} is not in [32, 512]')
    return value


def find_method(args: argparse.Namespace) -> tuple[dict, list[str]]:
    """Return the anonymizer as a method of a protocol, and the modules that register it."""
    if args.method:
        return dict(name=args.method, anonymizer=METHODS[args.method](args.size)), []
    # Weights that do not fit are refused before the clips are read; an anonymizer that hides
    # nothing may be attacked.
    AnonymizeInferencer(args.config, args.checkpoint, 'cpu', force=True)
    method = dict(name='anonymized', checkpoint=args.checkpoint)
    if not args.config:
        return method, []
    config = Config.fromfile(args.config)
    anonymizer = find_anonymizer(config)
    if anonymizer is None:
        sys.exit(f'{args.config} names no anonymizer, as model.anonymizer; give another --config.')
    # The weights come from the checkpoint.
    method['anonymizer'] = {k: v for k, v in anonymizer.to_dict().items() if k != 'init_cfg'}
    imports = (config.get('custom_imports') or {}).get('imports') or []
    return method, [imports] if isinstance(imports, str) else list(imports)


def find_clips(args: argparse.Namespace, small: SmallClips) -> LabelledClips:
    """Return the clips that can be read, and their labels; name the others."""

    def label(unreadable: dict[str, str]) -> LabelledClips:
        readable = [name for name in small.copies if name not in unreadable]
        if args.labels:
            return read_table(args.labels, readable, unreadable)
        return find_persons(readable, args.folder)

    label({})  # errors in names and labels are raised before anything is decoded
    unreadable = small.find_unreadable()
    for name, reason in unreadable.items():
        print(f'Left out: {name}: {reason}')
    if unreadable:
        print(f'{len(unreadable)} of {len(small.copies)} files cannot be read and are left out.')
    clips = label(unreadable)
    if args.labels and len(clips.labels) + len(unreadable) < len(small.copies):
        others = len(small.copies) - len(unreadable) - len(clips.labels)
        print(f'{others} files are left out, as the table does not name them.')
    return clips


def attack(args: argparse.Namespace) -> int:
    """Attack the clips before and after the anonymizer; return the exit code."""
    method, imports = find_method(args)
    found = find_sources([str(args.folder)], args.work_dir)
    left_out = find_left_out([str(args.folder)], args.work_dir)
    if args.labels:
        left_out = [path for path in left_out if path.resolve() != Path(args.labels).resolve()]
    if left_out:
        print(describe_left_out(left_out))
    sources = {below.as_posix(): path for path, below in found.items()}
    executor = LocalExecutor(args.jobs)
    executor.start_server()
    small = SmallClips(
        args.work_dir / 'raw_clips', sources, args.size, IMAGES, min(count_cores(), 4)
    )
    try:
        clips = find_clips(args, small)
        for line in [
            describe_clips(clips, clips.divide(args.seeds[0])),
            *describe_limits(clips, clips.divide(args.seeds[0])),
        ]:
            print(line, flush=True)
        protocol = plan_attack(
            args.work_dir,
            clips,
            small.copies,
            small.folder,
            method,
            args.seeds,
            CONFIGS,
            args.size,
            f'What attackers find in {args.folder.resolve().name}',
            imports,
            args.quick,
        )
        if any(stage.read_result() is None for stage in protocol.stages):
            small.write()
        code = run(protocol, executor)
    finally:
        small.remove()
    print('\n'.join(tell_findings(protocol, clips, method['name'])))
    return code


def start(args: argparse.Namespace) -> int:
    """Attack under a lock on the folder, report an interruption; return the exit code."""
    refusal = f'Another process attacks clips in {args.work_dir}; wait or give another --work-dir.'
    # A signal raises an exception, so that the copies are removed.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        with lock_folder(args.work_dir, refusal, name='.attack.lock'):
            return attack(args)
    except KeyboardInterrupt:
        print('Interrupted; the same command goes on from here.', file=sys.stderr)
        return 130


def main() -> int:
    """Run the command; return the exit code."""
    print_any_name()
    with refuse_in_one_sentence():
        return start(parse_args())
