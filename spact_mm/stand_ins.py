"""Stand-ins for values of a checkpoint until their sizes are checked."""

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

#: Bound on a dimension of an empty tensor or array, whose size the file cannot confirm.
_MAX_SIDE = 2**31


class ForbiddenGlobalError(ValueError):
    """A file names an object that is no plain data; the argument is the name."""


@dataclass(eq=False)
class NamedGlobal:
    """Stands for an object that a file names; ``make`` is called in its place."""

    name: str
    make: Callable | None = None
    dtype: torch.dtype | None = None


@dataclass(eq=False)
class StoredBytes:
    """Stands for the bytes of tensors that are not read yet."""

    key: str
    dtype: torch.dtype
    location: str
    num_bytes: int


@dataclass(eq=False)
class StoredTensor:
    """Stands for a view of a storage that is not read yet."""

    storage: StoredBytes
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


class StoredDtype:
    """Stands for a ``numpy.dtype`` of numbers, booleans or text."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSU]\d{1,5}', code):
            raise ForbiddenGlobalError(f'numpy.dtype of {str(code)[:20]!r}')
        self.dtype = np.dtype(code)

    def set_state(self, state: tuple) -> None:
        """Set the byte order; a file may not set anything else."""
        if state[1] not in ('<', '>', '|', '=') or any(part is not None for part in state[2:5]):
            raise ForbiddenGlobalError('numpy.dtype of several fields')
        if state[1] == '>':
            self.dtype = self.dtype.newbyteorder('>')


class StoredArray:
    """Stands for a ``numpy.ndarray``."""

    def __init__(self, *_) -> None:
        self.state = None

    def set_state(self, state: tuple) -> None:
        """Set shape, type and bytes."""
        self.state = state

    def value(self) -> np.ndarray:
        """Return an array with its own memory."""
        _, shape, dtype, is_fortran, data = self.state
        dtype = dtype.dtype
        if not all(type(n) is int and 0 <= n < _MAX_SIDE for n in shape) or len(shape) > 32:
            raise ValueError(f'an array of the shape {shape}')
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f'an array of the shape {shape} with {len(data)} bytes')
        if not data:
            return np.zeros(shape, dtype)
        array = from_bytes(data, dtype).reshape(shape, order='F' if is_fortran else 'C')
        return array.copy(order='K')


class StoredHistory:
    """Stands for a ``HistoryBuffer``, which unmodified MMEngine stores as an object."""

    def __init__(self) -> None:
        self.state = None

    def set_state(self, state: dict) -> None:
        """Set the histories; the statistics are those of the class."""
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


def from_bytes(data: bytes, dtype: np.dtype) -> np.ndarray:
    """Return the numbers or texts in the bytes, (N,).

    Raises:
        ValueError: If a text has invalid characters.
    """
    if dtype.kind == 'U':
        letters = np.frombuffer(data, np.dtype('u4').newbyteorder(dtype.byteorder))
        if letters.max() > sys.maxunicode:
            raise ValueError('text of letters that do not exist')
    return np.frombuffer(data, dtype)
