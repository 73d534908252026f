"""Every evaluation config of the public data sets, at full architecture on small inputs."""

import json
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import torch
from e2e import (
    ROOT,
    build_runner,
    load,
    metrics_of,
    run_cli,
    write_image,
    write_video,
)
from mmaction.registry import METRICS, MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmpretrain.structures import DataSample
from tiny import action_batch, changed, privacy_batch, snapshot

from spact_mm.apis import find_tool
from spact_mm.config_keys import READ_KEYS, read_config
from spact_mm.datasets import VISPR1_ATTRIBUTES, VISPR1_COLUMNS
from spact_mm.datasets.annotation_files import write_attribute_file
from spact_mm.datasets.pa_hmdb51 import PA_HMDB51_ATTRIBUTES

CONFIGS = {
    path.stem: path
    for path in sorted((ROOT / 'configs' / 'eval').glob('*.py'))
    if not path.stem.endswith(('_demo', '_demo_video', '_folder')) and 'weizmann' not in path.stem
}
TRAINED = [name for name in CONFIGS if 'pa_hmdb51' not in name]
#: Of which steps are taken behind BlackenAnonymizer, too.
BLACKENED = ['action_r3d_ucf101', 'action_r3d_hmdb51', 'privacy_resnet50_vispr1']


def slot(config):
    """Return where the anonymizer is in the config of a model."""
    return config.model.get('data_preprocessor', config.model)


def with_boxes(name, box_file):
    """Return the config that loads boxes of persons in all its pipelines."""
    keys = ('box_file', 'pa_box_file') if 'pa_hmdb51' in name else ('box_file',)
    return read_config(CONFIGS[name], dict.fromkeys(keys, str(box_file)))


def batch_for(name, config, blackened=False):
    """Return a small batch as the config's pipelines give it, with boxes where it is blackened."""
    if name.startswith('action'):
        shape = (8, 3, 16, 16) if 'tsm' in name else (1, 3, 8, 16, 16)
        data, frames = action_batch(clips=2, shape=shape), 8
    else:
        data, frames = privacy_batch(images=3, size=64, attributes=7, views=1), 1
    if blackened:
        slot(config).anonymizer = dict(type='BlackenAnonymizer')
        for sample in data['data_samples']:
            boxes = [np.array([[0, 0, 0.5, 0.5]], np.float32)] * frames
            sample.set_metainfo(dict(person_boxes=boxes))
    return data


@pytest.mark.parametrize('name', CONFIGS)
def test_raw_is_the_default_and_the_last_epoch_counts(name):
    config = Config.fromfile(CONFIGS[name])
    assert slot(config).anonymizer == dict(type='IdentityAnonymizer')
    assert slot(config).checkpoint is None
    is_attacker = name.startswith(('privacy', 'attack'))
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        assert (key in config) == is_attacker
    if is_attacker:
        validation = config.val_dataloader.dataset
        assert validation.ann_file == 'data/vispr/vispr_val.json' and validation.test_mode
        assert validation.attributes == ('VISPR2' if 'vispr2' in name else 'VISPR1')
        assert config.val_evaluator == dict(type='PrivacyAttributeMetric')
    if is_attacker and name in TRAINED:
        # Seldom: 4,167 images for the 10,000 of an epoch.
        assert config.train_cfg.val_interval * 4 == config.train_cfg.max_epochs
    assert 'save_best' not in config.default_hooks.checkpoint
    if name in TRAINED:
        assert [hook.type for hook in config.custom_hooks] == ['ReproducibleEpochHook']


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, blackened', [*((n, False) for n in TRAINED), *((n, True) for n in BLACKENED)]
)
def test_config_trains_two_steps(name, blackened):
    config = Config.fromfile(CONFIGS[name])
    data = batch_for(name, config, blackened)
    model = MODELS.build(config.model)
    model.init_weights()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    before = snapshot(model)
    values = model.train_step(data, optimizer)
    # The residual branches of a ResNet start at zero, so that most weights move from here on.
    later = model.train_step(data, optimizer)
    assert all(torch.isfinite(value) for value in [*values.values(), *later.values()])
    assert set(dict(model.named_parameters())) <= changed(before, model)
    if name.startswith('privacy'):
        # Mean over the attributes of the binary cross entropy; a fresh attacker knows nothing.
        assert values['loss'].item() == pytest.approx(np.log(2), abs=0.15)
    if name.startswith('action'):
        classes = 51 if 'hmdb51' in name else 101
        # No better than chance. On two clips a random head, as I3D's, may be confidently wrong: by
        # seed its loss was 4.97 to 6.32.
        assert values['loss'].item() > np.log(classes) - 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, blackened', [*((n, False) for n in CONFIGS), *((n, True) for n in BLACKENED)]
)
def test_config_tests_a_step(name, blackened):
    config = Config.fromfile(CONFIGS[name])
    data = batch_for(name, config, blackened)
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        samples = model.test_step(data)
    if name.startswith('action'):
        assert samples[0].pred_score.shape == (51 if 'hmdb51' in name else 101,)
        assert samples[0].pred_score.sum().item() == pytest.approx(1, abs=1e-4)
    elif name.startswith(('privacy', 'attack')):
        assert samples[0].pred_score.shape == (7,)
        assert 0 < samples[0].pred_score.min() and samples[0].pred_score.max() < 1
    else:
        # Raw images have not been changed.
        assert torch.equal(samples[0].anonymized, samples[0].raw)
        assert (samples[0].restored - samples[0].raw).abs().mean() > 0.03


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('files')
    write_video(folder / 'a.mp4', 1, 0)
    write_image(folder / 'a.jpg', 0)
    frame = dict(width=64, height=48, frames={'0': [[16, 12, 48, 36, 0.9], [0, 0, 9, 9, 0.4]]})
    content = dict(version=1, absent_frames='earlier', videos={'a.mp4': frame, 'a.jpg': frame})
    (folder / 'boxes.json').write_text(json.dumps(content))
    return folder


def sample_of(name, files):
    if name.startswith('action'):
        return dict(filename=str(files / 'a.mp4'), label=1, start_index=0, modality='RGB', tar=None)
    labels = dict(gt_label=[0], gt_score=np.eye(7, dtype=np.float32)[0])
    if 'pa_hmdb51' in name:
        return dict(filename=str(files / 'a.mp4'), frame_index=3, video_id='a', gt_label=[])
    return dict(labels, img_path=str(files / 'a.jpg'))


@pytest.mark.parametrize('boxed', [False, True])
@pytest.mark.parametrize('name', CONFIGS)
def test_pipelines_give_what_the_model_takes(name, boxed, files):
    path = CONFIGS[name]
    config = with_boxes(name, files / 'boxes.json') if boxed else Config.fromfile(path)
    for kind in ('train', 'val', 'test'):
        if f'{kind}_dataloader' not in config:
            continue
        pipeline = config[f'{kind}_dataloader'].dataset.pipeline
        # Attackers of PA-HMDB51 are trained and chosen on images of VISPR.
        source = 'privacy' if 'pa_hmdb51' in name and kind != 'test' else name
        packed = Compose(pipeline)(sample_of(source, files))
        if 'tsm' in name:
            shape = (8, 3, 112, 112)
        elif name.startswith('action'):
            shape = (1 if kind == 'train' else 5, 3, 16, 112, 112)
        else:
            shape = (3, 224, 224)
        assert packed['inputs'].shape == shape
        assert boxed == ('person_boxes' in packed['data_samples'].metainfo)
        if boxed:
            boxes = packed['data_samples'].metainfo['person_boxes']
            assert len(boxes) == np.prod(shape) / (3 * shape[-2] * shape[-1])
            # One of the two scores too low.
            assert all(len(box) == 1 for box in boxes)
            if kind != 'train' and not name.startswith('action'):
                assert boxes[0].tolist() == [[0.25, 0.25, 0.75, 0.75]]


@pytest.mark.parametrize('name', CONFIGS)
def test_boxes_are_all_that_a_box_file_adds(name, files):
    config, plain = with_boxes(name, files / 'boxes.json'), Config.fromfile(CONFIGS[name])
    found = 0
    for key in [f'{kind}_dataloader' for kind in ('train', 'val', 'test')]:
        for holder in (config, plain) if key in config else ():
            pipeline = holder[key].dataset.pipeline
            keys = pipeline[-1].pop('meta_keys', ())
            loaders = [t for t in pipeline if t.type == 'LoadPersonBoxes']
            assert len(loaders) == (holder is config) == ('person_boxes' in keys)
            found += len(loaders)
            pipeline[:] = [t for t in pipeline if t.type != 'LoadPersonBoxes']
    assert found >= 2
    assert all(config.get(key) == plain.get(key) for key in READ_KEYS)


def learning_rates(config, epoch_length=4):
    """Return the learning rate at the end of each epoch."""
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], config.optim_wrapper.optimizer.lr
    )
    schedulers = []
    for settings in config.param_scheduler:
        settings = dict(dict(end=config.train_cfg.max_epochs), **settings)
        build = PARAM_SCHEDULERS.get(settings.pop('type'))
        if settings.pop('convert_to_iter_based', False):
            settings['epoch_length'] = epoch_length
            build = build.build_iter_from_epoch
        schedulers.append(build(optimizer=optimizer, **settings))
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        for _ in range(epoch_length):
            rate = optimizer.param_groups[0]['lr']
            optimizer.step()
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
        for scheduler in schedulers:
            if scheduler.by_epoch:
                scheduler.step()
        rates.append(rate)
    return rates


@pytest.mark.parametrize('name', [name for name in TRAINED if name.startswith('action')])
def test_action_targets_have_the_settings_of_ted_spad(name):
    config = Config.fromfile(CONFIGS[name])
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4)
    assert config.train_dataloader.batch_size == 16
    rates = learning_rates(config)
    assert len(rates) == 100
    assert rates[4] == pytest.approx(1e-4) == max(rates) and rates[0] < 3e-5
    assert rates[52] == pytest.approx(0.5e-4, rel=0.05) and rates[-1] < 1e-7


@pytest.mark.parametrize('name', [name for name in TRAINED if name.startswith('privacy')])
def test_privacy_attackers_have_the_settings_of_ted_spad(name):
    config = Config.fromfile(CONFIGS[name])
    assert config.optim_wrapper.optimizer.type == 'Adam'
    assert config.train_dataloader.batch_size == 32
    rates = learning_rates(config)
    assert len(rates) <= 100 and max(rates) == pytest.approx(2e-4)
    drops = [a / b for a, b in zip(rates[5:], rates[6:], strict=False) if a > b]
    assert drops == pytest.approx([5, 5])


def test_pa_hmdb51_reads_the_outputs_of_the_vispr1_attacker():
    config = Config.fromfile(CONFIGS['privacy_resnet50_pa_hmdb51'])
    columns = {name: tuple(found) for name, found in config.test_evaluator.columns.items()}
    assert columns == {name: VISPR1_COLUMNS[name] for name in PA_HMDB51_ATTRIBUTES[5]}
    attacker = Config.fromfile(CONFIGS['privacy_resnet50_vispr1'])
    assert config.model == attacker.model
    assert attacker.train_dataloader.dataset.attributes == 'VISPR1'


def write_child(folder, name, **changes):
    """Write a config on top of an evaluation config, and return its path."""
    lines = [f'_base_ = {str(CONFIGS[name])!r}', *(f'{k} = {v!r}' for k, v in changes.items())]
    path = folder / f'{name}.py'
    path.write_text('\n'.join(lines) + '\n')
    return path


@pytest.fixture
def anonymizer(tmp_path):
    """Return the settings of a preprocessor with a small f_A, and the file of its weights."""
    settings = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
    network = MODELS.build(settings)
    path = tmp_path / 'minimax.pth'
    state = {f'anonymizer.{key}': value for key, value in network.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return dict(anonymizer=dict(settings, _delete_=True), checkpoint=str(path)), path


def loader(**dataset):
    return dict(batch_size=4, num_workers=1, dataset=dataset)


def train_and_test(config, work_dir, minimax):
    """Train; return the metrics and the checkpoint, in which f_A's weights are."""
    runner = build_runner(config, work_dir)
    runner.train()
    metrics = runner.test()
    checkpoint = work_dir / f'epoch_{runner.epoch}.pth'
    source = load(minimax)['state_dict']
    state = load(checkpoint)['state_dict']
    assert source and all(torch.equal(state[f'data_preprocessor.{k}'], source[k]) for k in source)
    # From here on they come with the checkpoint of the fresh model alone.
    minimax.unlink()
    return metrics, checkpoint


@pytest.mark.slow
def test_mmactions_own_test_tool_evaluates_an_action_target(tiny_data, tmp_path, anonymizer):
    videos = dict(video=str(tiny_data / 'videos'))
    config = write_child(
        tmp_path,
        'action_r3d_ucf101',
        model=dict(
            backbone=dict(base_channels=4),
            cls_head=dict(in_channels=32, num_classes=4, init_std=0.3),
            data_preprocessor=anonymizer[0],
        ),
        train_dataloader=loader(
            ann_file=str(tiny_data / 'train_videos.txt'), data_prefix=videos, indices=12
        ),
        test_dataloader=loader(ann_file=str(tiny_data / 'test_videos.txt'), data_prefix=videos),
        train_cfg=dict(max_epochs=1),
        param_scheduler=[],
    )
    expected, checkpoint = train_and_test(config, tmp_path / 'work', anonymizer[1])
    for name, tool in (('ours', 'test'), ('theirs', find_tool('test'))):
        done = run_cli(tool, config, checkpoint, work_dir=tmp_path / name)
        assert done.code == 0, done.stderr
        metrics = metrics_of(tmp_path / name)
        assert {key: metrics[key] for key in expected} == expected
    assert {'acc/top1', 'acc/top5'} <= set(expected)


@pytest.mark.slow
def test_mmpretrains_own_test_tool_evaluates_an_attacker(tiny_data, tmp_path, anonymizer):
    names = sorted(p.name for p in (tiny_data / 'images' / 'train').iterdir())
    rng = np.random.default_rng(0)
    for split, part in (('train', names[:24]), ('val', names[20:24]), ('test', names[24:])):
        images = [(name, [a for a in VISPR1_ATTRIBUTES if rng.random() < 0.5]) for name in part]
        write_attribute_file(tmp_path / f'{split}.json', VISPR1_ATTRIBUTES, images)
    prefix = dict(img_path=str(tiny_data / 'images' / 'train'))
    config = write_child(
        tmp_path,
        'privacy_resnet50_vispr1',
        model=dict(
            backbone=dict(depth=18, base_channels=4, stem_channels=4),
            head=dict(in_channels=32),
            data_preprocessor=anonymizer[0],
        ),
        train_dataloader=loader(ann_file=str(tmp_path / 'train.json'), data_prefix=prefix),
        val_dataloader=loader(ann_file=str(tmp_path / 'val.json'), data_prefix=prefix),
        test_dataloader=loader(ann_file=str(tmp_path / 'test.json'), data_prefix=prefix),
        train_cfg=dict(max_epochs=2),
        param_scheduler=[],
    )
    expected, checkpoint = train_and_test(config, tmp_path / 'work', anonymizer[1])
    tool = Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'test.py'
    done = run_cli(tool, config, checkpoint, work_dir=tmp_path / 'theirs')
    assert done.code == 0, done.stderr
    metrics = metrics_of(tmp_path / 'theirs')
    # MMEngine's log has fractions only.
    assert expected.pop('privacy/count') == 16
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert expected['privacy/cMAP'] != pytest.approx(expected['privacy/cMAP_chance'], abs=1e-6)


def test_the_new_attackers_see_the_same_frames_in_training_and_test():
    """So that each passes the anonymizer once; what augments is behind it."""
    for name in ('attack_image_vispr1', 'attack_convnext_vispr1'):
        config = Config.fromfile(CONFIGS[name])
        pipelines = [
            config[f'{split}_dataloader'].dataset.pipeline for split in ('train', 'val', 'test')
        ]
        assert pipelines[0] == pipelines[1] == pipelines[2]
        assert config.model.data_preprocessor.augment
        assert config.param_scheduler.total_steps == config.train_cfg.max_epochs
        assert config.param_scheduler.eta_max == config.optim_wrapper.optimizer.lr
    kinds = {module.type for module in (config.model.backbone, config.model.head)}
    assert kinds == {'ConvNeXt', 'MultiLabelLinearClsHead'} and config.model.neck is None


def test_a_frame_without_any_attribute_is_evaluated():
    """PackInputs of a frame of PA-HMDB51 that shows nothing gives an empty label."""
    config = Config.fromfile(CONFIGS['privacy_resnet50_pa_hmdb51'])
    assert config.test_dataloader.dataset.with_score is False
    sample = DataSample().set_gt_label([]).set_pred_score(torch.full((7,), 0.3))
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = dict(classes=PA_HMDB51_ATTRIBUTES[5])
    metric.process({}, [sample.to_dict()])
    ((_, score, target),) = metric.results
    assert score.tolist() == pytest.approx([0.3] * 5) and not target.any()
