"""The parts of a command that converts a data set: its options, lists and report."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..arguments import positive, run_command
from ..files import write_whole
from .integrity import CHECKS, check_video, find_broken


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

    def find_videos(
        self,
        root: Path,
        files: Mapping[str, str | None],
        num_workers: int,
        remedy: str,
        what: str = 'listed videos',
    ) -> dict[str, str]:
        """Note the missing and the broken videos of a list, and return the files of the others.

        Args:
            root: The folder of the videos.
            files: For each video of the list its file, relative to ``root``, or None.
            num_workers: Number of processes.
            remedy: The end of the error message.
            what: Name of the videos in it.

        Raises:
            FileNotFoundError: If all are missing.
        """
        self.missing = [video for video, file in files.items() if file is None]
        found = {video: file for video, file in files.items() if file is not None}
        if not found:
            count = len(self.missing) + len(self.broken)
            raise FileNotFoundError(f'None of the {count:,} {what} is in {root}; {remedy}.')
        names = list(dict.fromkeys(found.values()))
        self.broken |= find_broken(root, names, check_video, self.check, num_workers)
        return {video: file for video, file in found.items() if file not in self.broken}

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
        path: Path,
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


def make_parser(
    description: str, epilog: str | None = None, **folders: tuple[str, str]
) -> argparse.ArgumentParser:
    """Return the parser of a converter.

    Args:
        description: Of the converter, for ``--help``.
        epilog: Text below the options.
        **folders: Default and help of each option that names a folder.
    """
    parser = argparse.ArgumentParser(description=description, epilog=epilog)
    for name, (default, text) in folders.items():
        parser.add_argument(
            f'--{name}', type=Path, default=Path(default), help=f'{text} (default: %(default)s)'
        )
    return parser


def add_splits(parser: argparse.ArgumentParser, splits: Sequence[int] | Sequence[str]) -> None:
    """Add the option for the splits to write, by default all."""
    parser.add_argument(
        '--splits',
        type=type(splits[0]),
        nargs='+',
        choices=splits,
        default=splits,
        help='the splits to write (default: all)',
    )


def run_converter(
    convert: Callable[[argparse.Namespace], int],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
) -> int:
    """Add the options for checks, parse the command line and convert; return the exit code."""
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
    return run_command(convert, parser.parse_args(argv))


def read_lines(path: Path, remedy: str) -> list[str]:
    """Read the non-empty lines of a published list, with any line ends.

    Args:
        path: The list.
        remedy: Source of the list, as the end of the error message.

    Raises:
        FileNotFoundError: If the list is absent.
        ValueError: If the list is empty or not text.
    """
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
