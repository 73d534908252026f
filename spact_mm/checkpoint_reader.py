"""The contents of PyTorch's checkpoint files, read as data.

``torch.load(weights_only=True)`` imports nothing that a file names, but trusts the file's sizes: it
takes the memory of a tensor that the file does not hold, reads numpy arrays beyond their end, and
ignores the archive's checksums. Here every name stands for an object of this package, all sizes are
compared with the file before memory is taken, and every byte of a tensor in an archive has passed
its CRC-32.
"""

import os
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from .data_unpickler import DataUnpickler
from .stand_ins import (
    ForbiddenGlobalError,
    NamedGlobal,
    StoredArray,
    StoredBytes,
    StoredHistory,
    StoredTensor,
)

#: Beginning of a file in the older format, before torch 1.6.
_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
#: Bounds for code that walks through the contents: levels of nesting, and number of values, counted
#: as often as they are reached.
_MAX_DEPTH, _MAX_VALUES = 100, 10**7
_CHUNK = 1 << 20


class MisplacedTensorError(ValueError):
    """Tensors were on a device that this machine lacks; the argument ends a sentence."""


#: Further errors of :func:`read_checkpoint` for a damaged file or another kind of file.
DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


class _Resolver:
    """Replace stand-ins by values, once the storages are read."""

    def __init__(self, read_storage: Callable[[StoredBytes], Tensor]) -> None:
        self._read_storage = read_storage
        self._done: dict[int, tuple[Any, int, Any]] = {}
        self._open: set[int] = set()

    def resolve(self, value, depth: int = 0) -> tuple[Any, int]:
        """Return a value and the number of values in it.

        Raises:
            ForbiddenGlobalError: If the value holds anything but plain data.
            ValueError: If the value holds itself, or is nested too deeply or repeated too often.
        """
        if _is_leaf(value):
            return value, 1
        if id(value) in self._done:
            return self._done[id(value)][:2]
        if id(value) in self._open or depth > _MAX_DEPTH:
            raise ValueError('values that are nested too deeply')
        self._open.add(id(value))
        resolved, count = self._resolve(value, depth + 1)
        self._open.discard(id(value))
        if count > _MAX_VALUES:
            raise ValueError('values that are repeated too often')
        # The value is kept too; otherwise another value could get its id.
        self._done[id(value)] = resolved, count, value
        return resolved, count

    def _resolve(self, value, depth: int) -> tuple[Any, int]:
        if isinstance(value, StoredTensor):
            return self._view(value), 1
        if isinstance(value, (StoredArray, StoredHistory)):
            return value.value(), 1
        if type(value) in (dict, OrderedDict, Counter):
            count = 1
            for key, item in value.items():
                if not all(map(_is_leaf, key if type(key) is tuple else (key,))):
                    raise ValueError(f'a {type(key).__name__} as a key')
                value[key], size = self.resolve(item, depth)
                count += size
            if '_metadata' in getattr(value, '__dict__', {}):
                self.resolve(value._metadata, depth)
            return value, count
        if type(value) in (list, tuple, set):
            pairs = [self.resolve(item, depth) for item in value]
            count = 1 + sum(size for _, size in pairs)
            items = [item for item, _ in pairs]
            if type(value) is list:
                value[:] = items
                return value, count
            return type(value)(items), count
        raise ForbiddenGlobalError(
            value.name if isinstance(value, NamedGlobal) else type(value).__name__.strip('_')
        )

    def _view(self, tensor: StoredTensor) -> Tensor:
        flat = self._read_storage(tensor.storage)
        numbers = flat[: flat.numel() // tensor.dtype.itemsize * tensor.dtype.itemsize]
        made = numbers.view(tensor.dtype).as_strided(tensor.size, tensor.stride, tensor.offset)
        if tensor.is_parameter:
            return torch.nn.Parameter(made, tensor.requires_grad)
        return made.requires_grad_(tensor.requires_grad)


def _is_leaf(value) -> bool:
    return value is None or type(value) in _LEAVES or isinstance(value, np.generic)


_LEAVES = {
    bool, int, float, complex, str, bytes, bytearray, torch.dtype, torch.device, torch.Size,
}  # fmt: skip


def read_checkpoint(file: BinaryIO, map_location=None):
    """Read a file of ``torch.save``, in the current or the older format.

    Args:
        file (BinaryIO): The file, open for reading, with ``seek``.
        map_location: As in :func:`torch.load`. Defaults to None.

    Returns:
        The contents: tensors, numbers, text, numpy arrays of these, and their containers.

    Raises:
        ForbiddenGlobalError: If the file names anything else.
        MisplacedTensorError: If tensors cannot be moved to their device.
        Exception: One of :data:`DAMAGE`, if the file is damaged or of another kind.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    is_archive = file.read(4) == b'PK\x03\x04'
    file.seek(0)
    return (_read_archive if is_archive else _read_legacy)(file, size, map_location)


def _read_archive(file: BinaryIO, size: int, map_location):
    with zipfile.ZipFile(file) as archive:
        records = {info.filename: info for info in archive.infolist()}
        if len(records) < len(archive.infolist()):
            raise ValueError('an archive with two records of one name')
        if any(info.compress_type != zipfile.ZIP_STORED for info in records.values()):
            raise ValueError('an archive with compressed records')
        if any(
            info.flag_bits & 1 or not 0 <= info.header_offset < size for info in records.values()
        ):
            raise ValueError('an archive with records that are not in it')
        if sum(info.file_size for info in records.values()) > size:
            raise ValueError('an archive whose records are larger than itself')
        contents = [name for name in records if name.endswith('/data.pkl')]
        if len(contents) != 1:
            raise ValueError('an archive without one data.pkl')
        folder = contents[0].removesuffix('data.pkl')
        if f'{folder}constants.pkl' in records:
            raise ForbiddenGlobalError('TorchScript')
        order = f'{folder}byteorder'
        if order in records and archive.read(order) != b'little':
            raise ValueError('numbers in another byte order')
        with archive.open(contents[0]) as stream:
            # Read to the end of the record, where the checksum is tested: the pickle may end
            # earlier.
            pickled = _Limited(stream, records[contents[0]].file_size)
            unpickler = DataUnpickler(pickled, size)
            content = unpickler.load()
            stream.read()
        read = {}
        for key, storage in unpickler.storages.items():
            record = records[f'{folder}data/{key}']
            if record.file_size != storage.num_bytes:
                raise ValueError(f'a storage of {record.file_size} bytes')
        # Memory is taken only from here on.
        for key, storage in unpickler.storages.items():
            with archive.open(records[f'{folder}data/{key}']) as stream:
                data = _read_bytes(stream, storage.num_bytes)
            read[key] = _place(data, storage.location, map_location)
    return _Resolver(lambda storage: read[storage.key]).resolve(content)[0]


def _read_legacy(file: BinaryIO, size: int, map_location):
    limited = _Limited(file, size)
    if DataUnpickler(limited, size).load() != _LEGACY_MAGIC:
        raise ValueError('another kind of file')
    if DataUnpickler(limited, size).load() != _LEGACY_VERSION:
        raise ValueError('another version')
    machine = DataUnpickler(limited, size).load()
    if machine.get('little_endian') is not True:
        raise ValueError('numbers in another byte order')
    unpickler = DataUnpickler(limited, size)
    content = unpickler.load()
    keys = DataUnpickler(limited, size).load()
    if (
        not isinstance(keys, list)
        or set(unpickler.storages) - set(keys)
        or len(set(keys)) < len(keys)
    ):
        raise ValueError('a file with other storages than it names')
    read = {}
    for key in keys:
        storage = unpickler.storages[key]
        count = int.from_bytes(limited.read(8), 'little')
        if count * storage.dtype.itemsize != storage.num_bytes:
            raise ValueError(f'a storage of {count} numbers')
        data = _read_bytes(limited, storage.num_bytes)
        read[key] = _place(data, storage.location, map_location)
    return _Resolver(lambda storage: read[storage.key]).resolve(content)[0]


class _Limited:
    """A file that limits each read to its remaining bytes, as Python takes the memory first."""

    def __init__(self, file, size: int) -> None:
        self._file, self._left = file, size

    def read(self, count: int) -> bytes:
        """Read up to ``count`` bytes."""
        data = self._file.read(min(count, self._left))
        self._left -= len(data)
        return data

    def readline(self) -> bytes:
        """Read a line."""
        data = self._file.readline()
        self._left -= len(data)
        return data


def _read_bytes(file, count: int) -> Tensor:
    """Read ``count`` bytes as a uint8 tensor."""
    data = torch.empty(count, dtype=torch.uint8)
    view, done = data.numpy(), 0
    while done < count:
        chunk = file.read(min(_CHUNK, count - done))
        if not chunk:
            raise EOFError('a storage that is cut off')
        view[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    return data


def _place(data: Tensor, location: str, map_location) -> Tensor:
    """Move bytes to the device on which :func:`torch.load` would put their storage."""
    if callable(map_location):
        storage = map_location(data.untyped_storage(), location)
        if storage is not None:
            storage = getattr(storage, '_untyped_storage', storage)
            return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
        map_location = None
    if isinstance(map_location, dict):
        map_location = map_location.get(location)
    device = location if map_location is None else map_location
    if str(device) == 'cpu':
        return data
    try:
        return data.to(device)
    except (RuntimeError, AssertionError) as error:
        raise MisplacedTensorError(
            f"its tensors cannot be put on {device}: give map_location='cpu'."
        ) from error
