"""Configs and tools that come with the package, as MIM expects them: below ``.mim``.

In a checkout ``.mim`` holds links to ``configs/``, ``tools/`` and ``model-index.yml``; a wheel has
copies there.
"""

import os
from pathlib import Path

#: Of this package.
MIM = Path(__file__).resolve().parent / '.mim'


def find_config(name: str | os.PathLike, folder: str = '') -> str:
    """Return the path of a config: as it stands, or of one that comes with the package.

    Args:
        name (str | os.PathLike): A path from the current folder; or one below ``configs/`` of this
            package, with or without ``configs/`` and ``.py``, such as ``'spact_r3d_ucf101'``,
            ``'configs/eval/action_r3d_demo.py'`` or ``'spact_mm::spact_r3d_demo.py'``.
        folder (str): A folder of ``configs/`` that is looked in first, such as ``'protocols'``.

    Returns:
        str: The path. What is there from the current folder goes first.

    Raises:
        FileNotFoundError: If there is no such file at either place.
    """
    name = os.fspath(name)
    if os.path.isfile(name):
        return name
    below = name.removeprefix('spact_mm::').removeprefix('configs/')
    for place in dict.fromkeys((folder, '')):
        for path in (MIM / 'configs' / place / below, MIM / 'configs' / place / f'{below}.py'):
            # Nothing outside of the configs is meant.
            if '..' not in path.parts and path.is_file():
                return str(path)
    raise FileNotFoundError(
        f'There is no config {name}, neither from the current folder nor in {MIM / "configs"}; '
        'correct the path.'
    )


def find_packaged_tool(name: str) -> Path:
    """Return the path of a file of ``tools/``, such as ``'data/demo/render'``.

    Args:
        name (str): Path below ``tools/``, without the suffix where that is ``.py``.

    Raises:
        FileNotFoundError: If there is none.
    """
    for path in (MIM / 'tools' / name, MIM / 'tools' / f'{name}.py'):
        if '..' not in path.parts and path.is_file():
            return path
    raise FileNotFoundError(f'There is no tool {name} in {MIM / "tools"}; correct the name.')
