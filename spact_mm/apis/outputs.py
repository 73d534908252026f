"""What comes out under which name, and that it harms nothing that goes in."""

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
_NOTES = re.compile(r'manifest\.jsonl|\.lock(\.\d+)?|\.manifest\.jsonl\..*')


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


def find_jobs(
    inputs: Iterable[str],
    out: str | Path,
    frames_as_images: bool = False,
    missing: list[str] | None = None,
) -> list[Job]:
    """Return what is to be done for files, glob patterns and folders.

    Args:
        inputs (Iterable[str]): As for :func:`~spact_mm.apis.find_sources`.
        out (str | Path): Folder of the outputs, in which folders keep their layout.
        frames_as_images (bool): Whether a video becomes a folder of images. Defaults to False.
        missing (list[str], optional): As for :func:`~spact_mm.apis.find_sources`.

    Returns:
        list[Job]: Each file once, sorted. Where outputs would share a name, they keep the ending
        of their source in it.

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
        # Also where a disk does not tell capitals from small letters.
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
    """Return what is an input and what holds one, by every name that it goes by."""
    inputs, holders = set(), set()
    for source in sources:
        real = os.path.realpath(source)
        inputs |= {real, _identity(source)}
        # The way that was given, and the one without links.
        for path in (source.absolute(), Path(real)):
            holders |= {_identity(parent) for parent in path.parents}
    return inputs - {None}, holders - {None}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what a file or folder is on its disk, whatever links lead there."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino
