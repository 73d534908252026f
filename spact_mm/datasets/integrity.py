"""Missing and broken files of a data set: code shared by the converters of ``tools/data``."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2
from PIL import Image

from ..arguments import positive
from ..files import write_whole
from ..process_pool import make_pool
from ..progress import Progress
from .media_probe import probe_video
from .unreadable import UnreadableFileError, check_regular
from .video_reader import is_right_in_decord, open_video

CHECKS = ('none', 'header', 'decode')
#: Result for a video that is not broken but that PyAV must read, as decord would show other frames.
_BY_PYAV = ''


def check_video(path: str | os.PathLike, check: str = 'header') -> str | None:
    """Return the flaw of a video.

    Args:
        path: A video that exists.
        check: ``'none'`` looks at the file size only; ``'header'`` also compares the length stated
            by the container with the file's, as the training's reader does, and opens the video;
            ``'decode'`` also decodes the first, the middle and the last frame.

    Returns:
        str | None: The reason why the video is unusable, or None.
    """
    try:
        if check_regular(path) == 0:
            return 'the file is empty'
        if check == 'none':
            return None
        facts = probe_video(path)
        if facts.truncation:
            return facts.truncation
        reader = open_video(path)
        if check == 'decode':
            for index in sorted({0, len(reader) // 2, len(reader) - 1}):
                reader[index]
    except (UnreadableFileError, IndexError) as error:
        return _first_line(error)
    return None


def check_image(path: str | os.PathLike, check: str = 'header') -> str | None:
    """Return the flaw of an image; any number of channels is allowed.

    Args:
        path: An image that exists.
        check: ``'none'`` looks at the file size only; ``'header'`` also reads the signature and
            the image size; ``'decode'`` also decodes all pixels.

    Returns:
        str | None: The reason why the image is unusable, or None.
    """
    try:
        if check_regular(path) == 0:
            return 'the file is empty'
    except UnreadableFileError as error:
        return _first_line(error)
    if check == 'none':
        return None
    try:
        with Image.open(path) as image:
            if check == 'decode':
                # OpenCV pads a truncated JPEG with grey without an error; Pillow refuses it.
                image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f'Pillow: {_first_line(error)}'
    if check == 'decode' and cv2.imread(os.fspath(path), cv2.IMREAD_COLOR) is None:
        return 'OpenCV cannot decode the image'
    return None


def find_broken(
    root: str | os.PathLike,
    names: Sequence[str],
    inspect: Callable[[Path, str], str | None],
    check: str,
    num_workers: int,
) -> dict[str, str]:
    """Inspect files in several processes, with a progress bar.

    A file on which the decoder itself crashes is reported like any other broken one:
    :func:`mmengine.utils.track_parallel_progress` would wait for its worker forever.

    The number of videos that PyAV must read, as decord would show other frames, is printed.

    Args:
        root: The folder that ``names`` are relative to.
        names: The files, which exist.
        inspect: :func:`check_video` or :func:`check_image`.
        check: One of :data:`CHECKS`.
        num_workers: Number of processes.

    Returns:
        dict[str, str]: The reason for each broken file.
    """
    paths = {Path(root, name): name for name in names}
    found = inspect_files(list(paths), partial(_inspect, inspect, check), num_workers)
    count = sum(reason == _BY_PYAV for reason in found.values())
    if count:
        print(
            f'  {count:,} of {len(names):,} videos will be read by PyAV, as decord does not give '
            'the frames that a player shows'
        )
    return {paths[path]: reason for path, reason in found.items() if reason != _BY_PYAV}


def _inspect(inspect: Callable[[Path, str], str | None], check: str, path: Path) -> str | None:
    reason = inspect(path, check)
    if reason is None and inspect is check_video and check != 'none':
        return None if is_right_in_decord(path) else _BY_PYAV
    return reason


def inspect_files(
    paths: Sequence[Path], inspect: Callable[[Path], str | None], num_workers: int
) -> dict[Path, str]:
    """Inspect files by any function, as :func:`find_broken` does.

    Args:
        paths (Sequence[Path]): The files.
        inspect (Callable): Function that returns a reason or None; picklable.
        num_workers (int): Number of processes.

    Returns:
        dict[Path, str]: The reason for each file with a flaw.
    """
    broken = {}
    batch_size = 16 * num_workers
    bar = Progress(len(paths))
    pool = make_pool(num_workers, _silence_decoders)
    for start in range(0, len(paths), batch_size):
        batch = paths[start : start + batch_size]
        try:
            reasons = list(pool.map(inspect, batch))
        except BrokenProcessPool:
            pool.shutdown()
            reasons = [_inspect_alone(inspect, path) for path in batch]
            pool = make_pool(num_workers, _silence_decoders)
        for path, reason in zip(batch, reasons, strict=True):
            if reason is not None:
                broken[path] = reason
        bar.update(len(batch))
    pool.shutdown()
    bar.finish()
    return broken


@dataclass
class ConversionReport:
    """The files that a converter read, left out and wrote.

    Attributes:
        dataset (str): Name of the data set.
        check (str): How thoroughly the files were inspected, one of :data:`CHECKS`.
        counts (dict): For each list, the numbers ``listed``, ``published`` and ``written``.
        missing (list[str]): Listed files that are absent.
        broken (dict[str, str]): Files that are unusable, with the reason.
        unlisted (list[str]): Files on disk that no list names. They are allowed.
    """

    dataset: str
    check: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)

    def add_count(self, name: str, listed: int, published: int, written: int) -> None:
        """Add the lengths of a list, of the published list and of the written list."""
        self.counts[name] = dict(listed=listed, published=published, written=written)

    @property
    def wrong_counts(self) -> list[str]:
        """Names of the lists whose length is not the published one."""
        return [name for name, n in self.counts.items() if n['listed'] != n['published']]

    @property
    def is_clean(self) -> bool:
        """Whether no file is missing or broken and every count equals the published one."""
        return not (self.missing or self.broken or self.wrong_counts)

    def summary(self, num_shown: int = 10) -> str:
        """Return the report for the console, with at most ``num_shown`` files of each kind."""
        lines = [f'{self.dataset} (check: {self.check})']
        for name, n in self.counts.items():
            line = f'  {name}: {n["listed"]:,} listed, {n["written"]:,} written'
            if n['listed'] != n['published']:
                line += f', but {n["published"]:,} are published'
            lines.append(line)
        reasons = [f'{name}: {reason}' for name, reason in self.broken.items()]
        for title, names in (
            ('missing, left out of the lists', self.missing),
            ('broken, left out of the lists', reasons),
            ('on disk but in no list, ignored', self.unlisted),
        ):
            if names:
                lines.append(f'  {len(names):,} {title}:')
                lines += [f'    {name}' for name in names[:num_shown]]
                if len(names) > num_shown:
                    lines.append(f'    ... and {len(names) - num_shown:,} more')
        return '\n'.join(lines)

    def finish(
        self,
        path: str | os.PathLike,
        allow_missing: bool,
        fault: str = 'the data set is not the published one',
    ) -> int:
        """Save the report as JSON, print its summary and return the converter's exit code.

        Args:
            path: The report file.
            allow_missing: Whether missing or broken files and wrong counts are accepted.
            fault: Description of this fault.

        Returns:
            int: 0 if there is no fault or it is accepted, else 1.
        """
        path = Path(path)
        content = dict(asdict(self), wrong_counts=self.wrong_counts)
        write_whole(path, json.dumps(content, indent=2) + '\n')
        print(self.summary())
        print(f'  full report: {path}')
        if self.is_clean:
            print('  complete')
            return 0
        if allow_missing:
            return 0
        print(
            f'error: {fault}, see above; repair it and convert again, '
            'or accept the lists as they are by --allow-missing.',
            file=sys.stderr,
        )
        return 1


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for checks, which all converters have."""
    parser.add_argument(
        '--check',
        choices=CHECKS,
        default='header',
        help='how each file is inspected: for its size only, by its header and a few frames of a '
        'video (default), or by decoding it, which takes longer',
    )
    parser.add_argument(
        '--workers',
        type=positive,
        default=min(8, os.cpu_count() or 1),
        help='number of processes that inspect files (default: %(default)s)',
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='exit with 0 although files are missing or broken or a count is not the published one',
    )


def run_converter(convert: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a converter; an unusable input gives one sentence and exit code 2."""
    try:
        return convert(args)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


def read_lines(path: str | os.PathLike, remedy: str) -> list[str]:
    """Read the non-empty lines of a published list, with any line ends.

    Args:
        path: The list.
        remedy: Source of the list, as the end of the error message.

    Raises:
        FileNotFoundError: If the list is absent.
        ValueError: If the list is empty or not text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The list {path} does not exist; {remedy}.')
    try:
        lines = [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f'The list {path} is not a text file; {remedy}.') from error
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f'The list {path} is empty; {remedy}.')
    return lines


def list_files(root: Path, suffixes: Iterable[str]) -> list[str]:
    """Return the files below a folder, relative to it and sorted, without hidden ones."""
    suffixes = tuple(suffixes)
    return sorted(
        Path(folder, name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if name.lower().endswith(suffixes) and not name.startswith('.')
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _silence_decoders() -> None:
    """Close the worker's stderr: FFmpeg and libjpeg write to it directly, over the progress bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _inspect_alone(inspect: Callable[[Path], str | None], path: Path) -> str | None:
    with make_pool(1, _silence_decoders) as pool:
        try:
            return pool.submit(inspect, path).result()
        except BrokenProcessPool:
            return 'the decoder crashed on it'
