"""Checks of anonymizer configs from files: building a checked config only makes an anonymizer."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from mmaction.registry import MODELS
from torch import nn

from .build import build_anonymizer

#: Packages whose models are no anonymizers: some load files, or import a module named by an
#: argument.
_OTHERS = {
    'mmaction', 'mmcv', 'mmengine', 'mmpretrain', 'timm', 'torch', 'torchvision', 'transformers',
}  # fmt: skip
_OWN = 'spact_mm.models.anonymizers.'
#: Bound on numbers: wide networks have some hundred channels, a blur of 8K video 700 pixels.
_MAX_NUMBER = 4096
_MAX_DEPTH = 20


class UnknownAnonymizerError(ValueError):
    """A file names an anonymizer that is not registered, perhaps one of the user's own."""


def check_config(config: Mapping, filename: str) -> tuple[dict, nn.Module | None]:
    """Check an anonymizer's config that was read from a file, before it is built.

    MMEngine's registries import and call any dotted name in ``type``. Here each ``type``, at every
    depth, must be the exact name of an anonymizer that is registered: one of this package, or a
    class that the user's own module registered. ``init_cfg``, which opens files and addresses, is
    dropped at every depth.

    Args:
        config (Mapping): The config in the file.
        filename (str): Name of the file in an error.

    Returns:
        tuple: The config without ``init_cfg``; and the network without memory (on the device
            ``meta``), for a comparison with weights, or None if a class is the user's.

    Raises:
        ValueError: If the config holds another name, an address, or a number beyond the bound.
    """
    config = _checked(config, filename, 0)
    if not all(cls.__module__.startswith(_OWN) for cls in _classes(config)):
        return config, None
    try:
        with torch.device('meta'):
            return config, build_anonymizer(deepcopy(config))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = (str(error).strip().splitlines() or ['?'])[0].rstrip('.')
        raise ValueError(
            f'The anonymizer that {filename} tells cannot be built ({reason}): give the config '
            'that it was trained with (--config of a tool, anonymizer=dict(...) in a config).'
        ) from error


def _checked(value, filename: str, depth: int):
    """Return a copy without ``init_cfg``, of only data and names of anonymizers."""
    if depth > _MAX_DEPTH:
        raise ValueError(f'The anonymizer that {filename} tells is nested too deeply.')
    if isinstance(value, Mapping):
        checked = {}
        for key, item in value.items():
            if key == 'init_cfg':
                continue
            if not isinstance(key, str) or key == '_scope_':
                raise ValueError(
                    f'The anonymizer that {filename} tells has the argument {key!r}, which no '
                    'anonymizer takes: give the config that it was trained with.'
                )
            if key == 'type':
                _check_type(item, filename)
                checked[key] = item
            else:
                checked[key] = _checked(item, filename, depth + 1)
        return checked
    if isinstance(value, (list, tuple)):
        return type(value)(_checked(item, filename, depth + 1) for item in value)
    is_number = isinstance(value, (int, float))
    is_address = isinstance(value, (str, bytes)) and any(c in str(value) for c in '/\\')
    # NaN is not within any bound.
    is_beyond = is_number and not abs(value) <= _MAX_NUMBER
    if is_address or is_beyond or not isinstance(value, (int, float, str, type(None))):
        what = f'{value!r:.60}' if not is_number else f'a number beyond {_MAX_NUMBER}'
        raise ValueError(
            f'The anonymizer that {filename} tells has the argument {what}, which is not taken '
            'from a file: if you trust it, give the config that it was trained with (--config of a '
            'tool, anonymizer=dict(...) in a config).'
        )
    return value


def _check_type(name, filename: str) -> None:
    """Refuse a name that is not exactly the name of a registered anonymizer.

    Raises:
        ValueError: If the name is anything else.
    """
    classes = _find(name) if isinstance(name, str) else []
    if not classes:
        raise UnknownAnonymizerError(
            f'{filename} names the anonymizer {name!r:.60}, which is not registered, and nothing '
            'is imported for a file: give the config that it was trained with, with custom_imports '
            'of its module (--config of a tool; anonymizer=dict(...) in a config).'
        )
    if not all(map(_is_anonymizer, classes)):
        raise ValueError(
            f'{filename} names {name!r:.60} as its anonymizer, which is another kind of model: '
            'choose a checkpoint of a minimax training.'
        )


def _find(name: str) -> list:
    """Return all classes that a name stands for, in any scope."""
    registries = [MODELS.root, *MODELS.root.children.values()]
    return [r.module_dict[name] for r in registries if name in r.module_dict]


def _is_anonymizer(cls) -> bool:
    if not isinstance(cls, type) or not issubclass(cls, nn.Module):
        return False
    package = cls.__module__.partition('.')[0]
    return cls.__module__.startswith(_OWN) or package not in _OTHERS | {'spact_mm'}


def _classes(config) -> set[type]:
    """Return all classes that a checked config names."""
    if isinstance(config, Mapping):
        own = set(_find(config['type'])) if 'type' in config else set()
        return own.union(*map(_classes, config.values()))
    return set().union(*map(_classes, config)) if isinstance(config, (list, tuple)) else set()
