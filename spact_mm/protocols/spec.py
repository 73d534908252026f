"""Checks of a protocol's config file before its stages run for hours."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import ConfigDict

from .attackers import TWICE
from .imports import imports_of, read_config

_PROTOCOL_KEYS = {'title', 'seeds', 'folds', 'methods', 'stages', 'strength', 'report'}
_METHOD_KEYS = {'name', 'anonymizer', 'train', 'checkpoint', 'configs', 'options', 'seeds'}
_TRAIN_KEYS = {'config', 'options', 'load', 'metrics'}
#: Networks that a stage may have behind its anonymizer, in this order.
BEHIND = ('renderer', 'inverter')
_STAGE_KEYS = {'config', 'options', 'metrics', 'train', 'load', 'slot', 'skip', *BEHIND}
_STAGE_KEYS |= {'attacker', 'only', 'seeds', 'anonymizer_options'}
#: Keys of a row of the report other than metrics.
ROW_KEYS = ('method', 'seed', 'fold', 'config_hash', 'commit', 'time', 'seconds')


def read_spec(path: Path, options: Mapping | None = None) -> tuple[ConfigDict, list[str]]:
    """Read the dictionary ``protocol`` of a file, and the file's imports.

    Args:
        path (Path): The protocol's config file.
        options (Mapping, optional): Changes of the config, as by ``--cfg-options``.

    Returns:
        tuple[ConfigDict, list[str]]: The dictionary, see
        :func:`~spact_mm.protocols.load_protocol`, and the modules of ``custom_imports``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If an entry is unknown or inconsistent.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'The protocol {path} does not exist; choose a file of configs/protocols/.'
        )
    config = read_config(path)
    if 'protocol' not in config:
        raise ValueError(f'{path} has no dictionary "protocol"; choose one of configs/protocols/.')
    for key in options or {}:
        if key.split('.')[0] != 'protocol':
            raise ValueError(
                f'The option {key!r} changes nothing of {path}; write protocol.... for a part of '
                'its dictionary, and options of a stage or method for settings of its config.'
            )
    if options:
        config.merge_from_dict(dict(options))
    spec = config.protocol
    _check_keys(spec, _PROTOCOL_KEYS, ('seeds', 'methods', 'stages'), f'The protocol {path}')
    for key in ('seeds', 'folds', 'methods'):
        value = spec.get(key, [None])
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise ValueError(f'{key} of the protocol {path} must be a list, but is {value!r}.')
    for method in spec.methods:
        _check_method(method, spec, path)
    for name, stage in spec.stages.items():
        _check_stage(name, stage, spec, path)
    _check_strength(spec.get('strength', {}), spec, path)
    _check_folders([method.name for method in spec.methods], path)
    for method in spec.methods:
        _check_metrics(method.name, spec, path)
        for name in dict(stages_of(method, spec)):
            _check_needs(method.name, name, spec, path)
    return spec, imports_of(config)


def stages_of(method: ConfigDict, spec: ConfigDict) -> Iterator[tuple[str, ConfigDict]]:
    """Yield name and settings of each stage of a method."""
    if 'train' in method:
        yield 'train', method.train
    for name, stage in spec.stages.items():
        if method.name in stage.get('only', [method.name]) and method.name not in stage.get(
            'skip', ()
        ):
            yield name, stage


def is_run_with(stage: Mapping, method: str, seed: int) -> bool:
    """Tell whether a stage of a method is run with a seed."""
    seeds = stage.get('seeds')
    if isinstance(seeds, Mapping):
        seeds = seeds.get(method)
    return seeds is None or seed in seeds


def resolve(reference: str, method: str) -> tuple[str, str]:
    """Return method and stage for a reference ``'stage'`` or ``'method:stage'`` of a method."""
    owner, _, name = reference.rpartition(':')
    return owner or method, name


def folder_name(method: str) -> str:
    """Return the name of a method's folder."""
    text = method.lower().replace('×', 'x')
    return ''.join(c if c.isalnum() else '_' for c in text).strip('_')


def stage_folder(work_dir: Path, method: str, seed: int, fold: int | None, name: str) -> Path:
    """Return the folder of a stage."""
    folder = Path(work_dir, folder_name(method), f'seed{seed}')
    return (folder if fold is None else folder / f'fold{fold}') / name


def _check_method(method: ConfigDict, spec: ConfigDict, path: Path) -> None:
    what = f'The method {method.get("name")!r} of {path}'
    _check_keys(method, _METHOD_KEYS, ('name',), what)
    sources = [key for key in ('anonymizer', 'train', 'checkpoint') if key in method]
    if not sources:
        raise ValueError(f'{what} has no anonymizer: give it anonymizer, train or checkpoint.')
    if 'train' in sources and len(sources) > 1:
        raise ValueError(
            f'{what} has both {sources[0]} and {sources[1]}; give train alone, as the anonymizer '
            'comes from its config.'
        )
    unknown = sorted(set(method.get('seeds', ())) - set(spec.seeds))
    if unknown:
        raise ValueError(
            f'{what} has the seed {unknown[0]}, which the protocol has not; choose from '
            f'{list(spec.seeds)}.'
        )
    if 'train' in method:
        _check_keys(method.train, _TRAIN_KEYS, ('config',), f'train of the method {method.name!r}')
    for key, known in (('options', ['train', *spec.stages]), ('configs', list(spec.stages))):
        unknown = sorted(set(method.get(key, {})) - set(known))
        if unknown:
            raise ValueError(
                f'{what} has {key} for the unknown stage {unknown[0]!r}; choose from {known}.'
            )


def _check_stage(name: str, stage: ConfigDict, spec: ConfigDict, path: Path) -> None:
    what = f'The stage {name!r} of {path}'
    _check_keys(stage, _STAGE_KEYS, ('config',), what)
    is_taken = name == 'train' or name.endswith(TWICE)
    if is_taken or not all(c.isalnum() or c in '_-' for c in name):
        raise ValueError(
            f'{what} needs another name, of letters and digits and neither "train" nor ending in '
            f'"{TWICE}".'
        )
    if 'attacker' in stage:
        keys = ('score', 'chance')
        _check_keys(stage.attacker, set(keys), keys, f'attacker of the stage {name!r} of {path}')
    known = [method.name for method in spec.methods]
    if 'seeds' in stage:
        _check_seeds(what, stage.seeds, known, spec)
    for key, verb in (('skip', 'skips'), ('only', 'is only for')):
        named = stage.get(key, [])
        unknown = [named] if isinstance(named, str) else [n for n in named if n not in known]
        if unknown:
            raise ValueError(
                f'{what} {verb} {unknown[0]!r}, which is no list of methods or no method; choose '
                f'from {known}.'
            )


def _check_seeds(what: str, seeds, methods: Sequence[str], spec: ConfigDict) -> None:
    lists = seeds if isinstance(seeds, Mapping) else {None: seeds}
    unknown = [method for method in lists if method not in (None, *methods)]
    if unknown:
        raise ValueError(
            f'{what} has seeds for the method {unknown[0]!r}; choose from {list(methods)}.'
        )
    for item in lists.values():
        if not isinstance(item, Sequence) or not set(item) <= set(spec.seeds):
            raise ValueError(
                f'{what} has the seeds {item!r}; give lists of those of the protocol, '
                f'{list(spec.seeds)}.'
            )


def _check_strength(strength: Mapping, spec: ConfigDict, path: Path) -> None:
    what = f'strength of {path}'
    _check_keys(strength, {'methods', 'seeds', 'folds'}, (), what)
    for key, known in (
        ('methods', [method.name for method in spec.methods]),
        ('seeds', list(spec.seeds)),
        ('folds', list(spec.get('folds', [None]))),
    ):
        unknown = [item for item in strength.get(key, ()) if item not in known]
        if unknown:
            raise ValueError(f'{what} has {unknown[0]!r} in {key}; choose from {known}.')


def _check_folders(methods: Sequence[str], path: Path) -> None:
    seen: dict[str, str] = {}
    for method in methods:
        folder = folder_name(method)
        if folder in seen or not folder:
            other = f' and {seen[folder]!r}' if folder in seen else ''
            raise ValueError(
                f'The method {method!r}{other} of {path} would have the folder {folder!r}; give it '
                'a name of letters and digits that no other method has.'
            )
        seen[folder] = method


def _check_metrics(method: str, spec: ConfigDict, path: Path) -> None:
    seen: dict[str, str] = {}
    owner = next(m for m in spec.methods if m.name == method)
    for name, stage in stages_of(owner, spec):
        for metric in stage.get('metrics', ()):
            if metric in seen or metric in ROW_KEYS:
                other = f'the stage {seen[metric]!r} has too' if metric in seen else 'is reserved'
                raise ValueError(
                    f'The stage {name!r} of {path} has the metric {metric!r}, which {other}; give '
                    'it another key.'
                )
            seen[metric] = name


def _check_needs(
    method: str, name: str, spec: ConfigDict, path: Path, before: Sequence = ()
) -> None:
    """Check a stage and all stages that it needs."""
    methods = {m.name: m for m in spec.methods}
    if (method, name) in before:
        raise ValueError(
            f'The stage {name!r} of {path} needs itself, by load, renderer or inverter.'
        )
    stage = dict(stages_of(methods[method], spec))[name]
    for key in ('load', *BEHIND):
        if key not in stage:
            continue
        owner, kind = resolve(stage[key], method)
        found = dict(stages_of(methods[owner], spec)) if owner in methods else {}
        if kind not in found:
            raise ValueError(
                f'The stage {name!r} of {path} needs {stage[key]!r}, which does not exist for the '
                f'method {method!r}.'
            )
        if not found[kind].get('train', True):
            raise ValueError(
                f'The stage {name!r} of {path} needs the weights of {stage[key]!r}, which is not '
                'trained.'
            )
        is_learned = bool({'train', 'checkpoint'} & set(methods[owner]))
        if key == 'load' and name != 'train' and owner != method and is_learned:
            raise ValueError(
                f'The stage {name!r} of {path} loads {stage[key]!r}, whose anonymizer would take '
                f'the place of that of {method!r}; load from a method without a trained one.'
            )
        if key == 'load' and owner == method and is_learned:
            other = next((x for x in BEHIND if stage.get(x) != found[kind].get(x)), None)
            if other:
                raise ValueError(
                    f'The stage {name!r} of {path} loads {stage[key]!r}, whose anonymizer has '
                    f'{"another" if other in found[kind] else "no"} {other} behind it; load from a '
                    'method without a trained one.'
                )
        _check_needs(owner, kind, spec, path, (*before, (method, name)))


def _check_keys(spec: Mapping, known: set[str], needed: Sequence[str], what: str) -> None:
    if not isinstance(spec, Mapping):
        raise ValueError(f'{what} must be a dictionary, but is {spec!r}.')
    unknown = sorted(set(spec) - known)
    if unknown:
        raise ValueError(f'{what} has the unknown key {unknown[0]!r}; choose from {sorted(known)}.')
    absent = [key for key in needed if key not in spec]
    if absent:
        raise ValueError(f'{what} has no {absent[0]!r}; give it one.')
