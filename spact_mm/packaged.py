"""Configs and tools of the package below ``.mim``, the layout of MIM, and its weights.

In a checkout ``.mim`` holds links to ``configs/``, ``tools/`` and ``model-index.yml``; a wheel has
copies there.
"""

import hashlib
import json
import os
from pathlib import Path

#: Folder ``.mim`` of this package.
MIM = Path(__file__).resolve().parent / '.mim'
#: Script that starts Python in the environment that makes it fast on CPUs.
LAUNCHER = MIM / 'tools' / 'launch.sh'
#: Weights of anonymizers, each with a card and the anonymizer as a graph: ``NAME.pth``,
#: ``NAME.json``, ``NAME.md``, ``NAME.onnx``.
WEIGHTS = Path(__file__).resolve().parent / 'weights'


def find_config(name: str | os.PathLike, folder: str = '') -> str:
    """Return the path of a config: a given path, or a config of this package.

    Args:
        name (str | os.PathLike): A path from the current folder; or one below ``configs/`` of this
            package, with or without ``configs/`` and ``.py``, such as ``'spact_r3d_ucf101'``,
            ``'configs/eval/action_r3d_demo.py'`` or ``'spact_mm::spact_r3d_demo.py'``.
        folder (str): A folder of ``configs/`` that is searched first, such as ``'protocols'``.

    Returns:
        str: The path. A path from the current folder takes precedence.

    Raises:
        FileNotFoundError: If no such file exists in either place.
    """
    name = os.fspath(name)
    if os.path.isfile(name):
        return name
    below = name.removeprefix('spact_mm::').removeprefix('configs/')
    for place in dict.fromkeys((folder, '')):
        for path in (MIM / 'configs' / place / below, MIM / 'configs' / place / f'{below}.py'):
            # Paths outside of the configs are not allowed.
            if '..' not in path.parts and path.is_file():
                return str(path)
    raise FileNotFoundError(
        f'There is no config {name}, neither from the current folder nor in {MIM / "configs"}; '
        'correct the path.'
    )


def find_config_of_protocol(name: str | os.PathLike, protocol: str | os.PathLike) -> str:
    """Return the path of a config that a protocol's file names.

    Args:
        name (str | os.PathLike): A path from the folder of the protocol's file, or
            ``'spact_mm::…'``. A user's protocol based on one of this package inherits paths
            relative to the latter's folder, which is searched second.
        protocol (str | os.PathLike): The protocol's file.

    Returns:
        str: The path; if no such file exists in either place, the first one.
    """
    name = os.fspath(name)
    beside = os.path.join(os.path.dirname(os.fspath(protocol)), name)
    if name.startswith('spact_mm::'):
        return find_config(name)
    inherited = os.path.normpath(os.path.join('protocols', name))
    path = MIM / 'configs' / inherited
    is_inside = not inherited.startswith('..') and not os.path.isabs(name)
    return str(path) if not os.path.isfile(beside) and is_inside and path.is_file() else beside


def find_packaged_tool(name: str) -> Path:
    """Return the path of a file of ``tools/``, such as ``'data/demo/render'``.

    Args:
        name (str): Path below ``tools/``, without the suffix ``.py``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    for path in (MIM / 'tools' / name, MIM / 'tools' / f'{name}.py'):
        if '..' not in path.parts and path.is_file():
            return path
    raise FileNotFoundError(f'There is no tool {name} in {MIM / "tools"}; correct the name.')


def list_models() -> list[str]:
    """Return the names of the anonymizers whose weights are in this package."""
    return sorted(path.stem for path in WEIGHTS.glob('*.pth'))


def find_model(name: str) -> Path:
    """Return the checkpoint of an anonymizer whose weights are in this package.

    Raises:
        ValueError: If there is none of this name, or the file is not the one that was measured.
    """
    if name not in list_models():
        raise ValueError(
            f'There is no model {name} in this package; there are {", ".join(list_models())}.'
        )
    path = WEIGHTS / f'{name}.pth'
    _check_hash(path, read_card(path)['sha256'], '.md')
    return path


def find_graph(checkpoint: str | os.PathLike) -> Path | None:
    """Return the ONNX file of a checkpoint in this package; None for any other checkpoint.

    Raises:
        ValueError: If the file is not the one that was made of the checkpoint.
    """
    card = read_card(checkpoint)
    if card is None:
        return None
    path = Path(checkpoint).resolve().with_suffix('.onnx')
    _check_hash(path, card['onnx_sha256'], '.json')
    return path


def _check_hash(path: Path, sha256: str, card_suffix: str) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(
            f'{path} is not the file that {path.with_suffix(card_suffix).name} tells of: install '
            'this package anew.'
        )


def read_card(checkpoint: str | os.PathLike) -> dict | None:
    """Return the card of a checkpoint in this package; None for any other.

    Returns:
        dict | None: ``sha256`` of the file; ``onnx_sha256`` of its ONNX file; ``size``, the shorter
        side in pixels of the frames on which the anonymizer was measured; and ``measured``, the
        results.
    """
    path = Path(checkpoint).resolve()
    if path.parent != WEIGHTS:
        return None
    return json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
