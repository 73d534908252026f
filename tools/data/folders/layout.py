"""The layout of videos' paths: places of class, person and recording."""

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

#: Fields of a clip in a path or a table.
FIELDS = ('class', 'person', 'source', 'attribute')


class Layout:
    """A pattern of paths, such as ``{class}/{person}`` or ``{class}/{person}_{source}_*``.

    A part with a single field is a folder. Another part is a folder or the file's name without its
    suffix; its fields match as few characters as possible, and ``*`` matches anything. Folders and
    files below the last part may have any name.

    Args:
        text (str): The pattern.

    Raises:
        ValueError: If the pattern has an unknown field, a repeated field, or no field.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        #: Fields of the pattern, in order.
        self.fields = re.findall(r'\{(.*?)\}', text)
        unknown = [field for field in self.fields if field not in FIELDS]
        is_twice = len(set(self.fields)) < len(self.fields)
        if unknown or is_twice or not self.fields:
            reason = f'the unknown field {{{unknown[0]}}}' if unknown else 'no field'
            raise ValueError(
                f'--layout is {text!r}, which has {"a field twice" if is_twice else reason}; write '
                'folders, with slashes between them, of {class}, {person}, {source} and '
                '{attribute}, for example {class}/{person}.'
            )
        self._parts = text.strip('/').split('/')
        self._patterns = [re.compile(_to_regex(part)) for part in self._parts]

    def read(self, path: str) -> dict[str, str] | None:
        """Return the values of a path by field; None if it is not of this layout.

        Args:
            path (str): Path below the folder of the videos, with slashes.
        """
        *folders, name = PurePosixPath(path).parts
        found = {}
        for depth, pattern in enumerate(self._patterns):
            if depth < len(folders):
                match = pattern.fullmatch(folders[depth])
            elif depth == len(folders) and not self._is_folder(depth):
                match = pattern.fullmatch(PurePosixPath(name).stem)
            else:
                match = None
            if match is None:
                return None
            found |= match.groupdict()
        return found

    def find_empty(self, root: Path, found: Mapping[str, set[str]]) -> tuple[str, str] | None:
        """Return a field and the folder of a value without videos; None if there is none.

        Args:
            root (Path): The folder of the videos.
            found (Mapping[str, set[str]]): Values of each field with videos.
        """
        last = max((d for d in range(len(self._parts)) if self._is_folder(d)), default=-1)
        for folder, folders, _ in os.walk(root, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith('.'))
            depth = len(Path(folder).relative_to(root).parts)
            if depth >= last:
                folders, _ = list(folders), folders.clear()
            if depth <= last and self._is_folder(depth):
                field = self._parts[depth][1:-1]
                empty = next((name for name in folders if name not in found[field]), None)
                if empty is not None:
                    return field, os.path.join(folder, empty)
        return None

    def _is_folder(self, depth: int) -> bool:
        return self._parts[depth] in (f'{{{field}}}' for field in self.fields)


def _to_regex(part: str) -> str:
    pieces = []
    for piece in re.split(r'(\{.*?\}|\*)', part):
        if piece == '*':
            pieces.append('.*')
        elif piece.startswith('{'):
            pieces.append(f'(?P<{piece[1:-1]}>.+?)')
        else:
            pieces.append(re.escape(piece))
    return ''.join(pieces)
