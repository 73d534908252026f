"""Functions shared by the converters of other projects' weights."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from spact_mm.safe_checkpoint import load_from_local

StateDict = dict[str, Tensor]


def load(path: Path, hint: str) -> dict:
    """Load a file of weights without running code from it.

    Args:
        path (Path): The file.
        hint (str): Source of the file, the end of a sentence.

    Raises:
        FileNotFoundError: If it is absent.
        ValueError: If it is damaged, or holds more than plain data.
    """
    if not path.is_file():
        raise FileNotFoundError(f'The weights file {path} does not exist; {hint}.')
    try:
        content = load_from_local(str(path), 'cpu')
    except ValueError as error:
        raise ValueError(f'{str(error).removesuffix(".")}; {hint}.') from error
    if not isinstance(content, Mapping):
        raise ValueError(f'{path} holds a {type(content).__name__} instead of weights; {hint}.')
    return dict(content)


def find(content: Mapping, *path: str) -> StateDict | None:
    """Return the state dict at a path of keys, without the ``module.`` of DataParallel.

    Returns:
        dict | None: The state dict; None if there is none.
    """
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping):
        return None
    return {str(key).removeprefix('module.'): value for key, value in content.items()}


def check(state: Mapping, expected: Mapping[str, Sequence[int]], what: str) -> None:
    """Check that weights are those of a network.

    Args:
        state (Mapping): The weights.
        expected (Mapping): The shape of each tensor of the network, -1 for an arbitrary side.
        what (str): The file and the network, the beginning of a sentence such as
            ``"a.pth is not torchvision's r3d_18"``.

    Raises:
        ValueError: If weights are missing, unexpected, no tensors or of another shape; names them.
    """
    faults = {
        'missing': [
            # Counters of BatchNorm, which old files lack and nothing uses.
            key
            for key in expected
            if key not in state and not key.endswith('num_batches_tracked')
        ],
        'unexpected': [str(key) for key in state if key not in expected],
        'of another shape': [
            key for key in expected if key in state and not _fits(state[key], expected[key])
        ],
    }
    if any(faults.values()):
        named = '; '.join(f'{kind}: {_enumerate(keys)}' for kind, keys in faults.items() if keys)
        raise ValueError(f'{what} ({named}).')


def _fits(value, shape: Sequence[int]) -> bool:
    return (
        isinstance(value, Tensor)
        and value.ndim == len(shape)
        and all(side in (-1, own) for own, side in zip(value.shape, shape, strict=True))
    )


def _enumerate(keys: Sequence[str], num_shown: int = 5) -> str:
    more = f' and {len(keys) - num_shown} more' if len(keys) > num_shown else ''
    return ', '.join(keys[:num_shown]) + more


def shapes_of(modules: Iterable[tuple[str, Sequence[int], bool]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's tensors.

    Args:
        modules (Iterable): Name, shape of the weight and whether there is a bias, for convolutions
            and linear layers; a shape of one side is a BatchNorm.
    """
    shapes = {}
    for name, shape, has_bias in modules:
        shapes[f'{name}.weight'] = tuple(shape)
        if has_bias or len(shape) == 1:
            shapes[f'{name}.bias'] = tuple(shape[:1])
        if len(shape) == 1:
            shapes[f'{name}.running_mean'] = shapes[f'{name}.running_var'] = tuple(shape)
            shapes[f'{name}.num_batches_tracked'] = ()
    return shapes


def save(target: Path, state: StateDict, **meta) -> None:
    """Write weights and their metadata, plain values, as a checkpoint; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta=meta, state_dict=state), target)
