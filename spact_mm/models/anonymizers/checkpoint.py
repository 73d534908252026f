"""The anonymizer in a checkpoint of a whole model: its config and its weights."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .stranger_config import check_config

#: Prefixes of the weights in a checkpoint: of a minimax model, with or without the prefix of a
#: distributed wrapper, and of a fresh model behind an anonymizer.
_PREFIXES = (
    r'(?:module\.)?anonymizer\.(?:module\.)?',
    r'(?:module\.)?data_preprocessor\.anonymizer\.',
)
#: Prefix of the weights of a renderer, which stands behind the anonymizer.
_RENDERER_PREFIX = r'(?:module\.)?renderer\.'
#: Places of the anonymizer in the configs of these models.
_CONFIG_PATHS = (('model', 'anonymizer'), ('model', 'data_preprocessor', 'anonymizer'))
#: Largest config text in characters that is read; the largest config of this package has 20
#: thousand.
_MAX_TEXT = 1 << 21


def load_checkpoint(filename: str) -> Mapping:
    """Load a checkpoint to the CPU.

    Args:
        filename (str): A path or address that MMEngine knows.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
    if not isinstance(checkpoint, Mapping):
        raise ValueError(
            f'{filename} holds a {type(checkpoint).__name__} instead of a state_dict: choose a '
            'checkpoint of a whole model.'
        )
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise ValueError(
            f'{filename} has a state_dict that is no dictionary of names and weights: it is '
            'damaged or of another kind; choose another one.'
        )
    return checkpoint


def find_weights(checkpoint: Mapping) -> dict[str, Tensor]:
    """Return the anonymizer's weights by their names in the anonymizer; empty if there are none.

    Args:
        checkpoint (Mapping): Checkpoint of a :class:`MinimaxAnonymization`, of any model behind
            an anonymizing preprocessor, or of a :class:`RendererTraining`, whose renderer is the
            second stage of its anonymizer.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping):
        return {}
    found = next(filter(None, (_find_below(state, prefix) for prefix in _PREFIXES)), {})
    renderer = _find_below(state, _RENDERER_PREFIX)
    if not (found and renderer):
        return found
    return {
        f'stages.{number}.{name}': value
        for number, weights in enumerate((found, renderer))
        for name, value in weights.items()
    }


def _find_below(state: Mapping, prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names match a prefix, by the rest of their names."""
    return {
        key[match.end() :]: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor) and (match := re.match(prefix, key))
    }


def find_config(checkpoint: Mapping, filename: str) -> dict:
    """Return the anonymizer's config that the checkpoint holds, checked and ready to be built.

    The text of the whole config is stored in ``meta['cfg']`` by MMEngine. The text is read as data,
    and nothing in it is run. :func:`~.stranger_config.check_config` defines its allowed content.

    Args:
        checkpoint (Mapping): As for :func:`find_weights`.
        filename (str): Name of the file in an error.

    Raises:
        ValueError: If the checkpoint holds no such config, or one that must not be built from a
            file.
    """
    config = find_raw_config(checkpoint)
    if config is None:
        raise ValueError(
            f"{filename} does not tell its anonymizer in meta['cfg'] as model.anonymizer: give the "
            'config that it was trained with, such as anonymizer=dict(type=...).'
        )
    config, network = check_config(config, filename)
    weights = find_weights(checkpoint)
    if network is not None and weights:
        _check_fit(network, weights, filename)
    return config


def find_raw_config(checkpoint: Mapping) -> dict | None:
    """Return the anonymizer's config in the checkpoint, unchecked; None if there is none."""
    for path in _CONFIG_PATHS:
        config = read_config_entry(checkpoint, *path)
        if isinstance(config, dict) and 'type' in config:
            return _with_renderer(config, read_config_entry(checkpoint, 'model', 'renderer'))
    return None


def find_anonymizer(cfg: Mapping) -> dict | None:
    """Return the anonymizer of a minimax config or of an anonymizing preprocessor's config."""
    found = (reduce(lambda part, name: part.get(name, {}), path, cfg) for path in _CONFIG_PATHS)
    config = next(filter(None, found), None)
    return config and _with_renderer(config, cfg['model'].get('renderer'))


def _with_renderer(anonymizer: dict, renderer) -> dict:
    """Return the config of an anonymizer with its renderer behind it, if it has one."""
    if not isinstance(renderer, Mapping):
        return anonymizer
    return dict(type='SequentialAnonymizer', stages=[anonymizer, renderer])


def read_config_entry(checkpoint: Mapping, *path: str):
    """Return an entry of the config in ``meta['cfg']`` as data: constants and their containers.

    Args:
        checkpoint (Mapping): The checkpoint.
        *path (str): Names from the top level on, such as ``'model', 'anonymizer'``.

    Returns:
        The value; None if there is none, or if it is not plain data.
    """
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        return None
    try:
        return _read_entry(text, path)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None


def load_weights(anonymizer: nn.Module, checkpoint: Mapping, filename: str) -> None:
    """Fill an anonymizer from a checkpoint, strictly.

    Args:
        anonymizer (nn.Module): The network; one without a state is left as it is.
        checkpoint (Mapping): As for :func:`find_weights`.
        filename (str): Name of the file in an error.

    Raises:
        ValueError: If the checkpoint has no anonymizer, or another one.
    """
    weights = find_weights(checkpoint)
    if not weights and anonymizer.state_dict():
        raise ValueError(
            f"{filename} holds no anonymizer (keys 'anonymizer.*' or "
            "'data_preprocessor.anonymizer.*'): choose a checkpoint of the minimax training."
        )
    _check_fit(anonymizer, weights, filename)
    anonymizer.load_state_dict(weights, strict=False)


def _check_fit(anonymizer: nn.Module, weights: Mapping[str, Tensor], filename: str) -> None:
    mismatch = describe_mismatch(anonymizer, weights)
    if mismatch:
        raise ValueError(
            f'{filename} holds another anonymizer than {type(anonymizer).__name__}, it has '
            f'{mismatch}: use the anonymizer config it was trained with.'
        )


def describe_mismatch(anonymizer: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """Describe the difference between weights and an anonymizer's state by the first few names.

    Returns:
        str: The middle of a sentence; empty if the weights fit.
    """
    own = anonymizer.state_dict()
    missing = [k for k in own if k not in weights]
    unexpected = [k for k in weights if k not in own]
    shapes = [k for k in own if k in weights and own[k].shape != _shape(weights[k])]
    return list_mismatch(missing, unexpected, shapes)


def list_mismatch(
    missing: Iterable[str], unexpected: Sequence[str], shapes: Sequence[str] = ()
) -> str:
    """Return the text of :func:`describe_mismatch` for given names of weights that do not fit."""
    # As in MMEngine: old checkpoints lack this counter, which nothing uses.
    missing = [name for name in missing if not name.endswith('num_batches_tracked')]
    kinds = (('no', missing), ('also', unexpected), ('other shapes of', shapes))
    return ', '.join(f'{what} {list_names(names)}' for what, names in kinds if names)


def _shape(weight) -> tuple | None:
    return weight.shape if isinstance(weight, Tensor) else None


def list_names(names: Sequence[str]) -> str:
    """Return the first few names of weights, in printable characters, as a part of a sentence."""
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    text = ', '.join(str(name)[:200] for name in names[:3])
    return ''.join(c if c.isprintable() else '?' for c in text) + more


def _read_entry(text: str, path: tuple[str, ...]):
    """Return an entry of a config's text, as ``Config.pretty_text`` writes it, None if absent."""
    assignments = [
        ast.keyword(arg=node.targets[0].id, value=node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    node = ast.Call(ast.Name('dict'), [], assignments)
    for name in path:
        node = _entries(node).get(name)
        if node is None:
            return None
    return _literal(node)


def _entries(node: ast.expr) -> dict:
    """Return the entries of ``dict(a=...)``, ``{'a': ...}`` or ``dict({'a': ...})`` unread.

    Raises:
        ValueError: If the node is none of these.
    """
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(k): v for k, v in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        entries = {}
        for argument in node.args:
            entries.update(_entries(argument))
        return entries | {keyword.arg: keyword.value for keyword in node.keywords}
    raise ValueError('The config text has something else in place of a dict.')


def _literal(node: ast.expr):
    """Evaluate constants, lists, tuples and dicts.

    Raises:
        ValueError: If the node holds anything else.
    """
    if isinstance(node, (ast.Call, ast.Dict)):
        return {name: _literal(value) for name, value in _entries(node).items()}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_literal(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)
