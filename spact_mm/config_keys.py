"""Checks that every key of a config has an effect.

MMEngine parses a config file before it merges ``--cfg-options``, and a base file before its child.
A later change of a file's variables, such as ``ucf101_root`` or ``train_pipeline``, does not affect
settings that the file has already made of them.
"""

import ast
import inspect
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from .compat.mmengine import config_variables

#: Top-level keys that are read when a run starts.
READ_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) | {
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'privacy_dataloader',
    'runner_type',
    'sync_bn',
}
#: Known keys of dictionaries of which MMEngine ignores other keys silently.
_LOOKED_UP = dict(
    auto_scale_lr={'enable', 'base_batch_size'},
    env_cfg={'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
)


def read_config(filename: str | Path, options: Mapping | None = None) -> Config:
    """Read a config and apply options, also to its variables.

    Args:
        filename (str | Path): The config file.
        options (Mapping, optional): Changes, as by ``--cfg-options``. A variable of a file is
            changed where the file assigns it.

    Returns:
        Config: The changed config.

    Raises:
        ValueError: If an option, or a variable of a child config, changes nothing.
    """
    options = dict(options or {})
    with variables_of(options):
        config = Config.fromfile(filename)
        config.merge_from_dict(options)
        refuse_unread(config)
    return config


def variables_of(options: Mapping) -> AbstractContextManager[None]:
    """Set the variables among ``--cfg-options`` in all files that are parsed in this context."""
    return config_variables(choose_variables(options))


def choose_variables(options: Mapping) -> dict:
    """Return the ``--cfg-options`` that are for variables of a file."""
    return {k: v for k, v in options.items() if '.' not in k and k not in READ_KEYS}


def refuse_unread(config: Config) -> None:
    """Refuse changes of a config, or in a child config file, that have no effect.

    Args:
        config (Config): The config of a file, perhaps changed by options.

    Raises:
        ValueError: If there is such a change.
    """
    for name, keys in _LOOKED_UP.items():
        for key in sorted(set(config.get(name) or {}) - keys):
            raise ValueError(
                f'{name}.{key} is no setting that anything reads; choose from {sorted(keys)}.'
            )
    if config.get('find_unused_parameters') is not None and config.get('model_wrapper_cfg'):
        raise ValueError(
            'find_unused_parameters is not read where there is a model_wrapper_cfg; write '
            'model_wrapper_cfg.find_unused_parameters.'
        )
    filename = config.filename
    if not filename or not Path(filename).is_file():
        return
    # Compared as plain values: imported classes have no equality.
    original = Config.fromfile(filename, import_custom_modules=False).to_dict()
    config = config.to_dict()
    for key in sorted(set(config) - READ_KEYS):
        if key not in original:
            raise ValueError(
                f'{key!r} is no setting that anything reads, and no variable of {filename}; '
                'correct the name.'
            )
        if config[key] != original[key]:
            raise ValueError(
                f'{key!r} is a variable of {filename}, of which other settings were made when the '
                'file was parsed, so that changing it now changes nothing; change those settings, '
                f'or give all of it as --cfg-options {key}=... to tools/train.py, tools/test.py or '
                'tools/estimate_memory.py of this project, which set it before.'
            )
    for child, base, key in _find_shadowed(Path(filename)):
        raise ValueError(
            f'{key!r} in {child} changes nothing: {base} has made settings of its own {key!r} '
            'before it; change these settings in the child as docs/recipes.md tells, or give '
            f'--cfg-options {key}=... to tools/train.py.'
        )


def _find_shadowed(path: Path) -> Collection[tuple[Path, str, str]]:
    """Find variables that a config file assigns but never uses and that a base of it has too."""
    if path.suffix != '.py':
        return []
    found = []
    names = list(ast.walk(ast.parse(path.read_text(encoding='utf-8'))))
    names = [node for node in names if isinstance(node, ast.Name)]
    assigned = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    unused = assigned - {node.id for node in names if not isinstance(node.ctx, ast.Store)}
    for base in Config._get_base_files(str(path)):
        base_path, _ = Config._get_cfg_path(base, str(path))
        keys = set(Config.fromfile(base_path, import_custom_modules=False))
        found += [(path, base, key) for key in sorted(unused & keys - READ_KEYS)]
        found += _find_shadowed(Path(base_path))
    return found
