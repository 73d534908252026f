"""Planning of a protocol's stages: configs with the anonymizers inserted, and dependencies."""

import inspect
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict

from ..config_keys import READ_KEYS, choose_variables, variables_of
from ..engine.run_schedulers import refuse_schedulers
from ..models.anonymizers import has_cacheable_signal, is_cacheable
from ..models.anonymizers.checkpoint import (
    describe_mismatch,
    find_config,
    find_weights,
    load_checkpoint,
)
from ..packaged import find_config_of_protocol
from .attackers import TWICE, lengthen, prepare_attacker
from .imports import add_imports, check_imported, imports_of, read_config
from .spec import BEHIND, is_run_with, resolve, stage_folder, stages_of
from .stage import FRAMES, Stage, find_files


class Planner:
    """Make the stages for each seed and fold."""

    def __init__(
        self, path: Path, spec: ConfigDict, work_dir: Path, imports: Sequence[str]
    ) -> None:
        self.path, self.spec, self.work_dir = path, spec, work_dir
        #: Imports of the protocol's file.
        self.imports = imports
        self.methods = {method.name: method for method in spec.methods}
        #: Parsed configs, by their paths and the variables set before.
        self._configs: dict[tuple[Path, str], Config] = {}
        self._anonymizers: dict[str, tuple[ConfigDict, dict]] = {}
        #: Whether frames are kept for a stage of a method, whatever the seed: networks are built
        #: to know it.
        self._cacheable: dict[tuple[str, str], bool] = {}

    def plan(self, methods: Sequence[str], seed: int, fold: int | None) -> list[Stage]:
        """Return the stages of methods and the stages that they need, in an order to run them."""
        made: dict[tuple[str, str], Stage] = {}
        for method in methods:
            if seed not in self.methods[method].get('seeds', [seed]):
                continue
            for name, spec in stages_of(self.methods[method], self.spec):
                if not is_run_with(spec, method, seed):
                    continue
                self._make(method, name, spec, seed, fold, made)
                if self._is_doubled(method, spec, seed, fold):
                    self._make(method, name + TWICE, spec, seed, fold, made)
        # Long stages come first, so that no long stage runs alone at the end.
        return sorted(made.values(), key=lambda stage: stage.name != 'train')

    def _is_doubled(self, method: str, spec: Mapping, seed: int, fold: int | None) -> bool:
        """Tell whether a stage is also run with twice the training, to measure its strength."""
        if 'attacker' not in spec or not spec.get('train', True) or 'strength' not in self.spec:
            return False
        place = dict(methods=method, seeds=seed, folds=fold)
        return all(item in self.spec.strength.get(key, [item]) for key, item in place.items())

    def check_anonymizer(self, method: str) -> None:
        """Build the anonymizer of a method, unless it will be trained, and check its weights.

        Raises:
            ValueError: If it cannot be built, or its checkpoint holds another anonymizer.
        """
        if 'train' in self.methods[method]:
            return
        config, weights = self._read_anonymizer(method)
        try:
            network = MODELS.build(config)
        except Exception as error:
            reason = str(error.args[0] if error.args else error).splitlines()[0]
            raise ValueError(
                f'The anonymizer of the method {method!r} of {self.path} cannot be built '
                f'({reason.rstrip(".")}); correct {dict(config)}.'
            ) from error
        mismatch = describe_mismatch(network, weights) if weights else ''
        if mismatch:
            raise ValueError(
                f'The checkpoint {self.methods[method].checkpoint} of the method {method!r} of '
                f'{self.path} holds another anonymizer than {config.type}, it has {mismatch}; give '
                'the anonymizer that it was trained with, or none to take it from the checkpoint.'
            )

    def _read_anonymizer(self, name: str) -> tuple[ConfigDict, dict]:
        """Return the anonymizer of a method without training, and its weights, if any."""
        if name not in self._anonymizers:
            method, weights = self.methods[name], {}
            config = method.get('anonymizer')
            if 'checkpoint' in method:
                config, weights = self._read_checkpoint(method)
            self._anonymizers[name] = ConfigDict(config), weights
        return self._anonymizers[name]

    def _read_checkpoint(self, method: ConfigDict) -> tuple[dict, dict]:
        if not os.path.isfile(method.checkpoint):
            raise FileNotFoundError(
                f'The checkpoint {method.checkpoint} of the method {method.name!r} of {self.path} '
                'does not exist; train it first or correct the path.'
            )
        content = load_checkpoint(method.checkpoint)
        weights = find_weights(content)
        if not weights:
            raise ValueError(
                f'The checkpoint {method.checkpoint} of the method {method.name!r} of {self.path} '
                'holds no anonymizer; choose one of a minimax training.'
            )
        return method.get('anonymizer') or find_config(content, method.checkpoint), weights

    def _make(self, method, name, spec, seed, fold, made) -> Stage:
        if (method, name) in made:
            return made[method, name]

        def other(reference: str) -> Stage:
            """Return the stage for a reference ``'stage'`` or ``'method:stage'``."""
            owner, kind = resolve(reference, method)
            found = dict(stages_of(self.methods[owner], self.spec))[kind]
            return self._make(owner, kind, found, seed, fold, made)

        config = self._read_config(spec, method, name, seed, fold)
        needs = []
        slot = None if name == 'train' else spec.get('slot', 'model.data_preprocessor')
        if slot is not None:
            needs += self._insert_anonymizer(config, slot, method, name, spec, other)
        if 'load' in spec:
            needs.append(other(spec.load))
            config.load_from = str(needs[-1].weights)
        add_imports(config, self.imports)
        for need in needs:
            add_imports(config, imports_of(need.config))
        self._check_imported(config, method, slot)
        if 'attacker' in spec:
            is_trained = spec.get('train', True)
            prepare_attacker(config, f'The stage {name!r} of {self.path}', is_trained)
            if name.endswith(TWICE):
                lengthen(config)
            self._keep_frames(config, slot, (method, name))
        config.randomness = dict(config.get('randomness', {}), seed=seed)
        files = {file for _, file in find_files(data_of(config))}
        if 'checkpoint' in self.methods[method]:
            files.add(self.methods[method].checkpoint)
        stage = Stage(
            name=name,
            method=method,
            seed=seed,
            fold=fold,
            folder=stage_folder(self.work_dir, method, seed, fold, name),
            config=config._cfg_dict,
            is_trained=spec.get('train', True),
            metrics={} if name.endswith(TWICE) else dict(spec.get('metrics', {})),
            attacker=dict(spec.get('attacker', {})),
            needs=needs,
            files=sorted(files),
        )
        made[method, name] = stage
        return stage

    def _keep_frames(self, config: Config, slot: str | None, kind: tuple[str, str]) -> None:
        """Let all attackers of one anonymizer share its frames, if its output can be cached."""
        node = config
        for key in (slot or '').split('.'):
            node = node.get(key) or {}
        # With augmentation behind the anonymizer, its input frames are the same in each epoch.
        if not node.get('augment'):
            return
        if kind not in self._cacheable:
            found = is_cacheable(node.anonymizer) or has_cacheable_signal(node.anonymizer)
            self._cacheable[kind] = found
        if self._cacheable[kind]:
            node.cache = dict(folder=str(self.work_dir / FRAMES))

    def _check_imported(self, config: Config, method: str, slot: str | None) -> None:
        """Refuse an anonymizer that is unknown to the process of a stage."""
        node, path = config, self.path
        for key in (slot or 'model').split('.'):
            node = node.get(key) or {}
        if 'train' in self.methods[method]:
            path = Path(find_config_of_protocol(self.methods[method].train.config, path))
        if node.get('anonymizer') is not None:
            owner = f'the method {method!r} of {self.path}'
            check_imported(node.anonymizer, imports_of(config), owner, path)

    def _read_config(self, spec, method, name, seed, fold) -> Config:
        method, name = self.methods[method], name.removesuffix(TWICE)
        config = method.get('configs', {}).get(name, spec.config)
        path = Path(find_config_of_protocol(config, self.path))
        if not path.is_file():
            raise FileNotFoundError(
                f'The config {path} of the stage {name!r} of {self.path} does not exist.'
            )
        both = spec.get('options'), method.get('options', {}).get(name)
        both = [_fill(options or {}, seed=seed, fold=fold) for options in both]
        variables = choose_variables({**both[0], **both[1]})
        if (path, repr(variables)) not in self._configs:
            with variables_of(variables):
                self._configs[path, repr(variables)] = read_config(path)
        config = deepcopy(self._configs[path, repr(variables)])
        for options in both:
            for key in options:
                _check_option(config, key, f'of the stage {name!r} of {self.path}', path)
            config.merge_from_dict(options)
        if spec.get('train', True):
            try:
                refuse_schedulers(config)
            except ValueError as error:
                raise ValueError(f'The stage {name!r} of {self.path} cannot run: {error}') from None
        return config

    def _insert_anonymizer(self, config, slot, method, name, spec, other) -> list[Stage]:
        needs = []
        checkpoint = self.methods[method].get('checkpoint')
        if 'train' in self.methods[method]:
            training = other('train')
            needs.append(training)
            anonymizer = self._find_network(training, 'anonymizer')
            checkpoint = str(training.weights)
        else:
            anonymizer, _ = self._read_anonymizer(method)
        anonymizer = ConfigDict(anonymizer)
        options = spec.get('anonymizer_options', {})
        self._check_arguments(anonymizer, options, f'The stage {name!r} of {self.path}')
        anonymizer.update(options)
        behind = [key for key in BEHIND if key in spec]
        if behind:
            if checkpoint is not None:
                anonymizer.init_cfg = _pretrained(checkpoint, 'anonymizer.')
            networks = [anonymizer]
            for key in behind:
                needs.append(other(spec[key]))
                networks.append(ConfigDict(self._find_network(needs[-1], key)))
                networks[-1].init_cfg = _pretrained(needs[-1].weights, f'{key}.')
            anonymizer = dict(type='SequentialAnonymizer', stages=networks)
            checkpoint = None
        node = config
        for key in slot.split('.'):
            if key not in node:
                raise ValueError(
                    f'The config {spec.config} of the stage {name!r} has no {slot}, where the '
                    f'anonymizer should go; give it one or set slot of the stage in {self.path}.'
                )
            node = node[key]
        node.anonymizer, node.checkpoint = anonymizer, checkpoint
        return needs

    @staticmethod
    def _check_arguments(anonymizer: Mapping, options: Mapping, where: str) -> None:
        known = inspect.signature(MODELS.get(anonymizer['type'])).parameters if options else {}
        for key in options:
            if key not in known:
                raise ValueError(
                    f'{where} has the anonymizer_options {key!r}, which {anonymizer["type"]} does '
                    f'not take; choose from {list(known)}.'
                )

    def _find_network(self, stage: Stage, key: str) -> ConfigDict:
        """Return the config of a network that a stage trains, which is a child of its model."""
        if key not in stage.config.get('model', {}):
            raise ValueError(
                f'The config of the stage {stage.name!r} of the method {stage.method!r} of '
                f'{self.path} has no model.{key}, which other stages need; choose one that has.'
            )
        return stage.config.model[key]


def data_of(config: Mapping) -> dict:
    """Return the parts of a config that load data in its run."""
    used = [
        f'{split}_{part}' for split in ('train', 'val', 'test') for part in ('dataloader', 'cfg')
    ]
    if (config.get('train_cfg') or {}).get('type') == 'MinimaxTrainLoop':
        used.append('privacy_dataloader')
    return {key: config[key] for key in used if isinstance(config.get(key), Mapping)}


def _pretrained(checkpoint, prefix: str) -> dict:
    return dict(type='Pretrained', checkpoint=str(checkpoint), prefix=prefix)


def _check_option(config: Config, key: str, where: str, path: Path) -> None:
    """Refuse an option for a missing part of a config, which would have no effect.

    Raises:
        ValueError: If ``key`` is no variable of the config, and without its last part it does not
            exist, or has no named entries.
    """
    if key.split('.')[0] not in READ_KEYS and ('.' in key or key not in config):
        raise ValueError(
            f'The option {key!r} {where} is for no setting, and no variable of {path}; correct the '
            'name, and give variables as a whole.'
        )
    node = config
    for part in key.split('.')[:-1]:
        try:
            node = node[int(part)] if isinstance(node, list) else node[part]
        except (KeyError, IndexError, ValueError, TypeError):
            node = None
    if not isinstance(node, (Mapping, list, Config)):
        raise ValueError(
            f'The option {key!r} {where} is for nothing that {path} has; correct it, and give '
            'tuples as a whole.'
        )


def _fill(options, **values):
    """Replace ``{seed}`` and ``{fold}`` in all strings."""
    if isinstance(options, Mapping):
        return {key: _fill(value, **values) for key, value in options.items()}
    if isinstance(options, (list, tuple)):
        return [_fill(value, **values) for value in options]
    if isinstance(options, str):
        for name, value in values.items():
            options = options.replace(f'{{{name}}}', str(value))
    return options
