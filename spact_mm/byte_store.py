"""A bounded store of bytes by key in a file that processes share, with checksums."""

import logging
import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from mmengine.logging import print_log

#: Page size of the file in bytes: a small frame fits into one page and fills most of it.
_PAGE = 8192
#: Largest number of keys in a query; SQLite before 3.32 takes 999.
_MAX_KEYS = 500
#: Seconds that a process waits for the writes of others.
_TIMEOUT = 60.0
#: Number of attempts, and seconds between them, to open a new file that another process is making.
_ATTEMPTS, _PAUSE = 500, 0.02
#: SQLite's messages for a folder or file that cannot be made, read or written to.
_INACCESSIBLE = ('unable to open', 'readonly', 'access permission')
_FILE = 'store.sqlite'

_Result = TypeVar('_Result')


class ByteStore:
    """Keep bytes by their key in a folder, for any number of processes of a machine.

    The store is a cache: its values can be computed again. So a full store becomes read-only, with
    one warning, and a damaged store is deleted and made again, with a warning. Each value has a
    checksum. The folder must be on a local disk: SQLite's write-ahead log needs memory shared by
    the processes.

    Args:
        folder: Folder of this store alone; made at the first use.
        max_gib (float): Largest size in gibibytes; the log beside it takes a few mebibytes more.

    Raises:
        ValueError: If ``max_gib`` is not positive.
    """

    def __init__(self, folder: str | os.PathLike, max_gib: float) -> None:
        if max_gib <= 0:
            raise ValueError(f'max_gib of a cache must be positive, but is {max_gib}.')
        self.folder = Path(folder)
        self.max_gib = max_gib
        self._is_open_to_writes = True
        self._connection, self._owner = None, None

    def __getstate__(self) -> dict:
        # A copy in another process opens the file itself.
        return dict(self.__dict__, _connection=None, _owner=None)

    def find(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the values of the stored keys.

        Raises:
            OSError: If the folder cannot be used.
        """
        return self._attempt(lambda connection: _select(connection, list(keys))) or {}

    def add(self, items: Mapping[bytes, bytes]) -> None:
        """Store values if there is room. A key that is already stored keeps its old value.

        Raises:
            OSError: If the folder cannot be used.
        """
        if self._is_open_to_writes:
            self._attempt(lambda connection: _insert(connection, items))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None and self._owner[0] == os.getpid():
            self._connection.close()
        self._connection = None

    def _attempt(self, action: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """Return the result of ``action``, None if the store cannot give it.

        Raises:
            OSError: If the folder cannot be used, or a new store is as damaged as the one before.
        """
        for is_new in (False, True):
            try:
                return action(self._connect())
            except OSError as error:
                raise self._describe(error.strerror) from error
            except sqlite3.DatabaseError as error:
                # Other classes of errors are bugs.
                if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
                    raise
                reason = str(error)
                if 'is full' in reason or 'is locked' in reason:
                    return self._stop_writing(reason)
                if is_new or any(text in reason for text in _INACCESSIBLE):
                    raise self._describe(reason) from error
            self._discard(reason)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._owner[0] != os.getpid():
            # SQLite's connections must not be used after a fork, not even be closed.
            _INHERITED.append(self._connection)
            self._connection = None
        if self._connection is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / _FILE
            connection = sqlite3.connect(path, timeout=_TIMEOUT, check_same_thread=False)
            self._owner = os.getpid(), path.stat().st_ino
            try:
                _set_up(connection, self.max_gib)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _stop_writing(self, reason: str) -> None:
        if self._is_open_to_writes:
            self._warn(f'takes nothing more from this process ({reason}); what it has is used.')
        self._is_open_to_writes = False

    def _discard(self, reason: str) -> None:
        """Delete the store, unless another process has done so already."""
        inode = self._owner[1]
        self.close()
        try:
            if (self.folder / _FILE).stat().st_ino != inode:
                return
            # Renamed first, so that no process opens a half-deleted store. Processes that have the
            # file open continue with the unnamed file.
            grave = self.folder.with_name(f'.{self.folder.name}.{os.getpid()}.damaged')
            self.folder.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._describe(f'{reason}; {error.strerror}') from error
        self._warn(f'was damaged ({reason}) and is made anew.')

    def _describe(self, reason: str) -> OSError:
        return OSError(
            f'The cache {self.folder} cannot be used ({reason}): delete it, choose a folder on a '
            'local disk that can be written to, or leave cache out.'
        )

    def _warn(self, what: str) -> None:
        print_log(f'The cache {self.folder} {what}', logger='current', level=logging.WARNING)


#: Connections of the parent of a fork; the reference keeps them from being closed in the child.
_INHERITED = []


def _set_up(connection: sqlite3.Connection, max_gib: float) -> None:
    connection.execute(f'PRAGMA page_size = {_PAGE}')
    _switch_log_on(connection)
    # A power cut may lose the last values, never the whole store.
    connection.execute('PRAGMA synchronous = NORMAL')
    connection.execute(f'PRAGMA max_page_count = {max(8, int(max_gib * 2**30 / _PAGE))}')
    connection.execute('CREATE TABLE IF NOT EXISTS store (key BLOB UNIQUE, value BLOB)')


def _switch_log_on(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at the same time, by a log beside the file."""
    for is_last in (*[False] * (_ATTEMPTS - 1), True):
        try:
            connection.execute('PRAGMA journal_mode = WAL').fetchall()
            return
        except sqlite3.OperationalError as error:
            # While another process does the same, SQLite does not wait, even with a timeout.
            if is_last or 'is locked' not in str(error):
                raise
            time.sleep(_PAUSE)


def _select(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, bytes]:
    found = {}
    for start in range(0, len(keys), _MAX_KEYS):
        part = keys[start : start + _MAX_KEYS]
        marks = ', '.join('?' * len(part))
        rows = connection.execute(f'SELECT key, value FROM store WHERE key IN ({marks})', part)
        # All rows are fetched at once: a paused reader would keep the log from being written back.
        for key, packed in rows.fetchall():
            value = packed[4:]
            if zlib.crc32(value).to_bytes(4, 'big') != packed[:4]:
                raise sqlite3.DatabaseError('a checksum is wrong')
            found[key] = value
    return found


def _insert(connection: sqlite3.Connection, items: Mapping[bytes, bytes]) -> None:
    rows = [(key, zlib.crc32(value).to_bytes(4, 'big') + value) for key, value in items.items()]
    # One transaction, undone as a whole if it fails.
    with connection:
        connection.executemany('INSERT OR IGNORE INTO store VALUES (?, ?)', rows)
