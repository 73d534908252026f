"""An unpickler that maps every name in a file to an object of this package.

No object that a file names is imported or called, and no memory is taken for the file's declared
sizes: storages, tensors and arrays become stand-ins, whose sizes fit each other and the file.
"""

import pickle
import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .stand_ins import (
    ForbiddenGlobalError,
    NamedGlobal,
    StoredArray,
    StoredBytes,
    StoredDtype,
    StoredHistory,
    StoredTensor,
    from_bytes,
)

_STATISTICS = ('min', 'max', 'current', 'mean')
#: Opcodes that ``torch.save`` does not use.
_LEFT_OUT = (
    pickle.INST + pickle.OBJ + pickle.NEWOBJ_EX + pickle.EXT1 + pickle.EXT2 + pickle.EXT4
    + pickle.PERSID + pickle.BYTEARRAY8 + pickle.NEXT_BUFFER + pickle.READONLY_BUFFER
)  # fmt: skip


def _scalar(dtype: StoredDtype, data: bytes) -> np.generic:
    if len(data) != dtype.dtype.itemsize:
        raise ValueError(f'a {dtype.dtype} of {len(data)} bytes')
    return from_bytes(data, dtype.dtype)[0] if data else dtype.dtype.type()


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    if encoding != 'latin1':
        raise ValueError(f'bytes in {encoding}')
    return text.encode('latin1')


def _statistic(owner: Any, name: str) -> str:
    """Stands for ``getattr``, which a pickled ``HistoryBuffer`` calls for its statistics."""
    if (
        not isinstance(owner, NamedGlobal)
        or owner.make is not StoredHistory
        or name not in _STATISTICS
    ):
        raise ForbiddenGlobalError('builtins.getattr')
    return name


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    if not isinstance(storage, StoredBytes) or metadata:
        raise ValueError('a tensor without a storage, or with marks')
    return StoredTensor(
        storage, storage.dtype, offset, tuple(size), tuple(stride), requires_grad is True
    )


def _typed_tensor(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
    if not isinstance(storage, StoredBytes) or not isinstance(dtype, torch.dtype) or metadata:
        raise ValueError('a tensor without a storage or type, or with marks')
    return StoredTensor(storage, dtype, offset, tuple(size), tuple(stride), requires_grad is True)


def _parameter(data: StoredTensor, requires_grad: bool, *_) -> StoredTensor:
    if not isinstance(data, StoredTensor):
        raise ValueError('a parameter without a tensor')
    parts = (data.storage, data.dtype, data.offset, data.size, data.stride)
    return StoredTensor(*parts, requires_grad is True, is_parameter=True)


def _tensor_with_attributes(
    make: NamedGlobal, kind: NamedGlobal, arguments: tuple, _
) -> StoredTensor:
    return make.make(*arguments)


def _integers(size) -> torch.Size:
    if not all(type(n) is int for n in size):
        raise ValueError('a torch.Size of other things than numbers')
    return torch.Size(size)


def _text(kind: Callable) -> Callable:
    """Return ``kind``, restricted to arguments of text and numbers that are no bare size."""

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
        # Protocol 2 writes empty bytes in this way.
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
        ('numpy', 'dtype'): StoredDtype,
        ('mmengine.logging.history_buffer', 'HistoryBuffer'): StoredHistory,
    }
    # numpy 2 renamed the module of these two; the name in a file depends on the version that wrote
    # it.
    for core in ('core', '_core'):
        makers[f'numpy.{core}.multiarray', '_reconstruct'] = StoredArray
        makers[f'numpy.{core}.multiarray', 'scalar'] = _scalar
    known: dict[tuple[str, str], Any] = {
        key: NamedGlobal('.'.join(key), make) for key, make in makers.items()
    }
    storages = dict(
        Double='float64', Float='float32', Half='float16', BFloat16='bfloat16', Long='int64',
        Int='int32', Short='int16', Char='int8', Byte='uint8', Bool='bool',
        ComplexFloat='complex64', ComplexDouble='complex128',
    )  # fmt: skip
    for kind, name in storages.items():
        for module in ('torch', 'torch.cuda'):
            key = (module, f'{kind}Storage')
            known[key] = NamedGlobal('.'.join(key), dtype=getattr(torch, name))
    key = ('torch.storage', 'UntypedStorage')
    known[key] = NamedGlobal('.'.join(key), dtype=torch.uint8)
    for name, value in vars(torch).items():
        if isinstance(value, torch.dtype):
            known['torch', name] = value
    return known


class DataUnpickler(pickle._Unpickler):
    """An unpickler that returns plain data and stand-ins.

    It is based on the unpickler in Python. The one in C allocates memory for any memo index in a
    file.
    """

    _KNOWN = _known_globals()

    def __init__(self, file, max_bytes: int) -> None:
        super().__init__(file, encoding='utf-8')
        self.max_bytes = max_bytes
        self.storages: dict[str, StoredBytes] = {}

    def find_class(self, module: str, name: str):
        """Return the object that stands for a name, or refuse the name."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        if (module, name) not in self._KNOWN:
            raise ForbiddenGlobalError(f'{module}.{name}')
        return self._KNOWN[module, name]

    def persistent_load(self, saved: tuple) -> StoredBytes:
        """Return a storage; all storages together must not be larger than the file."""
        what, kind, key, location, count, *view = saved
        if what != 'storage' or any(part is not None for part in view):
            raise ForbiddenGlobalError(f'torch {str(what)[:20]}')
        if not isinstance(kind, NamedGlobal) or kind.dtype is None or type(count) is not int:
            raise ValueError('a storage of no type or size')
        if not isinstance(key, str) or not re.fullmatch(r'(?!meta)[a-z]+(:\d+)?', location):
            raise ValueError('a storage of no name or place')
        if count < 0:
            raise ValueError('a storage of a negative size')
        storage = StoredBytes(key, kind.dtype, location, count * kind.dtype.itemsize)
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
        """Call the object that stands for a name."""
        arguments, function = self.stack.pop(), self.stack[-1]
        if not isinstance(function, NamedGlobal) or not isinstance(arguments, tuple):
            raise ValueError('a call of no function')
        if function.make is None:
            raise ForbiddenGlobalError(function.name)
        self.stack[-1] = function.make(*arguments)

    def load_build(self) -> None:
        """Set the state of a stand-in or of the dictionary of weights."""
        state, instance = self.stack.pop(), self.stack[-1]
        if isinstance(instance, (StoredDtype, StoredArray, StoredHistory)):
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
        if code not in _LEFT_OUT
    }
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
