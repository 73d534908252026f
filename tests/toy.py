"""A training that takes a moment, with dropout and everything else of a real one.

The processes that tests start import it by ``tests`` in ``PYTHONPATH``.
"""

import os
from itertools import count

import torch

import spact_mm  # noqa: F401  (before anything of MMAction2)

# isort: split
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from spact_mm.datasets import ReproducibleDataset

SAMPLES, BATCH = 20, 4
BATCHES = SAMPLES // BATCH
_numbers = count()


class Net(BaseModel):
    """Two layers with dropout and batch norm, on noisy inputs."""

    def __init__(self, width=3):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2, width), nn.BatchNorm1d(width), nn.Dropout(0.5), nn.Linear(width, 1)
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.body(inputs + 0.1 * torch.randn_like(inputs))
        return dict(loss=out.square().mean() + out.mean()) if mode == 'loss' else [out]


class Numbers(torch.utils.data.Dataset):
    """Random numbers; ``loaded`` are the indices that were asked for."""

    metainfo = dict(classes=('a', 'b'))

    def __init__(self):
        self.loaded = []

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        self.loaded.append(index)
        return dict(inputs=torch.rand(2) + index / SAMPLES)


class At(Hook):
    """Call something after the nth iteration of the run, counted from 1."""

    priority = 'LOWEST'

    def __init__(self, iteration, call):
        self.iteration, self.call = iteration, call

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self.call(runner)


class Stop(Exception):
    """Ends a training as a kill would, in the middle."""


def stop(runner):
    raise Stop


def make_runner(
    work_dir,
    epochs=3,
    hook=None,
    loop='ResumableTrainLoop',
    loader=None,
    optim=None,
    width=3,
    **kwargs,
):
    """Build a runner whose start is always the same."""
    torch.manual_seed(0)
    train = dict(
        dataset=ReproducibleDataset(Numbers()),
        batch_size=BATCH,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    ) | (loader or {})
    kwargs.setdefault(
        'param_scheduler',
        [
            dict(type='LinearLR', by_epoch=False, begin=0, end=11),
            dict(type='MultiStepLR', milestones=[1]),
        ],
    )
    return Runner(
        model=Net(width),
        work_dir=str(work_dir),
        train_dataloader=train,
        train_cfg=dict(type=loop, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01), **(optim or {})),
        custom_hooks=[dict(type='ReproducibleEpochHook'), dict(type='TrainingCurvesHook')],
        default_hooks=dict(
            checkpoint={'type': 'PlainCheckpointHook', 'interval': 1, **(hook or {})},
            logger=dict(type='LoggerHook', interval=1),
        ),
        default_scope='mmaction',
        experiment_name=f'toy_{os.getpid()}_{next(_numbers)}',
        randomness=dict(seed=0),
        **kwargs,
    )


def train(work_dir, stops=None, **kwargs):
    """Train, perhaps until an iteration is over, and return the runner."""
    runner = make_runner(work_dir, **kwargs)
    if stops is None:
        runner.train()
        return runner
    runner.register_hook(At(stops, stop))
    try:
        runner.train()
    except Stop:
        return runner
    raise AssertionError(f'The training was over before iteration {stops}.')
