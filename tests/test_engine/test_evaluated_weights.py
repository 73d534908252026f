from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from e2e import build_runner, differences, load, workerless, write_config
from mmengine.hooks import Hook
from test_checkpoint_hook import Toy, make_runner

SCHEDULE = [
    dict(phase='reconstruction', epochs=2),
    dict(phase=('anonymizer', 'adversaries'), epochs=1),
]


class Keep(Hook):
    """Keep what a validation and the picture's hook see of f_A."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.validated, self.trained = [], []

    def after_train_epoch(self, runner):
        self.trained.append(weights(runner.model))

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 0:
            self.validated.append(weights(runner.model))


def weights(model):
    return {name: value.clone() for name, value in model.anonymizer.state_dict().items()}


def train(config, work_dir, **changes):
    runner, keep = build_runner(config, work_dir, **changes), Keep()
    runner.register_hook(keep)
    runner.train()
    return runner, keep


@pytest.fixture(scope='module')
def config(tmp_path_factory, tiny_data):
    return write_config(
        tmp_path_factory.mktemp('ema'),
        tiny_data,
        SCHEDULE,
        **workerless(
            default_hooks__pictures=dict(num_clips=1, num_frames=2, interval=1),
            train_cfg__val_begin=1,
            custom_hooks=[
                dict(type='MinimaxPhaseHook', schedule=SCHEDULE, force=True),
                dict(type='EMAHook', momentum=0.02),
            ],
        ),
    )


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('whole')
    runner, keep = train(config, work_dir)
    return SimpleNamespace(work_dir=work_dir, runner=runner, keep=keep)


@pytest.mark.slow
def test_pictures_show_the_averaged_weights_that_are_evaluated(whole):
    runner, keep = whole.runner, whole.keep
    assert len(keep.validated) == len(keep.trained) == 3
    for epoch, (evaluated, trained) in enumerate(zip(keep.validated, keep.trained, strict=True), 1):
        picture = cv2.imread(str(whole.work_dir / f'anonymization/epoch_{epoch}.png'))[..., ::-1]
        half = len(picture) // 2
        raw = torch.from_numpy(picture[:half].copy()).permute(2, 0, 1)[None] / 255
        shown = []
        for state in (evaluated, trained):
            runner.model.anonymizer.load_state_dict(state)
            with torch.no_grad():
                frames = raw.split(half, dim=3)  # square frames
                out = torch.cat([runner.model.anonymizer.eval()(x) for x in frames], dim=3)
            shown.append(out[0].permute(1, 2, 0).numpy() * 255)
        # Rounded twice, before and after f_A.
        assert np.abs(picture[half:] - shown[0]).max() < 2
        assert np.abs(shown[1] - shown[0]).max() > 4


@pytest.mark.slow
def test_a_run_with_averages_resumes_bit_for_bit(config, whole, tmp_path):
    """Its checkpoints hold the averages for use and the weights themselves to go on from."""
    first = load(whole.work_dir / 'epoch_1.pth')
    name = next(name for name in first['state_dict'] if name.startswith('anonymizer.'))
    key = name.removeprefix('anonymizer.')
    assert torch.equal(first['state_dict'][name], whole.keep.validated[0][key])
    assert torch.equal(first['ema_state_dict'][f'module.{name}'], whole.keep.trained[0][key])
    train(config, tmp_path, resume=True, load_from=str(whole.work_dir / 'epoch_1.pth'))
    expected, found = (load(folder / 'epoch_3.pth') for folder in (whole.work_dir, tmp_path))
    for part in ('state_dict', 'ema_state_dict', 'optimizer'):
        assert differences(expected[part], found[part]) == []


def train_toy(work_dir, wraps, epochs, **settings):
    settings['custom_hooks'] = [
        dict(type='EMAHook', momentum=0.3),
        dict(type='FlatAveragesHook'),
    ]
    make_runner(work_dir, epochs=epochs, model=Toy(wraps=wraps), **settings).train()


@pytest.mark.parametrize('wraps', [(True, True), (True, False), (False, True)])
def test_wrapped_and_single_models_exchange_averages(tmp_path, wraps):
    before, after = wraps
    torch.manual_seed(0)
    train_toy(tmp_path / 'whole', before, 2)
    checkpoint = tmp_path / 'whole' / 'epoch_1.pth'
    assert set(load(checkpoint)['ema_state_dict']) == {
        'steps',
        *(f'module.{name}' for name in Toy().state_dict()),
    }
    train_toy(tmp_path / 'resumed', after, 2, resume=True, load_from=str(checkpoint))
    expected, found = (load(tmp_path / run / 'epoch_2.pth') for run in ('whole', 'resumed'))
    for part in ('state_dict', 'ema_state_dict', 'optimizer'):
        assert differences(dict(expected[part]), dict(found[part])) == []
