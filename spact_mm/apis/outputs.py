"""Which files go in, what comes out under which name, and what of it is done."""

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

IMAGES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
VIDEOS = {
    '.3gp', '.asf', '.avi', '.flv', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg',
    '.mts', '.ogv', '.ts', '.vob', '.webm', '.wmv',
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A file to anonymize.

    Attributes:
        source (Path): What goes in.
        output (Path): What comes out: ``.mp4`` of a video, ``.png`` of an image.
    """

    source: Path
    output: Path

    @property
    def is_image(self) -> bool:
        """Whether it is one picture."""
        return self.source.suffix.lower() in IMAGES


def find_jobs(inputs: Iterable[str], out: str | Path, frames_as_images: bool = False) -> list[Job]:
    """Return what is to be done for files, glob patterns and folders.

    Args:
        inputs (Iterable[str]): As for :func:`find_sources`.
        out (str | Path): Folder of the outputs, in which folders keep their layout.
        frames_as_images (bool): Whether a video becomes a folder of images. Defaults to False.

    Returns:
        list[Job]: Each file once, sorted. Where outputs would share a name, they keep the ending
        of their source in it.

    Raises:
        FileNotFoundError: If an input matches nothing.
        ValueError: If an output would overwrite an input.
    """
    out = Path(out)
    sources = find_sources(inputs, out)
    names = [_output_name(relative, frames_as_images) for relative in sources.values()]
    shared = {name for name, count in Counter(names).items() if count > 1}
    jobs = [
        Job(source, out / (_with_ending(relative, name) if name in shared else name))
        for (source, relative), name in zip(sources.items(), names, strict=True)
    ]
    _check(jobs)
    return jobs


def find_sources(inputs: Iterable[str], out: Path | None = None) -> dict[Path, Path]:
    """Return the videos and images that are meant, with their paths below the folder given.

    Folders are searched to the bottom for names that end like a video or an image; a file that is
    named itself is taken whatever it is called.

    Args:
        inputs (Iterable[str]): Paths and patterns.
        out (Path, optional): A folder to leave out, as outputs may lie within inputs. Defaults to
            None.

    Returns:
        dict[Path, Path]: Each once, sorted.

    Raises:
        FileNotFoundError: If an input matches nothing.
    """
    sources: dict[Path, Path] = {}
    for text in inputs:
        found = list(_expand(text, out and out.resolve()))
        if not found:
            raise FileNotFoundError(
                f'{text} is no file, and no folder or pattern with a video or image in it.'
            )
        for source, relative in found:
            sources.setdefault(source, relative)
    return dict(sorted(sources.items()))


def _expand(text: str, out: Path | None) -> Iterable[tuple[Path, Path]]:
    """Yield the files that an input means, with their paths below it."""
    path = Path(text)
    if path.is_dir():
        if path.resolve() == out:
            raise ValueError(f'{text} is the folder of the outputs: give another --out.')
        # Outputs of an earlier run may lie within, while inputs may lie beside them.
        left_out = out if out and path.resolve() in out.parents else None
        for file in path.rglob('*'):
            is_media = file.suffix.lower() in IMAGES | VIDEOS and not file.name.startswith('.')
            if is_media and file.is_file() and left_out not in file.resolve().parents:
                yield file, file.relative_to(path)
    elif path.is_file():
        yield path, Path(path.name)
    else:
        for match in sorted(glob.glob(text, recursive=True)):
            yield from _expand(match, out) if match != text else []


def _output_name(relative: Path, frames_as_images: bool) -> Path:
    if relative.suffix.lower() in IMAGES:
        return relative.with_suffix('.png')
    return relative.with_suffix('') if frames_as_images else relative.with_suffix('.mp4')


def _with_ending(relative: Path, name: Path) -> Path:
    return relative.with_name(relative.name + name.suffix)


def _check(jobs: list[Job]) -> None:
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        if job.output.resolve() in sources:
            raise ValueError(
                f'{job.output} is an input, and would be overwritten: give another --out folder.'
            )
    repeated = [name for name, count in Counter(job.output for job in jobs).items() if count > 1]
    if repeated:
        raise ValueError(
            f'Several inputs would be written to {repeated[0]}: anonymize them into folders of '
            'their own.'
        )


class Manifest:
    """What a folder of outputs already has: a line of JSON for each finished file.

    Processes that work on a folder together append to one file. A line that a crash cut off is
    skipped.

    Args:
        out (str | Path): The folder of the outputs.
        settings (dict): All that decides what comes out, such as the weights' hash and the size:
            what was done with others is done again.
    """

    def __init__(self, out: str | Path, settings: dict) -> None:
        self.out = Path(out)
        self.path = self.out / 'manifest.jsonl'
        text = json.dumps(settings, sort_keys=True, default=str)
        self.settings = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._entries = self._read()

    def _read(self) -> dict[str, dict]:
        entries = {}
        if self.path.exists():
            for line in self.path.read_text(encoding='utf-8').splitlines():
                try:
                    entry = json.loads(line)
                    entries[entry['output']] = entry
                except (ValueError, KeyError, TypeError):
                    continue
        return entries

    def is_done(self, job: Job) -> bool:
        """Return whether the output is there, of this source as it is now and these settings."""
        entry = self._entries.get(self._key(job))
        return (
            entry is not None
            and job.output.exists()
            and self._identify(job).items() <= entry.items()
        )

    def add(self, job: Job, **facts) -> None:
        """Note that a file is done.

        Args:
            job (Job): Which.
            **facts: What to note of it beside, plain values.
        """
        entry = {**self._identify(job), **facts}
        self._entries[self._key(job)] = entry
        # One write of one line: those of other processes do not get between.
        line = f'{json.dumps(entry, sort_keys=True)}\n'.encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _key(self, job: Job) -> str:
        return job.output.relative_to(self.out).as_posix()

    def _identify(self, job: Job) -> dict:
        state = job.source.stat()
        return dict(
            output=self._key(job),
            # Not the path: a manifest travels with the outputs, and may tell of persons.
            source_size=state.st_size,
            source_time=state.st_mtime_ns,
            settings=self.settings,
        )
