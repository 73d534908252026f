"""Writing checkpoint files whole or not at all, and finding them."""

import json
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..files import write_whole

#: The file beside the checkpoints that lists them in the order of writing. Unlike file dates, this
#: order survives a clock that is set back and a copy of the folder.
ORDER = 'checkpoints.json'


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """Local files that are either old or new, never half written, even after a kill."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` beside ``filepath``, then rename it.

        Args:
            obj (bytes): The whole contents.
            filepath (str or Path): The file to create or replace.
        """
        write_whole(filepath, obj)


def read_order(folder: str | os.PathLike) -> list[str] | None:
    """Return the names of a run's checkpoints in the order in which it wrote them.

    Args:
        folder: Folder of the checkpoints.

    Returns:
        list[str] | None: Names of files; some may have been removed, and the last may not exist
        yet. None if no order was written.

    Raises:
        ValueError: If the file with the order is damaged.
    """
    path = Path(folder) / ORDER
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        names = [os.path.basename(name) for name in content['checkpoints']]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise ValueError(
            f'{path} does not hold the order of the checkpoints beside it: remove it, or name the '
            'checkpoint by --resume PATH.'
        ) from None
    return names


def write_order(folder: str | os.PathLike, names: Iterable[str]) -> None:
    """Write the order that :func:`read_order` reads.

    Args:
        folder: Folder of the checkpoints.
        names: Names of the files, the oldest first.
    """
    write_whole(Path(folder) / ORDER, json.dumps(dict(checkpoints=list(names)), indent=1))


def list_checkpoints(folder: str, filename_tmpl: str) -> list[Path]:
    """List the checkpoints of the last run in a folder, newest first.

    The run's own order decides. If none was written, files with a higher number than the one in
    ``last_checkpoint`` that are older are left out: they belong to an earlier, longer run in the
    same folder.

    Args:
        folder (str): Folder of the checkpoints and ``last_checkpoint``.
        filename_tmpl (str): Template of the names, for instance ``epoch_{}.pth``.

    Returns:
        list[Path]: The files, complete or not.
    """
    order = read_order(folder)
    if order is not None:
        return [path for name in reversed(order) if (path := Path(folder) / name).is_file()]
    pattern = re.compile(re.escape(filename_tmpl).replace(re.escape('{}'), r'(\d+)') + '$')
    found = {
        int(match[1]): path
        for path in Path(folder).glob('*')
        if (match := pattern.match(path.name))
    }
    pointer = Path(folder) / 'last_checkpoint'
    last = (
        pattern.match(os.path.basename(pointer.read_text().strip())) if pointer.is_file() else None
    )
    if last is not None:
        written = pointer.stat().st_mtime_ns
        found = {
            number: path
            for number, path in found.items()
            if number <= int(last[1]) or path.stat().st_mtime_ns >= written
        }
    return [found[number] for number in sorted(found, reverse=True)]


def is_whole(path: str | Path) -> bool:
    """Tell whether a checkpoint file is complete, by its zip directory, which is written last."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('data.pkl') for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
