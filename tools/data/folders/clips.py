"""Class, person and recording of each video, from paths and a table."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layout import FIELDS, Layout

from spact_mm.datasets.tables import check_columns, read_table_rows

_FILE = 'file'
_HASHED = 1 << 20


@dataclass(frozen=True)
class Clip:
    """A video.

    Attributes:
        path (str): Path below the folder of the videos.
        fields (dict[str, str]): Class and, if known, person, source and attribute.
        present (tuple[str, ...]): Attributes of the video, from the table's columns.
    """

    path: str
    fields: dict[str, str]
    present: tuple[str, ...] = ()

    @property
    def action(self) -> str:
        """The class."""
        return self.fields['class']


@dataclass(frozen=True)
class Clips:
    """All videos in use.

    Attributes:
        clips (list[Clip]): Sorted by path.
        fields (tuple[str, ...]): The fields that each clip has.
        attributes (tuple[str, ...]): The table's columns of 0 and 1.
        missing (list[str]): Files of the table that do not exist.
    """

    clips: list[Clip]
    fields: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_clips(root: Path, names: Sequence[str], layout: str | None, table: str | None) -> Clips:
    """Read the fields of each video from paths and table.

    Args:
        root (Path): The folder of the videos.
        names (Sequence[str]): The videos in the folder; with a table, videos that are not in it are
            left out.
        layout (str, optional): See :class:`Layout`. None means ``{class}``, or no layout if the
            table has the classes.
        table (str, optional): A CSV file with a column ``file``, and others of
            :data:`~layout.FIELDS` or of 0 and 1.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If a path or the table is wrong, or there is no class.
    """
    rows, columns, attributes = {}, (), ()
    if table is not None:
        rows, columns, attributes = _read_table(table)
    if layout is None and 'class' not in columns:
        layout = '{class}'
    pattern = None if layout is None else Layout(layout)
    fields = tuple(pattern.fields if pattern else ()) + columns
    _check_fields(fields, attributes, table)
    taken, missing = dict.fromkeys(names, ({}, ())), []
    if table is not None:
        taken, missing = _find_files(rows, names, table)
    clips = []
    for name, (cells, present) in taken.items():
        of_path = pattern.read(name) if pattern else {}
        if of_path is None:
            raise ValueError(
                f'{name} in {root} is not where the layout {layout} has its videos; move it into '
                'its folder, give another --layout, or a table by --labels.'
            )
        clips.append(Clip(name, {**of_path, **cells}, present))
    _check_values(clips)
    if pattern and table is None:
        found = {field: {clip.fields[field] for clip in clips} for field in pattern.fields}
        empty = pattern.find_empty(root, found)
        if empty is not None:
            raise ValueError(
                f'The {empty[0]} folder {empty[1]} has no video in it; add some or remove it.'
            )
    order = tuple(field for field in FIELDS if field in fields)
    return Clips(sorted(clips, key=lambda clip: clip.path), order, attributes, tuple(missing))


def find_copies(root: Path, clips: Sequence[Clip]) -> list[list[Clip]]:
    """Return groups of clips with identical files.

    Args:
        root (Path): The folder of the videos.
        clips (Sequence[Clip]): Readable clips.

    Raises:
        ValueError: If copies are labelled differently.
    """
    by_size: dict[int, list[Clip]] = {}
    for clip in clips:
        by_size.setdefault((root / clip.path).stat().st_size, []).append(clip)
    by_content: dict[bytes, list[Clip]] = {}
    for same in by_size.values():
        for clip in same if len(same) > 1 else []:
            by_content.setdefault(_digest(root / clip.path), []).append(clip)
    copies = [same for same in by_content.values() if len(same) > 1]
    for first, *others in copies:
        for other in others:
            for field, value in first.fields.items():
                if field != 'source' and other.fields[field] != value:
                    raise ValueError(
                        f'{first.path} and {other.path} are the same video, but the {field} of one '
                        f'is {value!r} and of the other {other.fields[field]!r}; remove one.'
                    )
            if other.present != first.present:
                raise ValueError(
                    f'{first.path} and {other.path} are the same video, but have other attributes '
                    'in the table; remove one.'
                )
    return copies


def _read_table(
    path: str,
) -> tuple[dict[str, tuple[dict[str, str], tuple[str, ...]]], tuple[str, ...], tuple[str, ...]]:
    """Return the fields and attributes of each file in the table."""
    head, rows = read_table_rows(path)
    if _FILE not in head:
        raise ValueError(
            f'The head of {path} is {", ".join(head) or "empty"}, but it needs a column "file", '
            f'beside {", ".join(FIELDS)} and attributes, all of them if you like; separate them '
            'by commas.'
        )
    check_columns(head, path)
    columns = tuple(name for name in head if name in FIELDS)
    attributes = tuple(name for name in head if name not in (*FIELDS, _FILE))
    found = {}
    for where, cells in rows:
        name = PurePosixPath(cells[_FILE]).as_posix()
        wrong = next((key for key in attributes if cells[key] not in ('0', '1')), None)
        if wrong is not None:
            raise ValueError(
                f'{where} has {wrong} = {cells[wrong]!r}: a column that is none of file, '
                f'{", ".join(FIELDS)} is an attribute, 0 or 1; correct or remove it.'
            )
        empty = next((key for key in (_FILE, *columns) if not cells[key]), None)
        if empty is not None:
            raise ValueError(f'{where} has no {empty}; give one in each row, or drop the column.')
        present = tuple(key for key in attributes if cells[key] == '1')
        entry = {key: cells[key] for key in columns}, present
        if name in found:
            first, second = found[name][0].get('class'), entry[0].get('class')
            also = f', first as {first!r} and now as {second!r}' if first != second else ''
            raise ValueError(f'{where} names {name} once more{also}; a video has one row.')
        found[name] = entry
    if not found:
        raise ValueError(f'{path} has a head and no row; write a row a video.')
    return found, columns, attributes


def _find_files(rows: Mapping, names: Iterable[str], table: str) -> tuple[dict, list[str]]:
    """Return the rows of a table by existing files, and the names of missing files."""
    # The same letters may be encoded in two ways: macOS decomposes them in file names.
    known = {unicodedata.normalize('NFC', name): name for name in names}
    exact, found, missing = set(names), {}, []
    for row, entry in rows.items():
        name = row if row in exact else known.get(unicodedata.normalize('NFC', row))
        if name is None:
            missing.append(row)
        else:
            found[name] = entry
    if not found:
        raise ValueError(
            f'None of the {len(missing):,} files that {table} names is a video in the folder, the '
            f'first being {missing[0]}; name them relative to the folder that --videos gives.'
        )
    return found, missing


def _check_fields(fields: Sequence[str], attributes: Sequence[str], table: str | None) -> None:
    twice = next((field for field in FIELDS if fields.count(field) > 1), None)
    if twice is not None:
        raise ValueError(
            f'Both --layout and {table} say the {twice} of a video; leave it out of one of them.'
        )
    if 'class' not in fields:
        raise ValueError(
            'Nothing says what is done in a video: give --layout a {class}, or the table a column '
            '"class".'
        )
    if attributes and 'attribute' in fields:
        raise ValueError(
            f'There are both an attribute of one value a video and the columns '
            f'{", ".join(attributes)} of {table}; leave out the one or the others.'
        )


def _check_values(clips: Sequence[Clip]) -> None:
    """Refuse names that a list cannot hold, before anything is decoded."""
    for clip in clips:
        if not _is_text(clip.path):
            raise ValueError(
                f'The name {clip.path!r} is no text in UTF-8, which lists are; rename the file.'
            )
        if '\t' in clip.path or '\n' in clip.path or clip.path.strip() != clip.path:
            raise ValueError(
                f'The name {clip.path!r} has a tab, a line break or white space at an end, which '
                'lists cannot hold; rename the file.'
            )
        wrong = next((k for k, v in clip.fields.items() if v.strip() != v or '\n' in v), None)
        if wrong is not None:
            raise ValueError(
                f'The {wrong} of {clip.path} is {clip.fields[wrong]!r}, with white space at an end '
                'or a line break in it; rename it.'
            )


def count_values(clips: Iterable[Clip], field: str) -> Mapping[str, int]:
    """Return the number of clips for each value of a field, sorted by value."""
    counts: dict[str, int] = {}
    for clip in clips:
        counts[clip.fields[field]] = counts.get(clip.fields[field], 0) + 1
    return dict(sorted(counts.items()))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(path: str | os.PathLike) -> bytes:
    whole = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(_HASHED):
            whole.update(chunk)
    return whole.digest()
