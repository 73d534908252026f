"""Reading checkpoint files without running anyone's code."""

import io
import os
import pickle
import re
import struct
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version


class UnsafeCheckpointError(ValueError):
    """A checkpoint holds Python objects other than plain data, which could run code when loaded."""


def load_from_local(filename: str, map_location=None) -> dict:
    """Load a local checkpoint file with ``weights_only=True``.

    Plain data and tensors pass, and so do (from torch 2.6 on) the few classes in checkpoints of an
    unmodified MMEngine: ``HistoryBuffer``, numeric numpy arrays and scalars.

    Args:
        filename (str): Path of the file; ``~`` is expanded.
        map_location: As in :func:`torch.load`. Defaults to None.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeCheckpointError: If it holds any other Python object.
        ValueError: If it is truncated, or no checkpoint at all.
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
        **kwargs: ``file_name`` of :func:`torch.hub.load_state_dict_from_url`.

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
    """Load a checkpoint of an object store with the restrictions of :func:`load_from_local`."""
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
    start = file.read(2)
    file.seek(0)
    try:
        with _mmengine_globals():
            return torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r'(?:GLOBAL|[Uu]nsupported class) ([\w.]+)', str(error))
        # Without a name and without the mark of a zip file or pickle it is a web page, a Git LFS
        # pointer and the like.
        if found is not None or start in (
            b'PK',
            b'\x80\x02',
            b'\x80\x03',
            b'\x80\x04',
            b'\x80\x05',
        ):
            what = f'the global {found[1]}' if found else 'Python objects'
            raise UnsafeCheckpointError(
                f'{filename} is not loaded, because it holds {what} and a pickle can run code: '
                'take a checkpoint of weights only, or, if you trust its author, save its '
                'state_dict again as plain tensors (checkpoints written by MMEngine without '
                'PlainCheckpointHook need torch >= 2.6).'
            ) from None
        problem = error
    except (
        EOFError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        AssertionError,
        struct.error,
    ) as error:
        problem = error
    except RuntimeError as error:
        if not re.search('PytorchStreamReader|corrupt', str(error)):
            raise
        problem = error
    raise ValueError(
        f'{filename} is no whole PyTorch checkpoint (truncated, damaged or another kind of file): '
        'copy or download it again, or use an older one.'
    ) from problem


def _mmengine_globals():
    """Return a context in which the classes of MMEngine's own checkpoints may be loaded."""
    if digit_version(torch.__version__) < digit_version('2.6'):
        return nullcontext()
    # numpy 2 renamed the module of these two, so the name in a file depends on who wrote it.
    names = {'_reconstruct': np.zeros(1).__reduce__()[0], 'scalar': np.float64().__reduce__()[0]}
    allowed = [
        (function, f'numpy.{core}.multiarray.{name}')
        for name, function in names.items()
        for core in ('core', '_core')
    ]
    allowed += [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in '?bhilqBHILQefdSU'}]
    allowed += [HistoryBuffer, (_get_statistic, 'builtins.getattr')]
    return torch.serialization.safe_globals(allowed)


def _get_statistic(owner: type, name: str):
    """Stand in for ``getattr``, by which a pickled ``HistoryBuffer`` names its four statistics."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr of {owner}')
    return getattr(owner, name)
