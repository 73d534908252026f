"""Checkpoint files on disk: written whole or not at all, and found again."""

import os
import re
import zipfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..files import write_whole


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """Local files that are either old or new, never half written, even after a kill."""

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text like :meth:`put`.

        Args:
            obj (str): The whole text.
            filepath (str or Path): The file to create or replace.
            encoding (str): Its encoding. Defaults to 'utf-8'.
        """
        self.put(obj.encode(encoding), filepath)

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` beside ``filepath``, then put it in its place.

        Args:
            obj (bytes): The whole contents.
            filepath (str or Path): The file to create or replace.
        """
        write_whole(filepath, obj)


class PostponedRemoval:
    """A file backend that lists what is to be removed instead of removing it."""

    def __init__(self, backend) -> None:
        self.backend = backend
        self.outdated = []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Add a file to ``outdated``."""
        self.outdated.append(path)


def list_checkpoints(folder: str, filename_tmpl: str, work_dir: str) -> list[Path]:
    """List the checkpoints of the last run in a folder, newest first.

    Files of a higher number than ``last_checkpoint`` names, which were written before it, are left
    out: they belong to an earlier, longer run in the same folder.

    Args:
        folder (str): Where the checkpoints lie.
        filename_tmpl (str): Template of their names, for instance ``epoch_{}.pth``.
        work_dir (str): Where ``last_checkpoint`` lies.

    Returns:
        list[Path]: The files, whole or not.
    """
    pattern = re.compile(re.escape(filename_tmpl).replace(re.escape('{}'), r'(\d+)') + '$')
    found = {
        int(match[1]): path
        for path in Path(folder).glob('*')
        if (match := pattern.match(path.name))
    }
    pointer = Path(work_dir) / 'last_checkpoint'
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
    """Tell whether a file is a complete checkpoint, whose zip directory is written last."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('data.pkl') for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
