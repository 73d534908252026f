"""The record of finished outputs in a folder, and of files that may be replaced."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from ..files import lock_folder, partial_path, write_whole
from .output_files import fingerprint, is_alive
from .outputs import MANIFEST, SHARDS, Job, find_shards

#: Keys of each line in all versions.
_KEYS = {'output', 'source_size', 'source_time', 'settings'}
_HASH = re.compile(rb'"([0-9a-f]{64})"')
#: Held by a job of a cluster while it works in its folder.
_JOB_LOCK = '.job.lock'


class Manifest:
    """The finished files of a folder of outputs, with a line of JSON for each.

    Each line holds the source and the settings, and the size and SHA-256 of the output that was
    written and read back, to recognise it later. Before an output gets its name, its line is
    written to a hidden file beside the manifest; if a process is killed in between, the next
    process finds the line there. Processes that work on a folder together append to one manifest;
    jobs of a cluster, whose file system may mix their lines, have one each, in a folder of their
    own in ``.shards``. The next process that opens the manifest takes these over.

    A line that cannot be read is left out and counted. The hashes in it still distinguish outputs
    of this tool from other files.

    Args:
        out (str | Path): The folder of the outputs.
        settings (dict): All settings that affect the output, such as the weights' hash and the
            size: outputs with other settings are made again.
        shard (str | Path, optional): The folder of the job that this process is; no other process
            works there. Defaults to None: none, and no job is alive.

    Attributes:
        num_broken (int): Number of lines that could not be read.

    Raises:
        ValueError: If the file ``manifest.jsonl`` is not of this tool.
        RuntimeError: If a job still works in its folder.
        OSError: If the file cannot be read.
    """

    def __init__(self, out: str | Path, settings: dict, shard: str | Path | None = None) -> None:
        self.out = Path(out)
        self.path = Path(self.out if shard is None else shard, MANIFEST)
        self.settings = hash_settings(settings)
        self._pending: dict[str, dict] = {}
        self._read()
        self._take_over(self.path.parent, is_alone=shard is not None)
        if shard is None:
            for folder in find_shards(out):
                self._merge(folder)
            if (self.out / SHARDS).exists():
                shutil.rmtree(self.out / SHARDS, ignore_errors=True)

    def _read(self) -> None:
        self._entries: dict[str, dict] = {}
        #: Hashes of everything that was ever written to an output; None if no hash was recorded.
        self._written: dict[str, set] = {}
        #: Hashes in lines that could not be read.
        self._saved: set[str] = set()
        self.num_broken = 0
        for path in dict.fromkeys((self.out / MANIFEST, self.path)):
            self._read_file(path)

    def _read_file(self, path: Path) -> None:
        try:
            lines = path.read_bytes().split(b'\n') if os.path.lexists(path) else []
        except OSError as error:
            raise OSError(
                f'{path} cannot be read ({error.strerror}): give another --out.'
            ) from error
        foreign = 0
        for line in filter(None, map(bytes.strip, lines)):
            entry = _parse(line)
            if entry is not None and _KEYS <= entry.keys():
                self._remember(entry)
            elif entry is not None and not _KEYS & entry.keys():
                foreign += 1
            else:
                self.num_broken += 1
                self._saved |= {found.decode() for found in _HASH.findall(line)}
        if foreign and not (self._entries or self.num_broken):
            raise ValueError(
                f'{path} is not of this tool, which notes there what is done: give another --out.'
            )

    def _remember(self, entry: dict) -> None:
        self._entries[entry['output']] = entry
        known = entry.get('sha256')
        known = known if isinstance(known, str) else None
        self._written.setdefault(entry['output'], set()).add(known)

    def _merge(self, folder: Path) -> None:
        """Add what a job that has ended has noted, and remove its folder."""
        refusal = f'A job of Slurm that works for {self.out} still ends: wait for it (squeue).'
        with lock_folder(folder, refusal, name=_JOB_LOCK):
            path = folder / MANIFEST
            lines = path.read_bytes() if path.exists() else b''
            lines += b'' if lines.endswith(b'\n') else b'\n'
            # A process that was killed here has added them already. Damaged ones count, too: the
            # hashes in them tell outputs of this tool from others.
            there = self.path.read_bytes() if self.path.exists() else b''
            if lines.strip() and not there.endswith(lines):
                self._write(lines)
                self._read()
            self._take_over(folder, is_alone=True)
            shutil.rmtree(folder, ignore_errors=True)

    def _take_over(self, folder: Path, is_alone: bool) -> None:
        """Add lines for outputs of killed processes that have their names but no lines yet."""
        mine = partial_path(self.path)
        for path in sorted(folder.glob(f'.*{MANIFEST}.*.part')):
            process = path.name.removesuffix('.part').rpartition('.')[2]
            if not process.isdigit() or (not is_alone and is_alive(int(process))):
                continue
            if path.name.startswith('..'):  # an incomplete file of lines
                path.unlink(missing_ok=True)
                continue
            try:
                # If several processes start together, only one of them gets the file.
                path.replace(mine)
            except FileNotFoundError:
                continue
            for entry in filter(None, map(_parse, mine.read_bytes().split(b'\n'))):
                output = self.out / entry.get('output', '..')
                found = _fingerprint(output) if '..' not in output.parts else None
                is_whole = found is not None and found == (entry.get('bytes'), entry.get('sha256'))
                # The process may have been killed when it had added the line.
                if is_whole and entry != self._entries.get(entry['output']):
                    self._append(entry)
            mine.unlink()

    def find(self, job: Job) -> dict | None:
        """Return the line of this source and these settings, whatever has become of the output."""
        entry = self._entries.get(self._key(job))
        return entry if entry and self._identify(job).items() <= entry.items() else None

    def is_done(self, job: Job) -> bool:
        """Return whether the whole output of this source and these settings exists."""
        entry = self.find(job)
        return (
            entry is not None
            and entry.get('sha256') is not None
            and _fingerprint(job.output) == (entry.get('bytes'), entry['sha256'])
        )

    def check_replaceable(self, job: Job, written: str | None = None) -> None:
        """Refuse to replace a file that this tool has not written.

        Args:
            job (Job): Which.
            written (str, optional): SHA-256 of the new output. Defaults to None: not known yet.

        Raises:
            FileExistsError: If the output exists and does not match a line of the manifest.
        """
        if not os.path.lexists(job.output):
            return
        # A lost line may be of this output; then the new output must have the same hash.
        if written is None and self.num_broken:
            return
        if self._is_known(job, written):
            return
        # Another process of this run may have recorded the output meanwhile.
        self._read()
        if not self._is_known(job, written):
            is_listed = self._key(job) in self._written
            reason = 'was changed or cut since' if is_listed else f'is not what {MANIFEST} lists'
            raise FileExistsError(
                f'{job.output} exists and {reason}, so it is kept: move it, or give another --out.'
            )

    def _is_known(self, job: Job, written: str | None) -> bool:
        known = self._written.get(self._key(job), set()) | self._saved
        if written is not None:
            known = known | {written}
        if None in known or not known:
            return bool(known)
        found = _fingerprint(job.output)
        return found is not None and found[1] in known

    def claim(self, job: Job, **facts) -> None:
        """Record an output that is about to get its name, in case this process is killed.

        Args:
            job (Job): Which.
            **facts: Arguments of :meth:`add`, with ``bytes`` and ``sha256``.

        Raises:
            FileExistsError: If it would replace a file that this tool has not written.
            OSError: If it cannot be written.
        """
        self.check_replaceable(job, facts['sha256'])
        self._pending[self._key(job)] = {**self._identify(job), **facts}
        lines = [json.dumps(entry, sort_keys=True) for entry in self._pending.values()]
        write_whole(partial_path(self.path), '\n'.join(lines))

    def add(self, job: Job, **facts) -> None:
        """Record a finished file.

        Args:
            job (Job): Which.
            **facts: Further facts to record, plain values. Without ``sha256``, size and hash are
                taken from the file on disk.

        Raises:
            OSError: If it cannot be written.
        """
        if 'sha256' not in facts:
            facts['bytes'], facts['sha256'] = fingerprint(job.output)
        self._append({**self._identify(job), **facts})
        self._pending.pop(self._key(job), None)
        if not self._pending:
            partial_path(self.path).unlink(missing_ok=True)

    def _append(self, entry: dict) -> None:
        self._write(f'{json.dumps(entry, sort_keys=True)}\n'.encode())
        self._remember(entry)

    def _write(self, line: bytes) -> None:
        # One write for one line, so that lines of several processes do not mix.
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            # After a line that a crash cut off, a new line begins.
            if size and os.pread(descriptor, 1, size - 1) != b'\n':
                line = b'\n' + line
            if os.write(descriptor, line) < len(line):
                raise OSError(f'{self.path} cannot be written: the disk is full.')
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(f'{self.path} cannot be written: {error.strerror}.') from error
        finally:
            os.close(descriptor)

    def _key(self, job: Job) -> str:
        return job.output.relative_to(self.out).as_posix()

    def _identify(self, job: Job) -> dict:
        state = job.source.stat()
        return dict(
            output=self._key(job),
            # The source's path is left out: a manifest is passed on with the outputs, and a path
            # may name persons.
            source_size=state.st_size,
            source_time=state.st_mtime_ns,
            settings=self.settings,
        )


def hash_settings(settings: dict) -> str:
    """Return what stands for settings in a manifest."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parse(line: bytes) -> dict | None:
    """Return a line of a manifest; None if it is not a JSON object."""
    try:
        entry = json.loads(line)
    # RecursionError for endless nesting; json raises ValueError also for endless numbers.
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(entry, dict) and isinstance(entry.get('output', ''), str)
    return entry if is_entry else None


def _fingerprint(path: Path) -> tuple[int, str] | None:
    try:
        return fingerprint(path)
    except (OSError, ValueError):  # such as a name with a zero byte
        return None
