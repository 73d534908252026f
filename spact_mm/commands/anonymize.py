"""Anonymize videos and images: files, patterns and folders."""

import argparse
import os
import sys

from ..apis import (
    BACKENDS,
    MAX_PIXELS,
    METHODS,
    describe_left_out,
    find_jobs,
    find_left_out,
    lock_outputs,
    print_any_name,
    refuse_in_one_sentence,
)
from ..apis.video_file import CODECS
from ..arguments import add_anonymizer_arguments, positive, quality
from ..packaged import read_card
from ..startup import postpone_components
from .anonymize_edits import add_edit_arguments, check_edits
from .anonymize_files import anonymize_all, build_inferencer
from .anonymize_live import add_live_arguments, anonymize_live, check_live
from .slurm_options import add_slurm_options, find_slurm_options

EPILOG = """
Videos become MP4 (H.264) of the same frames, rate and size, images PNG. Metadata such as place,
time and device is not copied, and sound is dropped, as a voice is private. What is done is noted in
OUT/manifest.jsonl, and the same command goes on after a crash or Ctrl-C. Nothing is replaced but
what this tool has written there itself, and one run uses OUT at a time. With torchrun, each process
takes its share of the files; with --executor slurm, each of N jobs. Exit codes: 0 if all is done, 1
if a file could not be, 2 for a wrong command line, 130 if interrupted. No protection is claimed
that no fresh attacker has measured: see docs/evaluation.md.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('inputs', nargs='*', metavar='INPUT', help='a file, pattern or folder')
    parser.add_argument('--out', help='folder of the outputs')
    add_anonymizer_arguments(parser, METHODS)
    parser.add_argument(
        '--force',
        action='store_true',
        help='warn instead of refusing where too much of the input is left in the output',
    )
    parser.add_argument(
        '--size', type=positive, help='resize the shorter side to this before; default: native'
    )
    parser.add_argument('--side-by-side', action='store_true', help='show the source to the left')
    parser.add_argument('--images', action='store_true', help='write frames as PNG files')
    parser.add_argument('--keep-audio', action='store_true', help='copy the sound, voices and all')
    parser.add_argument(
        '--batch-size', type=positive, help='frames that pass the network at a time'
    )
    parser.add_argument(
        '--max-pixels',
        type=positive,
        default=MAX_PIXELS,
        help='refuse pictures and frames of more, before they are decoded (default: %(default)s)',
    )
    parser.add_argument(
        '--device', help='such as cuda:1 or cpu; default: for a network a GPU if there is one'
    )
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        help='what computes a trained network; default: for --model onnxruntime if it is '
        'installed, else torch',
    )
    parser.add_argument(
        '--quality',
        type=quality,
        help='of the video: 0 (lossless) to 51; default: 18 (H.265: 20) for files, 23 for --live',
    )
    parser.add_argument(
        '--codec', choices=CODECS, help='of video files; H.265 is smaller, slower and less played'
    )
    add_edit_arguments(parser)
    add_shard_arguments(parser)
    add_live_arguments(parser)
    args = parser.parse_args()
    check_edits(parser, args)
    check_shards(parser, args)
    if args.live:
        check_live(parser, args)
    elif not (args.inputs and args.out):
        parser.error('give files and --out, or --live IN OUT')
    elif args.stats or args.give_up:
        parser.error('--stats and --give-up are for --live: leave them out')
    elif args.images and (args.quality is not None or args.codec):
        parser.error('--quality and --codec have no effect on --images: leave them out')
    card = read_card(args.checkpoint) if args.checkpoint else None
    if card and not args.size:
        args.size = card['size']
        # Not on standard output, which may be the stream.
        print(
            f'The shorter side becomes {args.size} pixels, at which {card["name"]} was attacked.',
            file=sys.stderr,
        )
    return args


def add_shard_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what shares files over jobs of a cluster."""
    parser.add_argument(
        '--executor',
        choices=('local', 'slurm'),
        default='local',
        help='where files are anonymized: here, or by jobs of Slurm, with one file system for all '
        "nodes (pip install 'spact_mm[slurm]'); default: local",
    )
    group = add_slurm_options(
        parser, 'a job', 'is queued again and begins its file anew, so more than a file takes'
    )
    group.add_argument('--shards', type=positive, metavar='N', help='jobs that share the files')


def check_shards(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    try:
        find_slurm_options(args)
    except ValueError as error:
        parser.error(str(error))
    if args.executor == 'local':
        if args.shards:
            parser.error('--shards has no effect without --executor slurm')
    elif args.live:
        parser.error('--executor has no effect on --live IN OUT: leave it out')
    elif not args.shards:
        parser.error('--executor slurm needs the number of jobs: give --shards N')
    elif args.device:
        parser.error('a job of Slurm takes the device that it gets: leave --device out')
    elif find_rank()[1] > 1:
        parser.error('--executor slurm shares the files itself: leave torchrun out')


def anonymize(args: argparse.Namespace) -> int:
    """Anonymize a stream, or this process's share of the files; return the exit code."""
    # A config may name any component, and jobs of a cluster are stages of a protocol.
    if not args.config and args.executor == 'local':
        postpone_components()
    if args.live:
        return anonymize_live(args, lambda: build_inferencer(args))
    rank, num_processes = find_rank()
    missing: list[str] = []
    jobs = find_jobs(args.inputs, args.out, args.images, missing)
    for line in missing if rank == 0 else []:
        print(f'Not done: {line}')
    left_out = find_left_out(args.inputs, args.out) if rank == 0 else []
    if left_out:
        print(describe_left_out(left_out))
    if args.executor == 'slurm':
        # Modules of protocols take seconds to import.
        from .anonymize_shards import anonymize_in_shards

        is_done = anonymize_in_shards(jobs, args)
    else:
        inferencer = build_inferencer(args)
        with lock_outputs(args.out):
            share = jobs[rank::num_processes]
            is_done = not anonymize_all(share, inferencer, args).failures
    return 0 if is_done and not missing else 1


def find_rank() -> tuple[int, int]:
    """Return which process of how many this is; they need not talk to each other."""
    return int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def main() -> int:
    """Do what the command line says; return the exit code."""
    print_any_name()
    with refuse_in_one_sentence():
        try:
            return anonymize(parse_args())
        except KeyboardInterrupt:
            print('Interrupted; the same command goes on from here.', file=sys.stderr)
            return 130
