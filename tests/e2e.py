"""Whole tiny runs: data, a config derived from the demo's, the tools, and hooks that interfere.

The processes that the tests start import this module by ``custom_imports``, with ``tests`` in
``PYTHONPATH``.
"""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from mmengine.config import Config

import spact_mm  # noqa: F401  (before anything of MMAction2)

# isort: split
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import get_state_dict

from spact_mm.apis import run_tool
from spact_mm.datasets.annotation_files import write_attribute_file, write_video_list
from spact_mm.engine import MinimaxPhaseHook
from spact_mm.engine.phase_hook import parse_schedule

ROOT = Path(__file__).resolve().parents[1]
DEMO_CONFIG = ROOT / 'configs' / 'spact_r3d_demo.py'
CLASSES = 4
SIZE = 32
BATCH = 4
VIDEOS, TEST_VIDEOS, IMAGES = 30, 8, 40
SCHEDULE = (
    dict(phase='reconstruction', epochs=2),
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=2),
)
EPOCHS = 5
_counter = itertools.count()


# ---- hooks ---------------------------------------------------------------------------------------
@HOOKS.register_module()
class KillHook(Hook):
    """SIGKILL the process after the iteration ``SPACT_TEST_KILL=epoch,iteration``, both 0-based.

    With ``SPACT_TEST_SIGNAL=group`` it is SIGTERM to all processes of its group.
    """

    def __init__(self):
        self.at = os.environ.get('SPACT_TEST_KILL')
        self.to_group = os.environ.get('SPACT_TEST_SIGNAL') == 'group'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.at != f'{runner.epoch},{batch_idx}':
            return
        if self.to_group:
            signal_group()
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def signal_group():
    """Send SIGTERM to all processes of this group, data workers included, as a scheduler does."""
    # From another process: what its parent sends ends a worker.
    subprocess.run(['kill', '-TERM', '--', f'-{os.getpgrp()}'], check=False)


@HOOKS.register_module()
class UnheededReadinessHook(MinimaxPhaseHook):
    """Measure what minimax would start from, and start it anyway."""

    def before_train_epoch(self, runner):
        try:
            super().before_train_epoch(runner)
        except ValueError as error:
            runner.logger.info(f'Unheeded: {error}')


@HOOKS.register_module()
class DigestHook(Hook):
    """Write the digest of each process's parameters and buffers at the end of each epoch."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner):
        state = get_state_dict(runner.model)
        text = json.dumps({name.replace('.module.', '.'): digest(x) for name, x in state.items()})
        Path(runner.work_dir, f'rank{get_rank()}_epoch{runner.epoch + 1}.json').write_text(text)


def digest(x):
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()


# ---- data ----------------------------------------------------------------------------------------
def write_video(path, label, seed):
    """Write a video whose colour tells its label, with a square that moves."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    back = rng.integers(0, 120, (6, 8, 3)).astype(np.uint8)
    back = cv2.resize(back, (64, 48), interpolation=cv2.INTER_CUBIC)
    colour = np.array([(label & 1) * 255, (label >> 1) * 255, 128])
    for t in range(int(rng.integers(26, 46))):
        frame = back.copy()
        x = (3 * t) % 44
        frame[14:34, x : x + 20] = colour
        writer.write(frame)
    writer.release()


def write_image(path, seed):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(image, (64, 48), interpolation=cv2.INTER_CUBIC))


def write_data(folder):
    """Write the files that the demo's config expects in its ``demo_root``."""
    for split, count in (('train', VIDEOS), ('test', TEST_VIDEOS)):
        names = [f'{split}/{index:02}.mp4' for index in range(count)]
        for index, name in enumerate(names):
            seed = index + 1000 * (split == 'test')
            write_video(folder / 'videos' / name, index % CLASSES, seed)
        write_video_list(
            folder / f'{split}_videos.txt', [(n, i % CLASSES) for i, n in enumerate(names)]
        )
    names = [f'train/{index:02}.jpg' for index in range(IMAGES)]
    for index, name in enumerate(names):
        write_image(folder / 'images' / name, index)
    write_attribute_file(
        folder / 'train_attributes.json', ['hat'], [(name, []) for name in names], dataset='test'
    )
    return folder


# ---- config --------------------------------------------------------------------------------------
def write_config(folder, data, schedule=SCHEDULE, **changes):
    """Write a config on top of the demo's: the same code, narrow networks, 32x32 frames.

    ``changes`` are dotted keys as of ``--cfg-options`` with ``__`` for the dots.
    """
    demo = Config.fromfile(DEMO_CONFIG)
    train, test, privacy = (
        _loader(demo[name], data)
        for name in ('train_dataloader', 'val_dataloader', 'privacy_dataloader')
    )
    # So few that the privacy loader starts again within an epoch.
    privacy['dataset']['indices'] = 12
    stages = parse_schedule(schedule)
    epochs = stages[-1].end
    # Epochs 1 and 4 of SCHEDULE.
    milestones = [f'{stages[0].name}+1', f'{stages[-1].name}+1']
    hook = dict(type='MinimaxPhaseHook', schedule=list(schedule), force=True)
    config = dict(
        custom_imports=dict(imports=['spact_mm', 'e2e'], allow_failed_imports=False),
        model=dict(
            channels_last=False,  # for these few channels it cannot be used
            anonymizer=dict(base_channels=2, num_levels=2),
            recognizer=dict(
                backbone=dict(depth=18, base_channels=4),
                cls_head=dict(in_channels=16, num_classes=CLASSES, dropout_ratio=0.5, init_std=0.3),
            ),
            privacy_branch=dict(
                backbone=dict(depth=18, base_channels=4, stem_channels=4),
                neck=dict(in_channels=32, hid_channels=16, out_channels=8),
            ),
        ),
        custom_hooks=[hook, dict(type='KillHook'), dict(type='DigestHook')],
        default_hooks=dict(
            checkpoint=dict(max_keep_ckpts=-1),
            logger=dict(interval=1),
            pictures=dict(num_clips=1, num_frames=2, interval=100),
        ),
        param_scheduler=dict(
            anonymizer=[dict(type='MultiStepLR', by_epoch=True, milestones=milestones, gamma=0.5)],
            recognizer=[dict(type='LinearLR', by_epoch=False, begin=0, end=25)],
            privacy_branch=[dict(type='ExponentialLR', by_epoch=True, gamma=0.9)],
        ),
        train_dataloader=train,
        val_dataloader=test,
        test_dataloader=test,
        privacy_dataloader=privacy,
        train_cfg=dict(val_begin=epochs, val_interval=1),
    )
    for key, value in changes.items():
        _set(config, key.split('__'), value)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'tiny.py'
    lines = [f'_base_ = {str(DEMO_CONFIG)!r}', *(f'{k} = {v!r}' for k, v in config.items())]
    path.write_text('\n'.join(lines) + '\n')
    return path


def _loader(config, data):
    """Return a data loader of the demo with small batches and frames, of the files in ``data``."""
    config = deepcopy(config.to_dict())
    workers = config['num_workers'] = 1
    config.update(batch_size=BATCH, persistent_workers=workers > 0, _delete_=True)
    dataset = config['dataset']
    root = Path(Config.fromfile(DEMO_CONFIG).demo_root)
    dataset['ann_file'] = str(data / Path(dataset['ann_file']).relative_to(root))
    prefix = dataset['data_prefix']
    for key, folder in prefix.items():
        prefix[key] = str(data / Path(folder).relative_to(root))
    for transform in dataset['pipeline']:
        for inner in (transform, *transform.get('transforms', ())):
            if inner['type'] == 'Resize':
                inner['scale'] = (SIZE, SIZE)
            if inner['type'] == 'RandomCrop':
                inner['size'] = SIZE
            if inner['type'] == 'FlipOrErase':
                inner['erase_size'] = (0.1, 0.3)
            if inner['type'] == 'ReflectSampleFrames':
                inner.update(frame_interval=2, num_clips=2 if inner.get('test_mode') else 1)
    return config


def _set(config, keys, value):
    for key in keys[:-1]:
        config = config.setdefault(key, {})
    config[keys[-1]] = value


def workerless(**changes):
    """Return the changes to a config that load the data in the training process."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    loaders += ('privacy_dataloader',)
    keys = dict(num_workers=0, persistent_workers=False)
    return {f'{loader}__{k}': v for loader in loaders for k, v in keys.items()} | changes


# ---- runs ----------------------------------------------------------------------------------------
def environment(**variables):
    # The package of this checkout, whichever is installed.
    path = os.pathsep.join([str(ROOT / 'tests'), str(ROOT)])
    known = dict(OMP_NUM_THREADS='1', PYTHONPATH=path, SPACT_PYTHON=sys.executable)
    return os.environ | known | variables


def run_process(folder, *command, timeout=280, **variables):
    """Run a command; its output goes to files, as workers left by a kill would keep pipes open."""
    folder.mkdir(parents=True, exist_ok=True)
    number = next(_counter)
    paths = [folder / f'{number}.{name}' for name in ('stdout', 'stderr')]
    with open(paths[0], 'w') as stdout, open(paths[1], 'w') as stderr:
        code = subprocess.run(
            [str(part) for part in command],
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=environment(**variables),
            cwd=folder,
            timeout=timeout,
        ).returncode
    return SimpleNamespace(code=code, stdout=paths[0].read_text(), stderr=paths[1].read_text())


def run_cli(tool, config, *options, work_dir, **variables):
    """Run a tool, ``train``, ``test`` or a path, in a process of its own."""
    path = tool if isinstance(tool, Path) else ROOT / 'tools' / f'{tool}.py'
    command = [sys.executable, path, config, *options, '--work-dir', work_dir]
    return run_process(work_dir, *command, **variables)


def call_tool(monkeypatch, tool, config, *options, work_dir):
    """Run ``tools/train.py`` or ``tools/test.py`` in this process; errors end in ``SystemExit``."""
    # The tool sets it for good.
    monkeypatch.setenv('LOCAL_RANK', '0')
    # Layout of the config, half a second for each log, checkpoint and file that holds it.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **style: (text, True))
    options = [str(option) for option in options]
    if '--cfg-options' not in options:
        options.append('--cfg-options')
    # Loggers are shared by name, and the default name is the time in seconds.
    options += [f'experiment_name=run{next(_counter)}', '--work-dir', str(work_dir)]
    monkeypatch.setattr(sys, 'argv', [tool, str(config), *options])
    run_tool(tool)


def build_runner(config, work_dir, **changes):
    config = Config.fromfile(config, format_python_code=False)
    config.merge_from_dict(changes)
    config.update(work_dir=str(work_dir), experiment_name=f'run{next(_counter)}')
    return Runner.from_cfg(config)


def load(path):
    return torch.load(path, map_location='cpu', weights_only=True)


def log_of(work_dir):
    """Return the text of the logs of all runs in a work directory, in order."""
    return ''.join(path.read_text() for path in sorted(Path(work_dir).glob('*/*.log')))


def metrics_of(work_dir):
    """Return what the newest test in a work directory measured."""
    path = max(Path(work_dir).glob('*/*.json'))
    return json.loads(path.read_text())


def differences(a, b, name=''):
    """Return the names of all values in two nested structures that differ by any bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        equal = a.dtype == b.dtype and torch.equal(a, b)
        return [] if equal else [name]
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return [f'{name} (keys)']
        return [x for key in a for x in differences(a[key], b[key], f'{name}.{key}')]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return [f'{name} (length)']
        return [
            x
            for i, (u, v) in enumerate(zip(a, b, strict=True))
            for x in differences(u, v, f'{name}.{i}')
        ]
    return [] if type(a) is type(b) and a == b else [name]


def resumable(checkpoint):
    """Return what a run goes on from, less what the clock measured."""
    scalars = checkpoint['message_hub']['log_scalars']
    losses = {k: v for k, v in scalars.items() if k.startswith('train/') and 'time' not in k}
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    return dict({part: checkpoint[part] for part in parts}, losses=losses)
