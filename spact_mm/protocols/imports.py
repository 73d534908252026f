"""Imports of a protocol's configs: each stage must know the components in its config.

A stage is a separate process and reads only its own config. Without further imports an anonymizer
that the config of a training imports would be unknown to its evaluations.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict

#: Packages whose components every stage knows.
_ALWAYS_IMPORTED = ('spact_mm', 'mmaction', 'mmpretrain', 'mmengine', 'mmcv', 'torch')


def read_config(path: Path) -> Config:
    """Read a config and import the modules in its ``custom_imports``.

    Raises:
        ValueError: If a module cannot be imported.
    """
    try:
        return Config.fromfile(path)
    except ImportError as error:
        cause = error
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__
        raise ValueError(
            f'The config {path} imports what cannot be imported ({str(cause).splitlines()[0]}); '
            'put the folder that holds it into PYTHONPATH, or correct custom_imports.'
        ) from error


def imports_of(config: Mapping) -> list[str]:
    """Return the modules that a config imports."""
    imports = (config.get('custom_imports') or {}).get('imports', [])
    return [imports] if isinstance(imports, str) else list(imports)


def add_imports(config: Mapping, imports: Iterable[str]) -> None:
    """Add modules to a config's imports, after its own; without modules nothing changes."""
    own = imports_of(config)
    merged = list(dict.fromkeys([*own, *imports]))
    if merged != own:
        settings = config.get('custom_imports') or dict(allow_failed_imports=False)
        config['custom_imports'] = ConfigDict(settings, imports=merged)


def check_imported(anonymizer: Mapping, imports: Iterable[str], owner: str, path: Path) -> None:
    """Refuse an anonymizer that is unknown to a process with these imports.

    Args:
        anonymizer (Mapping): Config of the anonymizer.
        imports (Iterable[str]): Imported modules.
        owner (str): Owner of the anonymizer, for the message.
        path (Path): The config that should import the anonymizer's module.

    Raises:
        ValueError: If the type of the anonymizer or of a part of it is not registered, or is
            registered by a module outside of the packages of ``imports``.
    """
    packages = {name.split('.')[0] for name in [*_ALWAYS_IMPORTED, *imports]}
    for part in (anonymizer, *anonymizer.get('stages', ())):
        name = part['type']
        component = MODELS.get(name) if isinstance(name, str) else name
        if not isinstance(component, type):
            raise ValueError(
                f'There is no anonymizer {name!r} for {owner}; correct the type, or add the module '
                f'that registers it to custom_imports of {path}.'
            )
        module = component.__module__
        # A dotted name needs no import.
        if module.split('.')[0] not in packages and name != f'{module}.{component.__name__}':
            raise ValueError(
                f'The anonymizer {name!r} of {owner} comes from {module}, which its stages would '
                f'not import; add {module!r} to custom_imports of {path}.'
            )
