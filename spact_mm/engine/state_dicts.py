"""Weights under the names of a model without wrappers."""

import re
from collections import OrderedDict
from collections.abc import Callable

import torch
from mmengine.model import is_model_wrapper

from ..models.anonymizers.checkpoint import list_mismatch


def without_functions(state):
    """Drop the functions in a scheduler's state: ``OneCycleLR``, for instance, sets them itself."""
    if isinstance(state, dict):
        return {k: without_functions(v) for k, v in state.items() if not callable(v)}
    return [without_functions(item) for item in state] if isinstance(state, list) else state


def flattener(model: torch.nn.Module) -> Callable[[str], str]:
    """Return a function from a name of the state dict to the name without wrappers."""
    wrapped = [f'{name}.' for name, child in model.named_modules() if is_model_wrapper(child)]

    def flatten(name: str) -> str:
        for prefix in reversed(wrapped):
            if name.startswith(f'{prefix}module.'):
                name = prefix + name[len(f'{prefix}module.') :]
        return name

    return flatten


def renamed(state: dict, known: set[str]) -> OrderedDict:
    """Give weights flat names, also if MMEngine saved them with names of wrapped children."""
    renamed = OrderedDict()
    for name, value in state.items():
        name = re.sub(r'^module\.', '', name)
        flat = name.replace('.module.', '.')
        renamed[flat if name not in known and flat in known else name] = value
    renamed._metadata = getattr(state, '_metadata', OrderedDict())
    return renamed


def load_flat(
    model: torch.nn.Module, names: dict[str, str], state: OrderedDict, exact: bool
) -> str:
    """Load weights with flat names into a model and describe mismatches, if any."""
    actual = {flat: name for name, flat in names.items()}
    shapes = []
    try:
        missing, unexpected = model.load_state_dict(
            OrderedDict((actual.get(name, name), value) for name, value in state.items()),
            strict=False,
        )
    except RuntimeError as error:
        shapes = re.findall(r'size mismatch for (\S+?):', str(error))
        if not shapes:
            raise
        missing = unexpected = ()
    missing, shapes = ([names.get(name, name) for name in found] for found in (missing, shapes))
    return list_mismatch(missing, unexpected if exact else (), shapes)
