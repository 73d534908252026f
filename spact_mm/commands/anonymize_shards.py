"""Anonymize the files of an archive in jobs of Slurm, each with a share of them."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ..apis import Job, Manifest, lock_outputs, print_any_name
from ..apis.manifest import hash_settings
from ..apis.outputs import MANIFEST, SHARDS, find_shards
from ..protocols import run_stages
from ..protocols.slurm import SlurmExecutor
from ..protocols.slurm_cluster import SlurmCluster, SlurmOptions
from ..protocols.stage_files import read_json, write_json
from .anonymize_files import (
    Outcome,
    anonymize_all,
    build_inferencer,
    find_settings,
    find_todo,
    open_manifest,
    summarize,
)
from .slurm_options import find_slurm_options

#: Seconds between two looks at how many files are done.
_LOOK_SECONDS = 2.0
#: Lines that are shown of the log of a job that failed.
_LOG_LINES = 5


@dataclass(eq=False)
class Shard:
    """A share of the files, which an executor takes as it takes a stage of a protocol.

    Attributes:
        folder (Path): Of its own files: the share, the manifest, the log, the result.
        files (dict[str, str]): Sources by outputs, absolute paths.
        settings (str): Stands for the settings, as in a manifest.
        hash (str): Which share it is, of all that this folder ever held.
    """

    folder: Path
    files: dict[str, str]
    settings: str
    hash: str = field(default_factory=lambda: uuid4().hex[:12])
    #: As of a stage.
    needs: Sequence['Shard'] = ()
    is_trained: bool = False

    def __post_init__(self) -> None:
        self._size = self._num_done = 0

    @classmethod
    def load(cls, folder: Path) -> 'Shard':
        """Return what an earlier run has left in a folder."""
        content = read_json(folder / 'share.json')
        files, settings, name = (content.get(key) for key in ('files', 'settings', 'hash'))
        return cls(folder, files or {}, settings or '', name or '')

    @property
    def id(self) -> str:
        """Name for people and logs."""
        return f'shard {self.folder.name}'

    @property
    def log(self) -> Path:
        """File with the prints of its jobs."""
        return self.folder / 'log.txt'

    @property
    def jobs(self) -> list[Job]:
        """The files."""
        return [Job(Path(source), Path(output)) for output, source in self.files.items()]

    def prepare(self) -> None:
        """Write what its job reads."""
        content = dict(files=self.files, settings=self.settings, hash=self.hash)
        write_json(self.folder / 'share.json', content)

    def read_result(self) -> dict | None:
        """Return what its job has left; None if it has not come to its end."""
        result = read_json(self.folder / 'result.json')
        return result if result.get('hash') == self.hash else None

    def read_progress(self) -> float:
        """Return how many files are done."""
        try:
            with (self.folder / MANIFEST).open('rb') as file:
                file.seek(self._size)
                lines = file.read()
        except FileNotFoundError:
            return self._num_done
        self._size += len(lines)
        self._num_done += lines.count(b'\n')
        return self._num_done


def run_shard(args: argparse.Namespace, folder: Path) -> None:
    """Be the job of a shard.

    Args:
        args (argparse.Namespace): The command line.
        folder (Path): Of the shard.
    """
    print_any_name()
    shard = Shard.load(folder)
    outcome = anonymize_all(shard.jobs, build_inferencer(args), args, folder)
    write_json(folder / 'result.json', dict(asdict(outcome), hash=shard.hash))


class Display:
    """One bar over all files; without a terminal, a line for each job."""

    def __init__(self, total: int) -> None:
        self.console = Console(soft_wrap=True)
        self.bar = Progress(
            TextColumn('files'),
            BarColumn(),
            TextColumn('{task.completed}/{task.total}, {task.fields[jobs]} jobs'),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task('files', total=total, jobs=0)
        self.shards: dict[Shard, None] = {}
        self._next_look = 0.0

    def tell(self, sentence: str) -> None:
        """Say something about the jobs."""
        self.console.print(sentence, markup=False, highlight=False)

    def __call__(self, event: str, shard: Shard | None, running: Sequence[Shard]) -> None:
        """Show what :func:`run_stages` tells."""
        if event == 'start':
            self.shards[shard] = None
        elif event in ('done', 'failed'):
            what = 'is done' if event == 'done' else 'has FAILED'
            num_done = int(shard.read_progress())
            self.tell(f'{shard.id} {what}: {num_done} of {len(shard.files)} files.')
        if event != 'tick' or time.monotonic() >= self._next_look:
            num_done = sum(shard.read_progress() for shard in self.shards)
            self.bar.update(self.task, completed=int(num_done), jobs=len(running))
            self._next_look = time.monotonic() + _LOOK_SECONDS


def anonymize_in_shards(jobs: Sequence[Job], args: argparse.Namespace) -> bool:
    """Anonymize files in jobs of Slurm and wait for them; tell whether all are done.

    Jobs that an earlier run has left behind are waited for first.

    Args:
        jobs (Sequence[Job]): The files.
        args (argparse.Namespace): The command line.

    Raises:
        RuntimeError: If another run uses the folder, or there is no Slurm.
        ValueError: If an option has a wrong value.
    """
    # A signal to this process ends its jobs too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    out = Path(args.out).absolute()
    args = argparse.Namespace(**{**vars(args), 'out': str(out)})
    jobs = [Job(job.source.absolute(), job.output.absolute()) for job in jobs]
    # Only to be asked for its settings, and to be refused here, not in each job.
    inferencer = build_inferencer(args, 'cpu')
    cluster = make_cluster(args)
    with lock_outputs(out, has_jobs=True):
        settings = find_settings(args, inferencer)
        earlier = finish_earlier(args, cluster, hash_settings(settings))
        manifest = open_manifest(out, settings)
        todo = [job for job in jobs if str(job.output) not in earlier.failures]
        todo, began = find_todo(todo, manifest), time.monotonic()
        folders = [out / SHARDS / str(number + 1) for number in range(min(args.shards, len(todo)))]
        shards = [
            Shard(
                folder,
                {str(job.output): str(job.source) for job in todo[place :: len(folders)]},
                manifest.settings,
            )
            for place, folder in enumerate(folders)
        ]
        outcome = run_shards(args, cluster, shards)
        manifest = Manifest(out, settings)
        found = [manifest.find(job) for job in todo]
    undone = [job for job, entry in zip(todo, found, strict=True) if entry is None]
    for line in (*earlier.warnings, *outcome.warnings):
        print(line)
    failures = {**earlier.failures, **outcome.failures}
    lost = {str(job.output): f'Not done: {job.source}: its job ended before' for job in undone}
    failures = {**lost, **failures}
    for line in failures.values():
        print(line)
    frames = sum(entry['frames'] for entry in found if entry)
    seconds = time.monotonic() - began
    print(summarize(len(todo) - len(undone), frames, seconds, len(failures)))
    return not failures


def make_cluster(args: argparse.Namespace) -> SlurmCluster:
    """Return where the jobs go.

    Raises:
        RuntimeError: If there is no Slurm, or submitit is not installed.
        ValueError: If an option has a wrong value.
    """
    options = SlurmOptions(**find_slurm_options(args), jobs=args.shards)
    return SlurmCluster(Path(args.out) / SHARDS / 'slurm', options)


def run_shards(args: argparse.Namespace, cluster: SlurmCluster, shards: Sequence[Shard]) -> Outcome:
    """Run jobs, or wait for those that run already, and return what they tell."""
    display = Display(sum(len(shard.files) for shard in shards))
    executor = SlurmExecutor(cluster, args.shards, display.tell, partial(run_shard, args))
    with display.bar:
        run_stages(shards, None, display, executor)
    outcome = Outcome()
    for shard in shards:
        result = shard.read_result()
        if result is None:
            log = shard.log.read_text(errors='replace') if shard.log.exists() else ''
            last = '\n'.join(log.strip().splitlines()[-_LOG_LINES:])
            print(f'{shard.id} has FAILED; the end of its log:\n{last}', file=sys.stderr)
            continue
        outcome.failures |= result['failures']
        outcome.warnings += result['warnings']
    return outcome


def finish_earlier(args: argparse.Namespace, cluster: SlurmCluster, settings: str) -> Outcome:
    """Wait for the jobs of a run that was killed; cancel those with other settings."""
    left = [Shard.load(folder) for folder in find_shards(args.out)]
    left = [shard for shard in left if any(shard.folder.glob('*job.json'))]
    other = [shard for shard in left if shard.settings != settings]
    for shard in other:
        shard.hash = ''  # as none is noted, so that its job is not taken over
    if other:
        print('Jobs of an earlier run with other options are cancelled.')
        SlurmExecutor(cluster, args.shards).adopt(other)
    same = [shard for shard in left if shard not in other]
    return run_shards(args, cluster, same) if same else Outcome()
