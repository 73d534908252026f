"""Anonymize files one by one, and say what becomes of each."""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..apis import (
    AnonymizeInferencer,
    Job,
    Manifest,
    anonymize_job,
    describe_failure,
    remove_leftovers,
)
from ..apis.changes import ChangeLog
from ..packaged import find_config
from .anonymize_edits import find_edits


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


@dataclass
class Outcome:
    """Failures and warnings of some files.

    Attributes:
        failures (dict[str, str]): Of files that could not be done, by their outputs: why.
        warnings (list[str]): What is to be told of others.
    """

    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def build_inferencer(args: argparse.Namespace, device: str | None = None) -> AnonymizeInferencer:
    """Return what anonymizes, by the command line."""
    inferencer = AnonymizeInferencer(
        find_config(args.config) if args.config else None,
        args.checkpoint,
        device or find_device(args),
        args.method,
        args.batch_size,
        force=args.force,
        backend=args.backend,
    )
    if inferencer.model is not None:
        import torch  # is imported by now, but not for an obfuscation

        # Random numbers of an anonymizer of one's own differ from run to run.
        torch.seed()
    return inferencer


def find_options(args: argparse.Namespace) -> dict:
    """Return the arguments of ``anonymize_file`` that change what comes out."""
    return dict(
        size=args.size,
        side_by_side=args.side_by_side,
        images=args.images,
        keep_audio=args.keep_audio,
        # Left out where they are not given: what was done without them stays done.
        **({} if args.quality is None else dict(crf=args.quality)),
        **({} if args.codec is None else dict(codec=args.codec)),
        **find_edits(args),
    )


def find_settings(args: argparse.Namespace, inferencer: AnonymizeInferencer) -> dict:
    """Return all that says whether a file that is done is done as the command line wants it."""
    # A file that was done without a log of changes is done again for it.
    changes = dict(changes=True) if args.changes else {}
    return {**inferencer.settings, **find_options(args), **changes}


def open_manifest(out: str | Path, settings: dict, shard: Path | None = None) -> Manifest:
    """Return the manifest of the outputs; tell what of it is damaged."""
    manifest = Manifest(out, settings, shard)
    if manifest.num_broken:
        print(
            f'{manifest.num_broken} lines of {manifest.path} cannot be read and are left out: what '
            'they tell of is done again.'
        )
    return manifest


def find_todo(jobs: Sequence[Job], manifest: Manifest) -> list[Job]:
    """Return the files that are not done, and tell how many are."""
    todo = [job for job in jobs if not manifest.is_done(job)]
    if len(todo) < len(jobs):
        print(f'{len(jobs) - len(todo)} of {len(jobs)} files are done already.')
    return todo


def anonymize_all(
    jobs: Sequence[Job],
    inferencer: AnonymizeInferencer,
    args: argparse.Namespace,
    shard: Path | None = None,
) -> Outcome:
    """Anonymize files into a folder that no other run uses.

    Args:
        jobs (Sequence[Job]): The files.
        inferencer (AnonymizeInferencer): Anonymizes them.
        args (argparse.Namespace): The command line.
        shard (Path, optional): As for :class:`Manifest`.
    """
    remove_leftovers((job.output for job in jobs), is_alone=shard is not None)
    manifest = open_manifest(args.out, find_settings(args, inferencer), shard)
    todo = find_todo(jobs, manifest)
    options = find_options(args)
    outcome, frames, began = Outcome(), 0, time.monotonic()
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
            # Any error belongs to this file: a lack of memory, or one of a library.
            except Exception as error:
                failure = f'Not done: {describe_failure(error, job.source, job.output)}'
                outcome.failures[str(job.output)] = failure
                display.advance(failure)
                continue
            frames += result.frames
            line = f'{describe(job, result)} {check}'
            if result.warning or check.warning or is_unchanged(result):
                outcome.warnings.append(line)
            display.advance(line)
    num_done = len(todo) - len(outcome.failures)
    print(summarize(num_done, frames, time.monotonic() - began, len(outcome.failures)))
    return outcome


def summarize(files: int, frames: int, seconds: float, failed: int) -> str:
    """Return the last line of a run."""
    return (
        f'{files} files, {frames} frames in {seconds:.0f} s '
        f'({frames / max(seconds, 1e-9):.1f} frames/s); {failed} could not be done.'
    )


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
    if is_unchanged(result):
        line += f', {result.changes["unchanged_frames"]} frames are UNCHANGED'
    return f'{line}. {result.warning}'.rstrip()


def is_unchanged(result) -> bool:
    """Tell whether frames of a file are known to have come out as they went in."""
    return bool(result.changes and result.changes['unchanged_frames'])


def find_device(args: argparse.Namespace) -> str | None:
    """Give each process of torchrun a GPU of its own for a network."""
    if args.device is None and args.checkpoint and 'LOCAL_RANK' in os.environ:
        import torch

        if torch.cuda.is_available():
            return f'cuda:{int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()}'
    return args.device
