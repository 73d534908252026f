"""Reading checkpoint files without running code from them."""

import io
import os
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.fileio import get_file_backend

from .checkpoint_reader import DAMAGE, MisplacedTensorError, read_checkpoint
from .stand_ins import ForbiddenGlobalError


class UnsafeCheckpointError(ValueError):
    """A checkpoint holds Python objects other than plain data, which could run code when loaded."""


def load_from_local(filename: str, map_location=None) -> dict:
    """Load a local checkpoint file as data.

    Allowed are plain data, tensors, and the few classes in checkpoints of an unmodified MMEngine:
    ``HistoryBuffer``, numpy arrays and scalars of numbers and text. No name in the file is imported
    or called. Declared sizes that exceed the file are refused before memory is taken. In archives
    (since torch 1.6) every byte of a tensor has passed its checksum; the older format has no
    checksums.

    Args:
        filename (str): Path of the file; ``~`` is expanded.
        map_location: As in :func:`torch.load`. Defaults to None.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeCheckpointError: If the file holds any other Python object.
        ValueError: If the file is truncated, damaged or no checkpoint, or if its tensors were on a
            device that this machine lacks and ``map_location`` names no other.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(
            f'There is no checkpoint {filename}: check the path given to load_from, --resume or '
            'init_cfg.'
        )
    with open(filename, 'rb') as file:
        return _load_restricted(file, filename, map_location)


def load_from_url(
    url: str, model_dir: str | None = None, map_location=None, progress: bool = True, **kwargs
) -> dict:
    """Download a checkpoint to torch's cache, once, and load it like :func:`load_from_local`.

    Args:
        url (str): The address.
        model_dir (str, optional): Folder of the downloads. Defaults to torch's ``hub/checkpoints``.
        map_location: As in :func:`torch.load`. Defaults to None.
        progress (bool): Whether to show a progress bar. Defaults to True.
        **kwargs: The argument ``file_name`` of :func:`torch.hub.load_state_dict_from_url`.

    Returns:
        dict: The checkpoint.
    """
    folder = Path(model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints'))
    path = folder / (kwargs.get('file_name') or os.path.basename(urlparse(url).path))
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), None, progress=progress)
    return load_from_local(str(path), map_location)


def load_from_ceph(filename: str, map_location=None, backend: str = 'petrel') -> dict:
    """Load a checkpoint from an object store with the restrictions of :func:`load_from_local`."""
    data = get_file_backend(filename, backend_args={'backend': backend}).get(filename)
    return _load_restricted(io.BytesIO(data), filename, map_location)


def load_from_pavi(filename: str, map_location=None) -> dict:
    """Refuse the one address scheme of MMEngine that has no restricted loader.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        f'{filename} is not loaded, because pavi:// has no restricted loader: download the file '
        'and give its path.'
    )


def _load_restricted(file, filename: str, map_location) -> dict:
    try:
        return read_checkpoint(file, map_location)
    except ForbiddenGlobalError as error:
        raise UnsafeCheckpointError(
            f'{filename} is not loaded, because it holds the global {_printable(error)} and a '
            'pickle can run code: take a checkpoint of weights only, or, if you trust its author, '
            'save its state_dict again as plain tensors.'
        ) from None
    except MisplacedTensorError as error:
        raise ValueError(f'{filename} is not loaded, because {error}') from error.__cause__
    except DAMAGE as error:
        problem = error
    raise ValueError(
        f'{filename} is no whole PyTorch checkpoint (truncated, damaged or another kind of file: '
        f'{_printable(problem)}): copy or download it again, or use an older one.'
    ) from problem


def _printable(error: Exception) -> str:
    """Return the first line of an error, made printable: a file may put anything into it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ''.join(c if c.isprintable() else '?' for c in lines[0][:200]).rstrip('.')
