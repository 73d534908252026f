"""The contents of PyTorch's checkpoint files, read as data.

``torch.load(weights_only=True)`` imports nothing that a file names, but believes the sizes in it:
it takes the memory of a tensor that the file does not hold, reads numpy arrays beyond their end,
and does not look at the archive's checksums. Here every name stands for an object of this module,
all sizes are compared with what is in the file before memory is taken, and every byte of a tensor
that is in an archive has passed its CRC-32.
"""

import math
import os
import pickle
import re
import struct
import sys
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

#: What the older format, before torch 1.6, begins with.
_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
#: Bounds of what later code walks through: levels of nesting, and values if each is counted as
#: often as it is reached.
_MAX_DEPTH, _MAX_VALUES = 100, 10**7
#: Bound of a dimension of something empty, whose size the file cannot tell.
_MAX_SIDE = 2**31
_CHUNK = 1 << 20
_STATISTICS = ('min', 'max', 'current', 'mean')


class ForbiddenGlobalError(ValueError):
    """A file names something that is no plain data; its argument is the name."""


class MisplacedTensorError(ValueError):
    """Tensors were on a device that is not here; the argument ends a sentence."""


#: What else :func:`read_checkpoint` raises where a file is damaged or of another kind.
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


@dataclass(eq=False)
class _Global:
    """Stands for what a file names; ``make`` is called in its place."""

    name: str
    make: Callable | None = None
    dtype: torch.dtype | None = None


@dataclass(eq=False)
class _Storage:
    """The bytes of tensors, before they are read."""

    key: str
    dtype: torch.dtype
    location: str
    num_bytes: int


@dataclass(eq=False)
class _Tensor:
    """A view of a storage, before that is read."""

    storage: _Storage
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    is_parameter: bool = False

    def __post_init__(self) -> None:
        numbers = [self.offset, *self.size, *self.stride]
        if not all(type(n) is int and 0 <= n < 2**62 for n in numbers) or len(self.size) > 64:
            raise ValueError(f'a tensor of the shape {self.size}')
        held = self.storage.num_bytes // self.dtype.itemsize
        steps = zip(self.size, self.stride, strict=True)
        last = self.offset + sum((side - 1) * step for side, step in steps)
        count = math.prod(self.size)
        fits = last < held and count <= held if count else max(self.size) < _MAX_SIDE
        if not fits:
            raise ValueError(f'a tensor of the shape {self.size} in a storage of {held} numbers')


class _Dtype:
    """Stands for a ``numpy.dtype`` of numbers, booleans or text."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSU]\d{1,5}', code):
            raise ForbiddenGlobalError(f'numpy.dtype of {str(code)[:20]!r}')
        self.dtype = np.dtype(code)

    def set_state(self, state: tuple) -> None:
        """Take the byte order; nothing else of it can be told by a file."""
        if state[1] not in ('<', '>', '|', '=') or any(part is not None for part in state[2:5]):
            raise ForbiddenGlobalError('numpy.dtype of several fields')
        if state[1] == '>':
            self.dtype = self.dtype.newbyteorder('>')


class _Array:
    """Stands for a ``numpy.ndarray``."""

    def __init__(self, *_) -> None:
        self.state = None

    def set_state(self, state: tuple) -> None:
        """Take shape, type and bytes."""
        self.state = state

    def value(self) -> np.ndarray:
        """Return an array of its own memory."""
        _, shape, dtype, is_fortran, data = self.state
        dtype = dtype.dtype
        if not all(type(n) is int and 0 <= n < _MAX_SIDE for n in shape) or len(shape) > 32:
            raise ValueError(f'an array of the shape {shape}')
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f'an array of the shape {shape} with {len(data)} bytes')
        if not data:
            return np.zeros(shape, dtype)
        array = _from_bytes(data, dtype).reshape(shape, order='F' if is_fortran else 'C')
        return array.copy(order='K')


class _History:
    """Stands for a ``HistoryBuffer``, which unmodified MMEngine stores as an object."""

    def __init__(self) -> None:
        self.state = None

    def set_state(self, state: dict) -> None:
        """Take the histories; the statistics are those of the class."""
        self.state = state

    def value(self) -> HistoryBuffer:
        """Return the buffer."""
        length = self.state['max_length']
        if type(length) is not int or length < 1:
            raise ValueError('a history of no length')
        buffer = HistoryBuffer(max_length=length)
        for name in ('_log_history', '_count_history'):
            array = self.state[name].value()
            if array.ndim != 1 or array.dtype.kind not in 'biuf':
                raise ValueError(f'a history of the type {array.dtype}')
            setattr(buffer, name, array)
        return buffer


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    if len(data) != dtype.dtype.itemsize:
        raise ValueError(f'a {dtype.dtype} of {len(data)} bytes')
    return _from_bytes(data, dtype.dtype)[0] if data else dtype.dtype.type()


def _from_bytes(data: bytes, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == 'U':
        letters = np.frombuffer(data, np.dtype('u4').newbyteorder(dtype.byteorder))
        if letters.max() > sys.maxunicode:
            raise ValueError('text of letters that do not exist')
    return np.frombuffer(data, dtype)


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    if encoding != 'latin1':
        raise ValueError(f'bytes in {encoding}')
    return text.encode('latin1')


def _statistic(owner: Any, name: str) -> str:
    """Stand for ``getattr``, by which a ``HistoryBuffer`` names its statistics."""
    if not isinstance(owner, _Global) or owner.make is not _History or name not in _STATISTICS:
        raise ForbiddenGlobalError('builtins.getattr')
    return name


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    if not isinstance(storage, _Storage) or metadata:
        raise ValueError('a tensor without a storage, or with marks')
    return _Tensor(
        storage, storage.dtype, offset, tuple(size), tuple(stride), requires_grad is True
    )


def _typed_tensor(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
    if not isinstance(storage, _Storage) or not isinstance(dtype, torch.dtype) or metadata:
        raise ValueError('a tensor without a storage or type, or with marks')
    return _Tensor(storage, dtype, offset, tuple(size), tuple(stride), requires_grad is True)


def _parameter(data: _Tensor, requires_grad: bool, *_) -> _Tensor:
    if not isinstance(data, _Tensor):
        raise ValueError('a parameter without a tensor')
    parts = (data.storage, data.dtype, data.offset, data.size, data.stride)
    return _Tensor(*parts, requires_grad is True, is_parameter=True)


def _tensor_with_attributes(make: _Global, kind: _Global, arguments: tuple, _) -> _Tensor:
    return make.make(*arguments)


def _integers(size) -> torch.Size:
    if not all(type(n) is int for n in size):
        raise ValueError('a torch.Size of other things than numbers')
    return torch.Size(size)


def _text(kind: Callable) -> Callable:
    """Return ``kind`` for arguments of plain text and numbers, and of no size alone."""

    def make(*arguments):
        if any(not isinstance(a, (str, int, float)) for a in arguments):
            raise ValueError(f'a {kind.__name__} of {len(arguments)} arguments')
        return kind(*arguments)

    return make


def _bytearray(data: bytes = b'', encoding: str = 'latin1') -> bytearray:
    return bytearray(_encode(data, encoding) if isinstance(data, str) else bytes(data[:]))


def _known_globals() -> dict[tuple[str, str], Any]:
    makers = {
        ('collections', 'OrderedDict'): lambda items=(): OrderedDict(items),
        ('collections', 'Counter'): lambda items=(): Counter(dict(items)),
        ('builtins', 'set'): lambda items=(): set(items),
        ('builtins', 'complex'): _text(complex),
        # Protocol 2 writes empty bytes so.
        ('builtins', 'bytes'): lambda: b'',
        ('builtins', 'bytearray'): _bytearray,
        ('builtins', 'getattr'): _statistic,
        ('_codecs', 'encode'): _encode,
        ('torch', 'Size'): _integers,
        ('torch', 'device'): _text(torch.device),
        ('torch._utils', '_rebuild_tensor'): _tensor,
        ('torch._utils', '_rebuild_tensor_v2'): _tensor,
        ('torch._utils', '_rebuild_tensor_v3'): _typed_tensor,
        ('torch._utils', '_rebuild_parameter'): _parameter,
        ('torch._utils', '_rebuild_parameter_with_state'): _parameter,
        ('torch._tensor', '_rebuild_from_type_v2'): _tensor_with_attributes,
        ('torch', 'Tensor'): None,
        ('torch.nn.parameter', 'Parameter'): None,
        ('numpy', 'ndarray'): None,
        ('numpy', 'dtype'): _Dtype,
        ('mmengine.logging.history_buffer', 'HistoryBuffer'): _History,
    }
    # numpy 2 renamed the module of these two, so the name in a file depends on who wrote it.
    for core in ('core', '_core'):
        makers[f'numpy.{core}.multiarray', '_reconstruct'] = _Array
        makers[f'numpy.{core}.multiarray', 'scalar'] = _scalar
    known: dict[tuple[str, str], Any] = {
        key: _Global('.'.join(key), make) for key, make in makers.items()
    }
    storages = dict(
        Double='float64', Float='float32', Half='float16', BFloat16='bfloat16', Long='int64',
        Int='int32', Short='int16', Char='int8', Byte='uint8', Bool='bool',
        ComplexFloat='complex64', ComplexDouble='complex128',
    )  # fmt: skip
    for kind, name in storages.items():
        for module in ('torch', 'torch.cuda'):
            key = (module, f'{kind}Storage')
            known[key] = _Global('.'.join(key), dtype=getattr(torch, name))
    key = ('torch.storage', 'UntypedStorage')
    known[key] = _Global('.'.join(key), dtype=torch.uint8)
    for name, value in vars(torch).items():
        if isinstance(value, torch.dtype):
            known['torch', name] = value
    return known


class _DataUnpickler(pickle._Unpickler):
    """An unpickler of plain data and of this module's stand-ins.

    It is that of Python, not of C, as the latter takes memory for any number that a file gives to a
    value. What ``torch.save`` does not use is left out.
    """

    _KNOWN = _known_globals()

    def __init__(self, file, max_bytes: int) -> None:
        super().__init__(file, encoding='utf-8')
        self.max_bytes = max_bytes
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str):
        """Return what stands for a name, or refuse it."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        if (module, name) not in self._KNOWN:
            raise ForbiddenGlobalError(f'{module}.{name}')
        return self._KNOWN[module, name]

    def persistent_load(self, saved: tuple) -> _Storage:
        """Return a storage, once all of them together are no larger than the file."""
        what, kind, key, location, count, *view = saved
        if what != 'storage' or any(part is not None for part in view):
            raise ForbiddenGlobalError(f'torch {str(what)[:20]}')
        if not isinstance(kind, _Global) or kind.dtype is None or type(count) is not int:
            raise ValueError('a storage of no type or size')
        if not isinstance(key, str) or not re.fullmatch(r'(?!meta)[a-z]+(:\d+)?', location):
            raise ValueError('a storage of no name or place')
        if count < 0:
            raise ValueError('a storage of a negative size')
        storage = _Storage(key, kind.dtype, location, count * kind.dtype.itemsize)
        if key in self.storages:
            known = self.storages[key]
            if known.num_bytes != storage.num_bytes:
                raise ValueError('a storage of two sizes')
            return known if known.dtype is storage.dtype else storage
        self.max_bytes -= storage.num_bytes
        if self.max_bytes < 0:
            raise ValueError('tensors that are larger than the file')
        self.storages[key] = storage
        return storage

    def load_reduce(self) -> None:
        """Call what stands for a name."""
        arguments, function = self.stack.pop(), self.stack[-1]
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise ValueError('a call of no function')
        if function.make is None:
            raise ForbiddenGlobalError(function.name)
        self.stack[-1] = function.make(*arguments)

    def load_build(self) -> None:
        """Give a stand-in, or the weights' dictionary, its state."""
        state, instance = self.stack.pop(), self.stack[-1]
        if isinstance(instance, (_Dtype, _Array, _History)):
            instance.set_state(state)
        elif type(instance) is OrderedDict and isinstance(state, dict):
            if set(state) - {'_metadata'} or not isinstance(state.get('_metadata', {}), dict):
                raise ValueError('a dictionary with attributes')
            instance.__dict__.update(state)
        else:
            raise ForbiddenGlobalError(f'state of a {type(instance).__name__}')

    dispatch = {
        code: function
        for code, function in pickle._Unpickler.dispatch.items()
        if code
        not in b''.join(
            (
                pickle.INST,
                pickle.OBJ,
                pickle.NEWOBJ_EX,
                pickle.EXT1,
                pickle.EXT2,
                pickle.EXT4,
                pickle.PERSID,
                pickle.BYTEARRAY8,
                pickle.NEXT_BUFFER,
                pickle.READONLY_BUFFER,
            )
        )
    }
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build


class _Resolver:
    """Put values in the place of stand-ins, once the storages are there."""

    def __init__(self, read_storage: Callable[[_Storage], Tensor]) -> None:
        self._read_storage = read_storage
        self._done: dict[int, tuple[Any, int, Any]] = {}
        self._open: set[int] = set()

    def resolve(self, value, depth: int = 0) -> tuple[Any, int]:
        """Return a value and how many it holds.

        Raises:
            ForbiddenGlobalError: If there is anything but plain data.
            ValueError: If it holds itself, or is nested too deeply or too often.
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
        # The value is kept too, or another could get its id.
        self._done[id(value)] = resolved, count, value
        return resolved, count

    def _resolve(self, value, depth: int) -> tuple[Any, int]:
        if isinstance(value, _Tensor):
            return self._view(value), 1
        if isinstance(value, (_Array, _History)):
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
            value.name if isinstance(value, _Global) else type(value).__name__.strip('_')
        )

    def _view(self, tensor: _Tensor) -> Tensor:
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
    """Read a file that ``torch.save`` wrote, in its present or its older format.

    Args:
        file (BinaryIO): Open for reading, with ``seek``.
        map_location: As in :func:`torch.load`. Defaults to None.

    Returns:
        The contents: tensors, numbers, text, numpy arrays of these, and their containers.

    Raises:
        ForbiddenGlobalError: If it names anything else.
        MisplacedTensorError: If its tensors cannot be put where they belong.
        Exception: One of :data:`DAMAGE`, if it is damaged or of another kind.
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
            # The end of the pickle need not be that of the record, which holds the checksum.
            pickled = _Limited(stream, records[contents[0]].file_size)
            unpickler = _DataUnpickler(pickled, size)
            content = unpickler.load()
            stream.read()
        read = {}
        for key, storage in unpickler.storages.items():
            record = records[f'{folder}data/{key}']
            if record.file_size != storage.num_bytes:
                raise ValueError(f'a storage of {record.file_size} bytes')
        # Memory is taken from here on.
        for key, storage in unpickler.storages.items():
            with archive.open(records[f'{folder}data/{key}']) as stream:
                data = _read_bytes(stream, storage.num_bytes)
            read[key] = _place(data, storage.location, map_location)
    return _Resolver(lambda storage: read[storage.key]).resolve(content)[0]


def _read_legacy(file: BinaryIO, size: int, map_location):
    limited = _Limited(file, size)
    if _DataUnpickler(limited, size).load() != _LEGACY_MAGIC:
        raise ValueError('another kind of file')
    if _DataUnpickler(limited, size).load() != _LEGACY_VERSION:
        raise ValueError('another version')
    machine = _DataUnpickler(limited, size).load()
    if machine.get('little_endian') is not True:
        raise ValueError('numbers in another byte order')
    unpickler = _DataUnpickler(limited, size)
    content = unpickler.load()
    keys = _DataUnpickler(limited, size).load()
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
    """A file of which no more is asked for than is left, or Python would take the memory first."""

    def __init__(self, file, size: int) -> None:
        self._file, self._left = file, size

    def read(self, count: int) -> bytes:
        """Read up to so many bytes."""
        data = self._file.read(min(count, self._left))
        self._left -= len(data)
        return data

    def readline(self) -> bytes:
        """Read a line."""
        data = self._file.readline()
        self._left -= len(data)
        return data


def _read_bytes(file, count: int) -> Tensor:
    """Read so many bytes, uint8."""
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
    """Move bytes to where :func:`torch.load` would put their storage."""
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
