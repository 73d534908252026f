"""A protocol's config as a list of stages."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config, ConfigDict

from ..models.anonymizers.checkpoint import find_config, find_weights, load_checkpoint
from .stage import Stage, find_files

_METHOD_KEYS = {'name', 'anonymizer', 'train', 'checkpoint', 'configs', 'options'}
_STAGE_KEYS = {'config', 'options', 'metrics', 'train', 'load', 'inverter', 'slot', 'skip'}
_PROTOCOL_KEYS = {'title', 'seeds', 'folds', 'methods', 'stages', 'report'}
#: How to get the files of a key, where no converter writes them.
_SOURCES = dict(box_file='as docs/person_boxes.md tells')


@dataclass
class Protocol:
    """What is to be run and how it is reported.

    Attributes:
        name (str): Stem of the config file.
        title (str): Title of the report.
        work_dir (Path): Where the stages and the report go.
        stages (list[Stage]): In an order in which they can be run.
        methods (list[str]): Names, in the order of the table.
        report (dict): Keyword arguments of :func:`~spact_mm.protocols.write_report`.
    """

    name: str
    title: str
    work_dir: Path
    stages: list[Stage]
    methods: list[str]
    report: dict = field(default_factory=dict)

    def find_missing(self) -> list[str]:
        """Return a sentence for each file or folder of data that does not exist."""
        users: dict[tuple[str, str], list[str]] = {}
        for stage in self.stages:
            for key, file in sorted(set(find_files(_data_of(stage.config)))):
                if not os.path.exists(file):
                    users.setdefault((key, file), []).append(stage.id)
        return [
            f'{file} does not exist, which {len(ids)} stages need, the first being "{ids[0]}"; '
            f'write it {_SOURCES.get(key, "with the converter in tools/data/")}.'
            for (key, file), ids in users.items()
        ]


def load_protocol(
    filename: str | os.PathLike,
    work_dir: str | os.PathLike | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    folds: Sequence[int] | None = None,
    options: Mapping | None = None,
) -> Protocol:
    """Read a protocol and plan its stages.

    The config file has one dictionary, ``protocol``:

    - ``title``: of the report.
    - ``seeds``, ``folds``: lists; ``folds`` defaults to ``[None]``.
    - ``methods``: list of ``dict(name=...)`` with either ``anonymizer=dict(type=...)`` (needs no
      training), ``train=dict(config=..., options=...)`` (a minimax config) or ``checkpoint=...``
      (a minimax checkpoint, with or without ``anonymizer``). The first is the raw one.
      ``configs=dict(stage=...)`` gives a stage another config, and
      ``options=dict(stage=dict(...))`` changes it, for this method only.
    - ``stages``: the measurements of each method, ``name=dict(config=..., metrics=dict(...))``:

      - ``config``: a config that trains and tests, relative to this file.
      - ``options``: changes of it, as of ``--cfg-options``; ``{seed}`` and ``{fold}`` in strings
        are replaced.
      - ``metrics``: key in the report to the metric's name.
      - ``train=False``: test only.
      - ``load='privacy'``: start from the weights of that stage of the same method, seed and fold;
        ``load='raw:privacy'``: from that of the method called raw.
      - ``inverter='reconstruction'``: put the network trained by that stage behind the anonymizer.
      - ``slot``: where in the config the anonymizer goes. Defaults to
        ``'model.data_preprocessor'``; None leaves the config as it is.
      - ``skip``: methods that have no such stage.
    - ``report``: see :func:`~spact_mm.protocols.write_report`.

    Args:
        filename: The protocol's config file.
        work_dir: Defaults to ``work_dirs/protocols/<stem of the file>``.
        methods (Sequence[str], optional): Only these. None means all.
        seeds (Sequence[int], optional): Instead of those of the file.
        folds (Sequence[int], optional): Only these.
        options (Mapping, optional): Changes of the protocol's config, as ``--cfg-options``.

    Returns:
        Protocol: The plan.

    Raises:
        FileNotFoundError: If the file, or a config or checkpoint that it names, does not exist.
        ValueError: If it names something that is not there.
    """
    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(
            f'The protocol {path} does not exist; choose a file of configs/protocols/.'
        )
    config = Config.fromfile(path)
    if 'protocol' not in config:
        raise ValueError(f'{path} has no dictionary "protocol"; choose one of configs/protocols/.')
    if options:
        config.merge_from_dict(dict(options))
    spec = config.protocol
    _check_keys(spec, _PROTOCOL_KEYS, f'The protocol {path}')
    known = [method.name for method in spec.methods]
    chosen = _choose('method', methods, known, path)
    all_folds = list(spec.get('folds', [None]))
    work_dir = Path(work_dir or Path('work_dirs', 'protocols', path.stem))
    planner = _Planner(path, spec, work_dir)
    stages: list[Stage] = []
    for seed in seeds if seeds is not None else spec.seeds:
        for fold in _choose('fold', folds, all_folds, path):
            stages += planner.plan(chosen, int(seed), fold)
    # Those whose weights others start from are measured too.
    planned = [name for name in known if any(stage.method == name for stage in stages)]
    return Protocol(
        path.stem, spec.get('title', path.stem), work_dir, stages, planned, spec.get('report', {})
    )


class _Planner:
    """Make the stages of one seed and fold after another."""

    def __init__(self, path: Path, spec: ConfigDict, work_dir: Path) -> None:
        self.path, self.spec, self.work_dir = path, spec, work_dir
        self.methods = {method.name: method for method in spec.methods}
        for method in spec.methods:
            _check_keys(method, _METHOD_KEYS, f'The method {method.name!r} of {path}')
            if not set(method) & {'anonymizer', 'train', 'checkpoint'}:
                raise ValueError(
                    f'The method {method.name!r} of {path} has no anonymizer: give it anonymizer, '
                    'train or checkpoint.'
                )
            for key, known in (
                ('options', ['train', *spec.stages]),
                ('configs', list(spec.stages)),
            ):
                unknown = set(method.get(key, {})) - set(known)
                if unknown:
                    raise ValueError(
                        f'The method {method.name!r} of {path} has {key} for the unknown stage '
                        f'{sorted(unknown)[0]!r}; choose from {known}.'
                    )
        for name, stage in spec.stages.items():
            _check_keys(stage, _STAGE_KEYS, f'The stage {name!r} of {path}')
        self._anonymizers = {method.name: self._read_checkpoint(method) for method in spec.methods}

    def _read_checkpoint(self, method: ConfigDict) -> ConfigDict | None:
        """Check the checkpoint of a method before hours are spent; return its anonymizer."""
        if 'checkpoint' not in method:
            return method.get('anonymizer')
        if not os.path.isfile(method.checkpoint):
            raise FileNotFoundError(
                f'The checkpoint {method.checkpoint} of the method {method.name!r} of {self.path} '
                'does not exist; train it first or correct the path.'
            )
        content = load_checkpoint(method.checkpoint)
        if not find_weights(content):
            raise ValueError(
                f'The checkpoint {method.checkpoint} of the method {method.name!r} of {self.path} '
                'holds no anonymizer; choose one of a minimax training.'
            )
        return method.get('anonymizer') or find_config(content, method.checkpoint)

    def plan(self, methods: Sequence[str], seed: int, fold: int | None) -> list[Stage]:
        made: dict[tuple[str, str], Stage] = {}
        for method in methods:
            for name, spec in self._stages_of(method):
                self._make(method, name, spec, seed, fold, made)
        # The long ones first, so that none is waited for at the end.
        return sorted(made.values(), key=lambda stage: stage.name != 'train')

    def _stages_of(self, method: str) -> Iterator[tuple[str, ConfigDict]]:
        if 'train' in self.methods[method]:
            yield 'train', self.methods[method].train
        for name, spec in self.spec.stages.items():
            if method not in spec.get('skip', ()):
                yield name, spec

    def _make(self, method, name, spec, seed, fold, made) -> Stage:
        if (method, name) in made:
            return made[method, name]

        def other(reference: str) -> Stage:
            """Return the stage that ``'stage'`` or ``'method:stage'`` names."""
            owner, _, kind = reference.rpartition(':')
            owner = owner or method
            available = dict(self._stages_of(owner)) if owner in self.methods else {}
            if kind not in available:
                raise ValueError(
                    f'The stage {name!r} of {self.path} needs {reference!r}, which does not exist.'
                )
            return self._make(owner, kind, available[kind], seed, fold, made)

        config = self._read_config(spec, method, name, seed, fold)
        needs = []
        slot = None if name == 'train' else spec.get('slot', 'model.data_preprocessor')
        if slot is not None:
            needs += self._insert_anonymizer(config, slot, method, spec, other)
        if 'load' in spec:
            needs.append(other(spec.load))
            config.load_from = str(needs[-1].weights)
        config.randomness = dict(seed=seed)
        folder = Path(self.work_dir, _slug(method), f'seed{seed}')
        folder = folder if fold is None else folder / f'fold{fold}'
        stage = Stage(
            name=name,
            method=method,
            seed=seed,
            fold=fold,
            folder=folder / name,
            config=config._cfg_dict,
            is_trained=spec.get('train', True),
            metrics=dict(spec.get('metrics', {})),
            needs=needs,
            files=sorted({file for _, file in find_files(_data_of(config))}),
        )
        made[method, name] = stage
        return stage

    def _read_config(self, spec, method, name, seed, fold) -> Config:
        method = self.methods[method]
        path = Path(self.path.parent, method.get('configs', {}).get(name, spec.config))
        if not path.is_file():
            raise FileNotFoundError(
                f'The config {path} of the stage {name!r} of {self.path} does not exist.'
            )
        config = Config.fromfile(path)
        for options in (spec.get('options', {}), method.get('options', {}).get(name)):
            config.merge_from_dict(_fill(options or {}, seed=seed, fold=fold))
        return config

    def _insert_anonymizer(self, config, slot, method, spec, other) -> list[Stage]:
        needs = []
        checkpoint = self.methods[method].get('checkpoint')
        anonymizer = self._anonymizers[method]
        if 'train' in self.methods[method]:
            training = other('train')
            needs.append(training)
            anonymizer, checkpoint = training.config.model.anonymizer, str(training.weights)
        anonymizer = ConfigDict(anonymizer)
        if 'inverter' in spec:
            attack = other(spec.inverter)
            needs.append(attack)
            inverter = ConfigDict(attack.config.model.inverter)
            inverter.init_cfg = _pretrained(attack.weights, 'inverter.')
            if checkpoint is not None:
                anonymizer.init_cfg = _pretrained(checkpoint, 'anonymizer.')
            anonymizer = dict(type='SequentialAnonymizer', stages=[anonymizer, inverter])
            checkpoint = None
        node = config
        for key in slot.split('.'):
            if key not in node:
                raise ValueError(
                    f'The config {spec.config} has no {slot}, where the anonymizer should go; '
                    f'give it one or set slot of the stage in {self.path}.'
                )
            node = node[key]
        node.anonymizer, node.checkpoint = anonymizer, checkpoint
        return needs


def _data_of(config: Mapping) -> dict:
    """Return the parts of a config that load data when it runs."""
    used = [
        f'{split}_{part}' for split in ('train', 'val', 'test') for part in ('dataloader', 'cfg')
    ]
    return {key: config[key] for key in used if isinstance(config.get(key), Mapping)}


def _pretrained(checkpoint, prefix: str) -> dict:
    return dict(type='Pretrained', checkpoint=str(checkpoint), prefix=prefix)


def _fill(options, **values):
    """Replace ``{seed}`` and ``{fold}`` in all strings."""
    if isinstance(options, Mapping):
        return {key: _fill(value, **values) for key, value in options.items()}
    if isinstance(options, (list, tuple)):
        return [_fill(value, **values) for value in options]
    return options.format(**values) if isinstance(options, str) else options


def _choose(kind: str, wanted: Sequence | None, known: Sequence, path: Path) -> list:
    unknown = [item for item in wanted or () if item not in known]
    if unknown:
        raise ValueError(
            f'{path} has no {kind} {unknown[0]!r}; choose from '
            f'{", ".join(repr(item) for item in known)}.'
        )
    return list(known if wanted is None else [item for item in known if item in wanted])


def _check_keys(spec: Mapping, known: set[str], what: str) -> None:
    unknown = sorted(set(spec) - known)
    if unknown:
        raise ValueError(f'{what} has the unknown key {unknown[0]!r}; choose from {sorted(known)}.')


def _slug(name: str) -> str:
    text = name.lower().replace('×', 'x')
    return ''.join(c if c.isalnum() else '_' for c in text).strip('_')
