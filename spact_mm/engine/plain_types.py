"""Conversion of values to types that ``torch.load(weights_only=True)`` reads, and back."""

import os
import re
from collections import OrderedDict, deque
from enum import Enum

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_MAX_TEXT_BYTES = 1 << 28


def to_plain(value, name: str = 'value'):
    """Convert a value to tensors and built-in types, for ``torch.load(weights_only=True)``.

    Args:
        value: Any nesting of mappings, sequences, numpy arrays and scalars, ``HistoryBuffer``,
            tensors and scalars.
        name (str): Name of the value in an error. Defaults to 'value'.

    Returns:
        The plain value, from which :func:`from_plain` rebuilds arrays and history buffers.

    Raises:
        TypeError: If the value holds anything else.
    """
    if isinstance(value, Enum):
        return to_plain(value.value, name)
    if value is None or isinstance(value, (torch.Tensor, torch.dtype, torch.device)):
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item(), name)
    if isinstance(value, np.ndarray):
        return {'__ndarray__': to_plain(value.tolist(), name), 'dtype': value.dtype.str}
    if isinstance(value, HistoryBuffer):
        values, counts = value.data
        return {
            '__history__': torch.from_numpy(values.copy()),
            'counts': torch.from_numpy(counts.copy()),
            'max_length': value.max_length,
        }
    if isinstance(value, dict):
        kind = OrderedDict if isinstance(value, OrderedDict) else dict
        return kind(
            (to_plain(key, name), to_plain(item, f'{name}.{key}')) for key, item in value.items()
        )
    for kind in (bool, int, float, complex, str, bytes):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for kind in (tuple, set):
        if isinstance(value, kind):
            return kind(to_plain(item, name) for item in value)
    if isinstance(value, (list, range, deque)):
        return [to_plain(item, name) for item in value]
    raise TypeError(
        f'{name} cannot be saved in a checkpoint, because it holds a {type(value).__name__}: keep '
        'tensors, arrays, numbers, strings and their lists and dicts in the message hub and in '
        'metainfo.'
    )


def from_plain(value):
    """Rebuild the arrays and history buffers of :func:`to_plain`; other values are unchanged.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: If an array or buffer is damaged.
    """
    if isinstance(value, dict):
        if '__ndarray__' in value:
            return _to_array(from_plain(value['__ndarray__']), value['dtype'])
        if '__history__' in value:
            buffer = HistoryBuffer(max_length=value['max_length'])
            buffer._log_history = value['__history__'].cpu().numpy()
            buffer._count_history = value['counts'].cpu().numpy()
            return buffer
        kind = OrderedDict if isinstance(value, OrderedDict) else dict
        return kind((key, from_plain(item)) for key, item in value.items())
    if type(value) in (list, tuple, set):
        return type(value)(from_plain(item) for item in value)
    return value


def _to_array(values, code: str) -> np.ndarray:
    if not re.fullmatch(r'[<>|=]?([biufcSU]\d{1,5}|O)', code):
        raise ValueError(f'an array of the type {code}')
    array, dtype = np.array(values), np.dtype(code)
    # For text a file declares the bytes of an entry, independent of the content.
    if array.size * dtype.itemsize > _MAX_TEXT_BYTES and dtype.kind in 'SU':
        raise ValueError(f'{array.size} entries of the type {code}')
    return np.array(values, dtype=dtype)


def rebuild(checkpoint: dict, resumes: bool) -> str:
    """Rebuild a loaded checkpoint in place, except weights and optimizers, which are plain.

    Args:
        checkpoint (dict): The loaded checkpoint.
        resumes (bool): Whether the training is resumed from the whole checkpoint, not only from the
            weights.

    Returns:
        str: The damage, as the middle of a sentence; empty if there is none.
    """
    damage = _describe_damage(checkpoint) if resumes else ''
    if damage:
        return damage
    for name, value in checkpoint.items():
        if name in ('state_dict', 'optimizer'):
            continue
        try:
            checkpoint[name] = from_plain(value)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return f'its {name} is damaged ({error})'
    return ''


def _describe_damage(checkpoint: dict) -> str:
    """Describe entries needed to resume a training that have a wrong type or value."""
    for name in ('state_dict', 'meta', 'message_hub'):
        if not isinstance(checkpoint[name], dict):
            return f'its {name} is a {type(checkpoint[name]).__name__} instead of a dictionary'
    for name, weight in checkpoint['state_dict'].items():
        is_weight = isinstance(weight, torch.Tensor) or str(name).endswith('_extra_state')
        if not isinstance(name, str) or not is_weight:
            return f'its state_dict holds {name!r:.60}, which is no weight'
    meta, hub = checkpoint['meta'], checkpoint['message_hub']
    for name, allowed in (('epoch', ()), ('iter', ()), ('seed', (None,))):
        value = meta.get(name)
        if value not in allowed and (type(value) is not int or value < 0):
            return f'its meta.{name} is {value!r:.40} instead of a whole number'
    for name in ('log_scalars', 'runtime_info', 'resumed_keys'):
        if not isinstance(hub.get(name), dict):
            return f'its message_hub.{name} is no dictionary'
    return ''
