"""Search for videos and images in files, folders and patterns."""

import glob
import os
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

IMAGES = {'.avif', '.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
VIDEOS = {
    '.3gp', '.apng', '.asf', '.avi', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4',
    '.mpeg', '.mpg', '.mts', '.ogv', '.ts', '.vob', '.webm', '.wmv',
}  # fmt: skip


def find_sources(
    inputs: Iterable[str], out: Path | None = None, missing: list[str] | None = None
) -> dict[Path, Path]:
    """Return the videos and images of the inputs, with their paths relative to the given folders.

    Folders are searched recursively for names with the ending of a video or an image. A file that
    is given by its own name is taken with any ending.

    Args:
        inputs (Iterable[str]): Paths and patterns.
        out (Path, optional): A folder to leave out, as outputs may lie within inputs. Defaults to
            None.
        missing (list[str], optional): Gets a sentence for each input that matches nothing; the
            other inputs are returned. Defaults to None: such an input is an error.

    Returns:
        dict[Path, Path]: Each file once, sorted.

    Raises:
        FileNotFoundError: If an input matches nothing, or with ``missing`` if no input matches
            anything.
        ValueError: If an input is the folder of the outputs.
    """
    sources: dict[Path, Path] = {}
    unmatched = []
    for text in inputs:
        found = [(path, below) for path, below, taken in _expand(text, _resolve(out)) if taken]
        if not found:
            unmatched.append(
                f'{text} is no file, and no folder or pattern with a video or image in it.'
            )
        for source, relative in found:
            sources.setdefault(source, relative)
    if unmatched and (missing is None or not sources):
        raise FileNotFoundError(unmatched[0])
    if missing is not None:
        missing.extend(unmatched)
    return dict(sorted(sources.items()))


def find_left_out(inputs: Iterable[str], out: Path | None = None) -> list[Path]:
    """Return the entries of the given folders that are no sources.

    Args:
        inputs (Iterable[str]): As for :func:`find_sources`.
        out (Path, optional): As for :func:`find_sources`. Defaults to None.

    Returns:
        list[Path]: Files with other endings, hidden videos and images, and entries that cannot be
        followed or opened: links to folders, broken links, folders without permission. Sorted.
    """
    found = [entry for text in inputs for entry in _expand(text, _resolve(out))]
    taken = {path for path, _, is_taken in found if is_taken}
    return sorted({path for path, _, is_taken in found if not is_taken} - taken)


def describe_left_out(files: Collection[Path], shown: int = 20) -> str:
    """Return a sentence with the number and the names of files that are left out.

    Args:
        files (Collection[Path]): One or more files.
        shown (int): Largest number of names. Defaults to 20.
    """
    names = ', '.join(map(str, islice(files, shown)))
    more = f' and {len(files) - shown} more' if len(files) > shown else ''
    return (
        f'{len(files)} files are left out, as their names are of another kind or hidden, or they '
        f'are links or cannot be opened: {names}{more}.'
    )


def _resolve(out: Path | None) -> Path | None:
    return out and Path(out).resolve()


def _expand(text: str, out: Path | None) -> Iterator[tuple[Path, Path, bool]]:
    """Yield the files of an input, with their relative paths, and whether each is taken."""
    path = Path(text)
    if path.is_dir():
        if path.resolve() == out:
            raise ValueError(f'{text} is the folder of the outputs: give another --out.')
        for file, is_readable in _walk(path, out):
            is_media = file.suffix.lower() in IMAGES | VIDEOS
            is_hidden = file.name.startswith('.')
            if is_media or not is_hidden:
                is_taken = is_readable and is_media and not is_hidden
                yield file, file.relative_to(path), is_taken
    elif path.is_file():
        yield path, Path(path.name), True
    else:
        for match in sorted(glob.glob(text, recursive=True)):
            yield from _expand(match, out) if match != text else []


def _walk(folder: Path, out: Path | None) -> Iterator[tuple[Path, bool]]:
    """Yield everything below a folder except folders, and whether it can be read."""
    # Outputs of an earlier run may lie within the folder; inputs may lie beside the outputs.
    left_out = out if out and folder.resolve() in out.parents else None
    unread: list[Path] = []
    for name, folders, files in os.walk(folder, onerror=lambda e: unread.append(Path(e.filename))):
        here = Path(name)
        if left_out and here.resolve() == left_out:
            folders.clear()
            continue
        # Links to folders are not followed, as they may form a cycle.
        yield from ((here / f, False) for f in folders if (here / f).is_symlink())
        for file in map(here.joinpath, files):
            # Reading from named pipes and devices would never end.
            is_output = left_out and left_out in Path(os.path.realpath(file)).parents
            yield file, file.is_file() and not is_output
    yield from ((path, False) for path in unread)
