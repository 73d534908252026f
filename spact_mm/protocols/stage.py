"""A stage of a protocol: a run of MMEngine's Runner, and its result file."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner, save_checkpoint

from .. import __version__
from ..config_keys import READ_KEYS
from ..engine.checkpoint_files import is_whole
from .attackers import TWICE, collect_validation, measure_attacker
from .stage_files import read_json, read_progress, read_result, write_json

_PACKAGE = Path(__file__).resolve().parents[1]
#: Default hooks and keys of a config that only draw and log, without effect on results.
_SHOWING_HOOKS = (
    'logger',
    'pictures',
    'settings',
    'early_check',
    'dead_run',
    'visualization',
    'curves',
)
#: Folder in a work dir with the frames that attackers of one anonymizer share.
FRAMES = 'frames'
#: Files of a stage in its folder, beside the folder ``run``; ``stage.json``, which identifies the
#: folder, is removed last.
_STAGE_FILES = ('result.json', 'progress.json', 'validation.json', 'weights.pth', 'config.py')
_STAGE_FILES += ('log.txt', 'interrupted', 'job.json', 'stage.json')
_SHOWING_KEYS = ('visualizer', 'vis_backends', 'log_level', 'log_processor')


@dataclass(eq=False)
class Stage:
    """A run of a protocol, with the folder of its files.

    Attributes:
        name (str): Kind of stage, a key of the protocol's ``stages``, or ``'train'``.
        method (str): Method of the stage.
        seed (int): Seed of all random numbers in the stage.
        fold (int | None): Fold of the data.
        folder (Path): Folder of ``config.py``, ``result.json`` and, after a training,
            ``weights.pth``.
        config (ConfigDict): The whole config.
        is_trained (bool): Whether the stage trains, or only tests.
        metrics (dict[str, str]): Names of MMEngine's metrics, by their keys in the report.
        needs (list[Stage]): Stages that must be finished before.
        attacker (dict[str, str]): ``score`` and ``chance``, names of metrics, for an attacker of
            the panel; else empty.
        files (list[str]): Files and folders in the config: data, and an anonymizer's checkpoint
            that no stage makes.
    """

    name: str
    method: str
    seed: int
    fold: int | None
    folder: Path
    config: ConfigDict
    is_trained: bool
    metrics: dict[str, str]
    needs: list['Stage'] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    attacker: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hash = self._hash()

    @property
    def id(self) -> str:
        """Name for people and logs."""
        fold = '' if self.fold is None else f' fold {self.fold}'
        return f'{self.method}, seed {self.seed}{fold}: {self.name}'

    @property
    def weights(self) -> Path:
        """The file of the trained weights; it exists when the stage is finished."""
        return self.folder / 'weights.pth'

    @property
    def log(self) -> Path:
        """The log of the stage's processes, one after another."""
        return self.folder / 'log.txt'

    def _hash(self) -> str:
        """Return a hash that identifies the result: of config, lists of data and needed stages."""
        # Variables of config files are left out: the settings made of them are included.
        settings = READ_KEYS - set(_SHOWING_KEYS)
        config = {key: value for key, value in self.config.items() if key in settings}
        hooks = config.get('default_hooks', {})
        config['default_hooks'] = {k: v for k, v in hooks.items() if k not in _SHOWING_HOOKS}
        content = dict(
            config=config,
            is_trained=self.is_trained,
            metrics=self.metrics,
            needs=[stage.hash for stage in self.needs],
            lists={file: _digest(file) for file in self.files if os.path.isfile(file)},
        )
        if self.attacker:
            content['attacker'] = self.attacker
        text = json.dumps(content, sort_keys=True, default=str)
        # The identity of needed weights is included, not the work dir of their file.
        for stage in self.needs:
            text = text.replace(json.dumps(str(stage.weights)), f'"{stage.hash}"')
        preprocessor = (config.get('model') or {}).get('data_preprocessor') or {}
        if preprocessor.get('cache'):
            text = text.replace(json.dumps(preprocessor['cache']['folder']), f'"{FRAMES}"')
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def read_result(self) -> dict | None:
        """Return the result of exactly this config; None if there is none."""
        result = read_result(self.folder / 'result.json')
        return result if result.get('config_hash') == self.hash else None

    def read_progress(self) -> float:
        """Return the finished fraction of the training."""
        return read_progress(self.folder / 'progress.json')[0]

    def prepare(self) -> None:
        """Write the input of :func:`run_stage`; files of another config are removed.

        Raises:
            FileExistsError: If the folder has other files and none of a stage.
        """
        path = self.folder / 'stage.json'
        if self.folder.exists() and read_json(path).get('hash') != self.hash:
            self._clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = ('name', 'method', 'seed', 'fold', 'is_trained', 'metrics', 'attacker', 'hash')
        write_json(path, {key: getattr(self, key) for key in keys})
        Config(self.config, format_python_code=False).dump(self.folder / 'config.py')

    def _clear(self) -> None:
        """Remove the files of a stage, and nothing else."""
        found = {path.name for path in self.folder.iterdir()}
        # Hidden files may be from a stage that was killed early, before it had other files.
        if 'stage.json' not in found and any(not name.startswith('.') for name in found):
            raise FileExistsError(
                f'{self.folder} has files, and no stage.json of a protocol: move them, or choose '
                'another --work-dir.'
            )
        shutil.rmtree(self.folder / 'run', ignore_errors=True)
        for name in _STAGE_FILES:
            (self.folder / name).unlink(missing_ok=True)


def find_files(config: Mapping) -> Iterator[tuple[str, str]]:
    """Yield each file and folder of data in a config, and its key."""
    # Joined as in MMEngine's data sets.
    root = config.get('data_root') or ''
    for key, value in config.items():
        if key == 'data_prefix' and isinstance(value, Mapping):
            folders = {f'data_prefix.{k}': v for k, v in value.items() if v}
            yield from ((k, os.path.join(root, v)) for k, v in folders.items() if _is_local(v))
        elif isinstance(value, Mapping):
            yield from find_files(value)
        elif key in ('ann_file', 'box_file') and isinstance(value, str) and value:
            if _is_local(value):
                yield key, os.path.join(root if key == 'ann_file' else '', value)
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, Mapping):
                    yield from find_files(item)


def run_stage(folder: str | os.PathLike) -> dict:
    """Run the stage that :meth:`Stage.prepare` wrote to a folder, or resume it.

    Args:
        folder: Folder of the stage.

    Returns:
        dict: The contents of ``result.json``: the metrics and their origin.

    Raises:
        KeyError: If a test or validation lacks a metric of the protocol.
    """
    folder = Path(folder)
    start = time.time()
    stage = json.loads((folder / 'stage.json').read_text())
    # Without this setting MMEngine formats a config's text with yapf four times at the start and at
    # each checkpoint, which takes seconds.
    config = Config.fromfile(folder / 'config.py', format_python_code=False)
    config.work_dir = str(folder / 'run')
    _separate_frames(config)
    # MMEngine resumes the newest checkpoint in the work dir.
    config.resume = stage['is_trained'] and any(map(is_whole, (folder / 'run').glob('*.pth')))
    if config.resume:
        config.load_from = None
        start -= read_progress(folder / 'progress.json')[1]
    else:
        for name in ('progress.json', 'validation.json'):
            (folder / name).unlink(missing_ok=True)
    config.custom_hooks = [
        *config.get('custom_hooks', []),
        dict(
            type='ProgressFileHook',
            path=str(folder / 'progress.json'),
            seconds=round(time.time() - start, 1),
        ),
        dict(type='ValidationFileHook', path=str(folder / 'validation.json')),
    ]
    runner = Runner.from_cfg(config)
    if stage['is_trained']:
        runner.train()
        _save_weights(runner, folder / 'weights.pth')
    elif stage['attacker']:
        runner.val()
    is_tested = stage['metrics'] or (stage['attacker'] and not stage['name'].endswith(TWICE))
    values = runner.test() if is_tested else {}
    absent = [name for name in stage['metrics'].values() if name not in values]
    if absent:
        raise KeyError(
            f'The test of {folder} yields no metric {absent[0]!r}; choose from {sorted(values)} in '
            f'stages.{stage["name"]}.metrics of the protocol.'
        )
    result = dict(
        stage,
        metrics={key: float(values[name]) for key, name in stage['metrics'].items()},
        # All values, also those that are not in the report, such as each attribute's.
        values={key: float(value) for key, value in values.items()},
        config_hash=stage['hash'],
        commit=current_commit(),
        time=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        seconds=round(time.time() - start, 1),
    )
    del result['hash']
    if stage['attacker']:
        result['attacker'] = _judge(stage, config, folder, values)
    write_json(folder / 'result.json', result)
    # These checkpoints are only for resuming.
    for checkpoint in (folder / 'run').glob('*.pth'):
        checkpoint.unlink()
    return result


def _separate_frames(config: Config) -> None:
    """Let nodes of a cluster share no store of frames: its locks and pages are a machine's own."""
    cache = (config.model.get('data_preprocessor') or {}).get('cache')
    if cache and 'SLURM_JOB_ID' in os.environ:
        cache.folder = str(Path(cache.folder, socket.gethostname()))


def _judge(stage: dict, config: Config, folder: Path, values: Mapping[str, float]) -> dict:
    """Return an attacker's results on the validation split and on the test persons."""
    found = read_json(folder / 'validation.json')
    # An attacker without training is measured once, after no epoch.
    epochs = config.train_cfg.max_epochs if stage['is_trained'] else 1
    if not stage['is_trained']:
        found = {'1': found['0']}
    validation = collect_validation(found, epochs, stage['attacker'])
    if stage['name'].endswith(TWICE):
        return dict(validation={f'{2 * float(k):.4g}': entry for k, entry in validation.items()})
    return dict(measure_attacker(values, stage['attacker']), validation=validation)


@cache
def current_commit() -> str:
    """Return the commit of the code, with ``-dirty`` if it was changed.

    An installed package, and a checkout without git, have the version in its place.

    The commit is determined at the first call: imported code does not change with its files.
    """
    version = f'spact_mm {__version__}'
    if not (_PACKAGE.parent / '.git').exists():
        return version
    command = ['git', '-C', str(_PACKAGE), 'describe', '--always', '--dirty', '--abbrev=7']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return version
    return done.stdout.strip() or version


def _save_weights(runner: Runner, path: Path) -> None:
    """Save the model's weights and metadata, without the state for resuming, as a plain file."""
    model = runner.model.module if hasattr(runner.model, 'module') else runner.model
    content = dict(
        state_dict={key: value.cpu() for key, value in model.state_dict().items()},
        meta=dict(cfg=runner.cfg.pretty_text, epoch=runner.epoch),
    )
    save_checkpoint(content, str(path), backend_args=dict(backend='atomic_local'))


def _is_local(path: str) -> bool:
    return '://' not in path


def _digest(file: str) -> str:
    status = os.stat(file)
    return _digest_of(file, status.st_size, status.st_mtime_ns)


@cache
def _digest_of(file: str, *_: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
