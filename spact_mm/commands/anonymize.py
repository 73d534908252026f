"""Anonymize videos and images: files, patterns and folders."""

import argparse
import os
import sys
import time

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..apis import (
    BACKENDS,
    MAX_PIXELS,
    METHODS,
    AnonymizeInferencer,
    Job,
    Manifest,
    anonymize_job,
    describe_failure,
    describe_left_out,
    find_jobs,
    find_left_out,
    lock_outputs,
    print_any_name,
    refuse_in_one_sentence,
    remove_leftovers,
)
from ..apis.changes import ChangeLog
from ..apis.video_file import CODECS
from ..arguments import add_anonymizer_arguments, positive, quality
from ..packaged import find_config, read_card
from .anonymize_edits import add_edit_arguments, check_edits, find_edits
from .anonymize_live import add_live_arguments, anonymize_live, check_live

EPILOG = """
Videos become MP4 (H.264) of the same frames, rate and size, images PNG. Metadata such as place,
time and device is not copied, and sound is dropped, as a voice is private. What is done is noted in
OUT/manifest.jsonl, and the same command goes on after a crash or Ctrl-C. Nothing is replaced but
what this tool has written there itself, and one run uses OUT at a time. With torchrun, each process
takes its share of the files. Exit codes: 0 if all is done, 1 if a file could not be, 2 for
a wrong command line, 130 if interrupted. No protection is claimed that no fresh attacker has
measured: see docs/evaluation.md.
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
    parser.add_argument('--device', help='such as cuda:1 or cpu; default: a GPU if there is one')
    parser.add_argument(
        '--backend', choices=BACKENDS, default='torch', help='what computes a trained network'
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
    add_live_arguments(parser)
    args = parser.parse_args()
    check_edits(parser, args)
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


class Display:
    """Bars for the files and for the frames of one; a line for each file without a terminal."""

    def __init__(self, total: int) -> None:
        self.console = Console(soft_wrap=True)
        self.bars = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            TextColumn('{task.completed}/{task.total}'),
            TextColumn('{task.fields[rate]}'),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.files = self.bars.add_task('files', total=total, rate='')
        self.frames = None

    def start(self, job: Job) -> None:
        """Show a file."""
        self.end()
        self.began = time.monotonic()
        self.frames = self.bars.add_task(job.source.name, total=None, rate='')

    def update(self, done: int, expected: int) -> None:
        """Show how far it is."""
        rate = done / max(1e-9, time.monotonic() - self.began)
        self.bars.update(
            self.frames, completed=done, total=expected or None, rate=f'{rate:.1f} frames/s'
        )

    def end(self) -> None:
        """Take its bar away."""
        if self.frames is not None:
            self.bars.remove_task(self.frames)
        self.frames = None

    def advance(self, line: str) -> None:
        """Count a file, and say what became of it."""
        self.end()
        self.bars.advance(self.files)
        self.console.print(line, markup=False, highlight=False)


def anonymize(args: argparse.Namespace) -> int:
    """Anonymize a stream, or this process's share of the files; return the exit code."""
    if args.live:
        return anonymize_live(args, lambda: build_inferencer(args))
    rank, num_processes = find_rank()
    missing: list[str] = []
    jobs = find_jobs(args.inputs, args.out, args.images, missing)[rank::num_processes]
    for line in missing if rank == 0 else []:
        print(f'Not done: {line}')
    left_out = find_left_out(args.inputs, args.out) if rank == 0 else []
    if left_out:
        print(describe_left_out(left_out))
    inferencer = build_inferencer(args)
    with lock_outputs(args.out):
        return max(anonymize_all(jobs, inferencer, args), 1 if missing else 0)


def build_inferencer(args: argparse.Namespace) -> AnonymizeInferencer:
    """Return what anonymizes, by the command line."""
    # What an anonymizer of one's own draws is not the same in each run.
    torch.seed()
    return AnonymizeInferencer(
        find_config(args.config) if args.config else None,
        args.checkpoint,
        find_device(args.device),
        args.method,
        args.batch_size,
        force=args.force,
        backend=args.backend,
    )


def anonymize_all(jobs: list[Job], inferencer: AnonymizeInferencer, args) -> int:
    """Anonymize files into a folder that no other run uses; return the exit code."""
    options = dict(
        size=args.size,
        side_by_side=args.side_by_side,
        images=args.images,
        keep_audio=args.keep_audio,
        # Left out where they are not given: what was done without them stays done.
        **({} if args.quality is None else dict(crf=args.quality)),
        **({} if args.codec is None else dict(codec=args.codec)),
        **find_edits(args),
    )
    remove_leftovers(job.output for job in jobs)
    # What was done without a log of changes is done again for it.
    settings = {**inferencer.settings, **options, **(dict(changes=True) if args.changes else {})}
    manifest = Manifest(args.out, settings)
    if manifest.num_broken:
        print(
            f'{manifest.num_broken} lines of {manifest.path} cannot be read and are left out: what '
            'they tell of is done again.'
        )
    todo = [job for job in jobs if not manifest.is_done(job)]
    if len(todo) < len(jobs):
        print(f'{len(jobs) - len(todo)} of {len(jobs)} files are done already.')
    failures, results, began = [], [], time.monotonic()
    display = Display(len(todo))
    with display.bars:
        for job in todo:
            display.start(job)
            check = inferencer.check(str(job.source))
            try:
                result = anonymize_job(
                    job,
                    manifest,
                    check,
                    on_frames=display.update,
                    max_pixels=args.max_pixels,
                    **options,
                    **(dict(changes=ChangeLog()) if args.changes else {}),
                )
            # Whatever happens belongs to this file: a lack of memory, or what a library finds.
            except Exception as error:
                failures.append(job)
                display.advance(f'Not done: {describe_failure(error, job.source, job.output)}')
                continue
            results.append(result)
            display.advance(f'{describe(job, result)} {check}')
    seconds, frames = time.monotonic() - began, sum(result.frames for result in results)
    print(
        f'{len(results)} files, {frames} frames in {seconds:.0f} s '
        f'({frames / max(seconds, 1e-9):.1f} frames/s); {len(failures)} could not be done.'
    )
    return 1 if failures else 0


def describe(job: Job, result) -> str:
    """Return what became of a file in a line."""
    line = (
        f'{job.source} -> {result.output}: {result.frames} frames, {result.width}x{result.height}'
    )
    if result.audio == 'dropped':
        line += ', sound dropped'
    elif result.audio == 'kept':
        line += ', sound KEPT: voices are in it'
    if result.raw_zones:
        line += f', {len(result.raw_zones)} zones KEPT RAW: whoever is in them is seen'
    if result.changes and result.changes['unchanged_frames']:
        line += f', {result.changes["unchanged_frames"]} frames are UNCHANGED'
    return f'{line}. {result.warning}'.rstrip()


def find_rank() -> tuple[int, int]:
    """Return which process of how many this is; they need not talk to each other."""
    return int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def find_device(device: str | None) -> str | None:
    """Give each process of torchrun a GPU of its own."""
    if device is None and torch.cuda.is_available() and 'LOCAL_RANK' in os.environ:
        return f'cuda:{int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()}'
    return device


def main() -> int:
    """Do what the command line says; return the exit code."""
    print_any_name()
    with refuse_in_one_sentence():
        try:
            return anonymize(parse_args())
        except KeyboardInterrupt:
            print('Interrupted; the same command goes on from here.', file=sys.stderr)
            return 130
