"""Names of outputs, and checks that no output overwrites an input."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .sources import IMAGES, find_sources

#: Names in the folder of the outputs that are no outputs.
MANIFEST = 'manifest.jsonl'
LOCK = '.lock'
SHARDS = '.shards'
_NOTES = re.compile(r'manifest\.jsonl|\.lock(\.\d+)?|\.manifest\.jsonl\..*|\.shards')


@dataclass(frozen=True)
class Job:
    """A file to anonymize.

    Attributes:
        source (Path): The input file.
        output (Path): The output: ``.mp4`` for a video, ``.png`` for an image.
    """

    source: Path
    output: Path

    @property
    def is_image(self) -> bool:
        """Whether the source is an image."""
        return self.source.suffix.lower() in IMAGES


def find_jobs(
    inputs: Iterable[str],
    out: str | Path,
    frames_as_images: bool = False,
    missing: list[str] | None = None,
) -> list[Job]:
    """Return the jobs for files, glob patterns and folders.

    Args:
        inputs (Iterable[str]): As for :func:`~spact_mm.apis.find_sources`.
        out (str | Path): Folder of the outputs; the layout of input folders is kept in it.
        frames_as_images (bool): Whether a video becomes a folder of images. Defaults to False.
        missing (list[str], optional): As for :func:`~spact_mm.apis.find_sources`.

    Returns:
        list[Job]: One job for each file, sorted. If two outputs would have the same name, their
        names keep the endings of the sources.

    Raises:
        FileNotFoundError: As for :func:`~spact_mm.apis.find_sources`.
        ValueError: If an output is, holds or hides an input, another output or the manifest.
    """
    out = Path(out)
    sources = find_sources(inputs, out, missing)
    names = [_output_name(relative, frames_as_images) for relative in sources.values()]
    shared = {name for name, count in Counter(names).items() if count > 1}
    jobs = [
        Job(source, out / (_with_ending(relative, name) if name in shared else name))
        for (source, relative), name in zip(sources.items(), names, strict=True)
    ]
    _check(jobs, out)
    return jobs


def find_shards(out: str | Path) -> list[Path]:
    """Return the folders in which jobs of a cluster note what they have done for ``out``."""
    folders = [path for path in Path(out, SHARDS).glob('[0-9]*') if path.name.isdigit()]
    return sorted(folders, key=lambda path: int(path.name))


def _output_name(relative: Path, frames_as_images: bool) -> Path:
    if relative.suffix.lower() in IMAGES:
        return relative.with_suffix('.png')
    return relative.with_suffix('') if frames_as_images else relative.with_suffix('.mp4')


def _with_ending(relative: Path, name: Path) -> Path:
    return relative.with_name(relative.name + name.suffix)


def _check(jobs: list[Job], out: Path) -> None:
    inputs, holders = _identify(job.source for job in jobs)
    for job in jobs:
        identity = _identity(job.output)
        if identity in inputs or os.path.realpath(job.output) in inputs:
            raise ValueError(
                f'{job.output} is an input, and would be overwritten: give another --out folder.'
            )
        if identity in holders:
            raise ValueError(
                f'{job.output} is a folder that holds inputs, and would be replaced: give another '
                '--out folder.'
            )
        # Compared in lower case, as some disks ignore case.
        if _NOTES.fullmatch(job.output.relative_to(out).parts[0].casefold()):
            raise ValueError(
                f'{job.source} would become {job.output}, which notes what is done: rename it.'
            )
    outputs = Counter(job.output for job in jobs)
    repeated = [name for name, count in outputs.items() if count > 1]
    if repeated:
        raise ValueError(
            f'Several inputs would be written to {repeated[0]}: anonymize them into folders of '
            'their own.'
        )
    for job in jobs:
        within = [parent for parent in job.output.parents if parent in outputs]
        if within:
            raise ValueError(
                f'{job.source} would be written to {job.output}, within the output {within[0]}: '
                'anonymize them into folders of their own.'
            )


def _identify(sources: Iterable[Path]) -> tuple[set, set]:
    """Return the inputs and the folders that hold them, by all names and identities."""
    inputs, holders = set(), set()
    for source in sources:
        real = os.path.realpath(source)
        inputs |= {real, _identity(source)}
        # The given path, and the path without links.
        for path in (source.absolute(), Path(real)):
            holders |= {_identity(parent) for parent in path.parents}
    return inputs - {None}, holders - {None}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the identity (device and inode) of a file or folder, independent of links."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino
