"""Untrusted CSV tables, read row by row."""

import csv
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from ..media.unreadable import check_list_file


def read_table_rows(
    path: str | os.PathLike,
) -> tuple[list[str], Iterator[tuple[str, dict[str, str]]]]:
    """Read a CSV file in UTF-8 with a header.

    Args:
        path: The table.

    Returns:
        tuple: The header, and an iterator over the non-blank rows: the row's name for errors, and
        its cells by column, stripped of blanks.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the file is no table, or a row has another number of cells than the header.
    """
    check_list_file(path, 'table')
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
        rows = list(csv.reader(StringIO(text, newline=''), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'The table {path} is no CSV file in UTF-8 ({error}).') from error
    head = [cell.strip() for cell in rows[0]] if rows else []

    def read() -> Iterator[tuple[str, dict[str, str]]]:
        for number, row in enumerate(rows[1:], 2):
            where = f'Row {number} of {path}'
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                raise ValueError(
                    f'{where} has {len(row)} cells, but the head {len(head)}; correct it.'
                )
            yield where, {key: cell.strip() for key, cell in zip(head, row, strict=True)}

    return head, read()


def check_columns(head: list[str], path: str | os.PathLike) -> None:
    """Refuse a header with a repeated or unnamed column.

    Raises:
        ValueError: If there is such a column.
    """
    if len(set(head)) < len(head) or '' in head:
        raise ValueError(f'The head of {path} has a column twice or without a name; correct it.')
