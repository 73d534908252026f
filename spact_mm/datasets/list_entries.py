"""Checks of the entries of a list: file names within the data root, and labels."""

import os
import re
from dataclasses import dataclass

#: Bound on class indices; no data set has so many classes.
MAX_LABEL = 1_000_000


def check_entry(
    name, where: str, prefix: str | None = None, root: str | None = None, allow_outside=False
) -> str:
    """Refuse an entry of a list that is no file name, or leads out of the data root.

    Links within the data root may lead elsewhere: the owner of the disk has made them, while a list
    may come from a stranger.

    Args:
        name: The entry.
        where (str): The file and the place of the entry, the beginning of the message.
        prefix (str, optional): The folder that the entry is relative to.
        root (str, optional): The folder that the entry may not leave, see :func:`data_root`.
        allow_outside (bool): Whether the entry may lead anywhere. Defaults to False.

    Returns:
        str: The name.

    Raises:
        ValueError: If the entry is no text, empty, no possible file name or leads out of ``root``.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'{where} has {shorten(name)} in place of a file name; correct the file.')
    if '\0' in name or not _is_encodable(name):
        raise ValueError(f'{where} has {shorten(name)}, which no file can be called; correct it.')
    if not allow_outside and _leads_outside(name, prefix, root):
        place = f' {root}' if root else ''
        raise ValueError(
            f'{where} has {shorten(name)}, which leads out of the data root{place}; correct the '
            'file, data_root or data_prefix, or set allow_outside=True (of ReproducibleDataset for '
            'a data set of MMAction2) if you trust the list.'
        )
    return name


def data_root(dataset, prefix: str | None) -> str | None:
    """Return the folder that the entries of a data set may not leave.

    The folder is ``data_root``, or the folder of ``data_prefix`` if there is no ``data_root`` or
    the files lie elsewhere. None if there is neither: then absolute paths and ``..`` lead outside.

    Args:
        dataset (BaseDataset): The data set, whose ``data_root`` is used.
        prefix (str, optional): The folder of its files, joined with ``data_root``.
    """
    root = getattr(dataset, 'data_root', '')
    return root if root and not _leads_outside(prefix or '', None, root) else prefix or None


@dataclass(frozen=True)
class ListFormat:
    """The format of the lines of a list of MMAction2.

    Attributes:
        delimiter (str, optional): Delimiter of the columns; None for any white space.
        num_counts (int): Columns of frame numbers after the name. Defaults to 0.
        multi_class (bool): Whether a line may have any number of labels. Defaults to False.
        num_classes (int, optional): Bound on labels; None for :data:`MAX_LABEL`.
        unlabelled (bool): Whether all lines may lack a label, as in a list for predictions.
            Defaults to False.
    """

    delimiter: str | None
    num_counts: int = 0
    multi_class: bool = False
    num_classes: int | None = None
    unlabelled: bool = False


def check_list(
    content: bytes,
    path: str | os.PathLike,
    format: ListFormat,
    prefix: str | None = None,
    root: str | None = None,
    allow_outside: bool = False,
) -> None:
    """Check a list of MMAction2's ``VideoDataset`` or ``RawframeDataset`` line by line.

    Args:
        content (bytes): The list.
        path: Name of the list, for messages.
        format (ListFormat): Format of the lines.
        prefix (str, optional): As for :func:`check_entry`.
        root (str, optional): As for :func:`check_entry`.
        allow_outside (bool): As for :func:`check_entry`.

    Raises:
        ValueError: If a line is wrong; the message has its number.
    """
    try:
        # str.splitlines would also split at characters that MMEngine treats as parts of names.
        lines = content.decode('utf-8').split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'The list {path} is no text in UTF-8 ({error}); write it anew.') from (
            error
        )
    if lines[-1] == '':
        lines.pop()
    labels_before = None
    for number, line in enumerate(lines, 1):
        where = f'Line {number} of {path}'
        parts = [part.strip() for part in line.strip().split(format.delimiter)]
        if not any(parts):
            raise ValueError(f'{where} is blank; remove it.')
        check_entry(parts[0], where, prefix, root, allow_outside)
        counts, labels = parts[1 : 1 + format.num_counts], parts[1 + format.num_counts :]
        _check_columns(parts, where, format)
        if labels_before is not None and bool(labels) != labels_before:
            raise ValueError(
                f'{where} is the first with{"" if labels else "out"} a label; correct the list.'
            )
        labels_before = None if format.multi_class else bool(labels)
        for count in counts:
            _check_number(count, where, 'a number of frames', 10**9)
        for label in labels:
            limit = format.num_classes or MAX_LABEL
            _check_number(label, where, 'a class index', limit)


def _check_columns(parts: list[str], where: str, format: ListFormat) -> None:
    wanted = 2 + format.num_counts
    is_unlabelled = format.unlabelled and len(parts) == wanted - 1
    is_multi = format.multi_class and len(parts) >= wanted - 1
    if not (len(parts) == wanted or is_unlabelled or is_multi):
        middle = ', '.join(['a name', *['a number of frames'] * format.num_counts, 'a class index'])
        raise ValueError(
            f'{where} has {len(parts)} columns in place of {wanted} ({middle}): '
            f'{shorten(" ".join(parts))}; a name may not hold what separates them.'
        )


def _check_number(text: str, where: str, what: str, limit: int) -> None:
    # int() would also accept signs, underscores and digits of other scripts.
    if not re.fullmatch(r'[0-9]{1,18}', text) or int(text) >= limit:
        raise ValueError(
            f'{where} has {shorten(text)} in place of {what}, a whole number in [0, {limit:,}); '
            'correct the list.'
        )


def _leads_outside(name: str, prefix: str | None, root: str | None) -> bool:
    """Return whether a name leads outside of a folder; links are not followed."""
    if not os.path.isabs(name) and os.pardir not in name:
        return False
    if not root:
        name = os.path.normpath(os.path.join(prefix or '', name))
        return os.path.isabs(name) or name.split(os.sep)[0] == os.pardir
    root = os.path.abspath(root)
    path = os.path.abspath(os.path.join(prefix or '', name))
    return path != root and not path.startswith(root.rstrip(os.sep) + os.sep)


def shorten(value) -> str:
    """Return a value, shortened for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
