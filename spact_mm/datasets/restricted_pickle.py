"""Reading label pickles of others without running their code."""

import io
import os
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np


class UnsafePickleError(ValueError):
    """A pickle names a Python object other than a numeric array, which could run code."""


def load_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a pickled dictionary of numeric NumPy arrays.

    The four names by which a pickle makes such an array stand for classes of this module; nothing
    that a file names is imported or called.

    Args:
        path: The pickle, ``{'name': array, ...}`` with arrays of integers, floats or booleans.

    Returns:
        dict[str, np.ndarray]: The arrays by their names.

    Raises:
        FileNotFoundError: If the file is absent.
        UnsafePickleError: If it names any other global.
        ValueError: If it is damaged, not a pickle, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'The pickle {path} does not exist; download it or correct its path.'
        )
    try:
        data = path.read_bytes()
        _check_sizes(data)
        content = _ArrayUnpickler(io.BytesIO(data), path).load()
        return {_checked_name(name): array.value() for name, array in content.items()}
    except UnsafePickleError:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        MemoryError,
        OverflowError,
        struct.error,
    ) as error:
        raise ValueError(
            f'{path} is no whole pickle of a dictionary of numeric arrays '
            f'({type(error).__name__}: {str(error)[:200]!r}); download it again.'
        ) from error


class _Dtype:
    """Stands for ``numpy.dtype``, for numbers and booleans only."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in 'biuf':
            raise ValueError(f'an array of the type {code}')

    def __setstate__(self, state: tuple) -> None:
        if state[1] == '>':
            self.dtype = self.dtype.newbyteorder('>')


class _Array:
    """Stands for the function that makes an empty ``numpy.ndarray``, and for its result."""

    def __init__(self, *_) -> None:
        self.state = self._value = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def value(self) -> np.ndarray:
        """Return the array."""
        # A file may name one array a million times.
        if self._value is None:
            _, shape, dtype, is_fortran, data = self.state
            order = 'F' if is_fortran else 'C'
            self._value = np.frombuffer(data, dtype.dtype).reshape(shape, order=order).copy()
        return self._value


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows the globals of a pickled array, by stand-ins, and no other."""

    # numpy 2 renamed the module of the first, so the name in a file depends on who wrote it.
    _STAND_INS = {
        ('numpy.core.multiarray', '_reconstruct'): _Array,
        ('numpy._core.multiarray', '_reconstruct'): _Array,
        ('numpy', 'ndarray'): 'ndarray',
        ('numpy', 'dtype'): _Dtype,
    }

    def __init__(self, file, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str):
        """Return the stand-in of a global, or refuse it."""
        if (module, name) not in self._STAND_INS:
            raise UnsafePickleError(
                f'{self._path} is not loaded, because it holds the global '
                f'{_shown(module, name)} and a pickle can run code: only a dictionary of numeric '
                'arrays is read; download the published file again.'
            )
        return self._STAND_INS[module, name]


def _check_sizes(data: bytes) -> None:
    """Refuse sizes that a file cannot hold: pickle takes the memory before it looks.

    Raises:
        ValueError: If there is one, or the file is cut off.
    """
    for opcode, argument, _ in pickletools.genops(data):
        # The place in a table that pickle makes as long as the largest place.
        if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and argument > len(data):
            raise ValueError(f'the place {argument} of a table in a file of {len(data)} bytes')


def _shown(module: str, name: str) -> str:
    """Return a global's name on one line, whatever is in it."""
    return f'{module}.{name}'[:200].encode('unicode_escape').decode()


def _checked_name(name) -> str:
    if not isinstance(name, str):
        raise TypeError(f'a key is {name!r} instead of text')
    return name
