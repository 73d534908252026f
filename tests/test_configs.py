"""Every recipe, at full architecture on small inputs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.config import Config
from mmengine.dataset import Compose
from PIL import Image
from tiny import action_batch, privacy_batch

from spact_mm.config_keys import refuse_unread
from spact_mm.datasets import VISPR1_ATTRIBUTES
from spact_mm.engine.phase_hook import parse_schedule
from spact_mm.engine.stage_schedulers import resolve_stages
from spact_mm.packaged import find_model, list_models

CONFIGS = sorted((Path(__file__).resolve().parents[1] / 'configs').glob('*.py'))
TRAINED = [*CONFIGS]
for folder in ('eval', 'renderers'):
    TRAINED += sorted((CONFIGS[0].parent / folder).glob('*.py'))
#: Smallest clips (channels first, then time for 3D) that the networks take.
SHAPES = {'tsm': (8, 3, 16, 16), 'mvit': (1, 3, 16, 32, 32)}


def names(paths):
    return [path.stem for path in paths]


def clip_shape(path):
    return next((s for key, s in SHAPES.items() if key in path.stem), (1, 3, 8, 16, 16))


@pytest.mark.slow
@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
def test_config_trains_two_iterations_of_each_phase_and_tests_one(path):
    config = Config.fromfile(path)
    if config.model.get('augmentation'):
        config.model.augmentation.size = clip_shape(path)[-2:]
    model = MODELS.build(config.model)
    model.init_weights()
    settings = dict(config.optim_wrapper)
    constructor = settings.pop('constructor')
    optimizers = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(type=constructor, optim_wrapper_cfg=settings)
    )(model)
    shape = clip_shape(path)
    data = dict(action=action_batch(clips=2, shape=shape))
    if config.privacy_dataloader is not None:
        labels = (config.model.privacy_branch or {}).get('head', {}).get('num_classes')
        views = 1 + any(t.type == 'TwoViews' for t in config.privacy_pipeline)
        data['privacy'] = privacy_batch(3, shape[-1], attributes=labels, views=views)
    for phase in model.phases:
        model.set_phase(phase)
        for _ in range(2):
            values = model.train_step(data, optimizers)
            assert values and all(torch.isfinite(value) for value in values.values())
    model.eval()
    with torch.no_grad():
        (prediction,) = model.test_step(action_batch(clips=1, shape=shape))
    classes = config.model.recognizer.cls_head.num_classes
    assert prediction.pred_score.shape == (classes,)
    assert prediction.pred_score.sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
def test_schedule_is_the_only_place_of_its_numbers(path):
    config = Config.fromfile(path)
    (hook,) = (h for h in config.custom_hooks if h.type == 'MinimaxPhaseHook')
    assert 'max_epochs' not in config.train_cfg and 'privacy_dataloader' not in config.train_cfg
    resolve_stages(config.param_scheduler, parse_schedule(hook.schedule), 60)
    # A minute's test: every stage an epoch.
    for entry in hook.schedule:
        entry.epochs = 1
    resolve_stages(config.param_scheduler, parse_schedule(hook.schedule), 60)


@pytest.mark.parametrize(
    'name, stages, schedulers',
    [
        (
            'spact_r3d_ucf101',
            [(0, 20), (20, 70), (70, 370)],
            dict(anonymizer=[(0, 5), [70]], recognizer=[], privacy_branch=[]),
        ),
        (
            'spact_r3d_demo',
            [(0, 4), (4, 8), (8, 18)],
            dict(
                anonymizer=[(0, 1), (1, 4), [8], (8, 9), (9, 18)],
                recognizer=[(4, 6), (6, 8), [8]],
                privacy_branch=[],
            ),
        ),
        (
            'spact_r3d_weizmann',
            [(0, 3), (3, 7), (7, 21)],
            dict(
                anonymizer=[(0, 1), (1, 3), [7], (7, 8), (8, 21)],
                recognizer=[(3, 4), (4, 7), [7]],
                privacy_branch=[],
            ),
        ),
    ],
)
def test_recipes_have_these_epochs(name, stages, schedulers):
    config = Config.fromfile(CONFIGS[names(CONFIGS).index(name)])
    parsed = parse_schedule(config.custom_hooks[0].schedule)
    assert [(stage.begin, stage.end) for stage in parsed] == stages
    found = resolve_stages(config.param_scheduler, parsed, 60)
    assert schedulers == {
        child: [s.get('milestones') or (s.get('begin', 0), s['end']) for s in found[child]]
        for child in found
    }


@pytest.mark.parametrize('path', TRAINED, ids=names(TRAINED))
def test_no_variable_of_a_config_comes_too_late(path):
    refuse_unread(Config.fromfile(path))


@pytest.mark.parametrize('path', TRAINED, ids=names(TRAINED))
def test_learning_rates_are_scaled_from_the_batch_that_they_are_for(path):
    config = Config.fromfile(path)
    if config.get('train_dataloader') is not None:
        assert config.auto_scale_lr.enable is False
        assert config.auto_scale_lr.base_batch_size == config.train_dataloader.batch_size


def test_recipe_has_the_published_settings():
    config = Config.fromfile(CONFIGS[names(CONFIGS).index('spact_r3d_ucf101')])
    model = MODELS.build(config.model)
    assert sum(p.numel() for p in model.anonymizer.parameters()) == 17_267_523
    assert model.privacy_branch.neck.mlp[0].weight.shape == (2048, 2048)
    assert model.privacy_branch.neck.mlp[2].weight.shape == (128, 2048)
    assert model.privacy_branch.loss_module.temperature == 0.1
    assert model.privacy_weight == 1
    assert config.train_dataloader.batch_size == 24
    assert config.privacy_dataloader.batch_size == 64


def test_supervised_recipe_trains_on_the_labels_that_its_branch_predicts():
    config = Config.fromfile(CONFIGS[names(CONFIGS).index('supervised_r3d_ucf101')])
    privacy = config.privacy_dataloader
    assert privacy.dataset.attributes == 'VISPR1'
    branch = MODELS.build(config.model.privacy_branch)
    assert branch.head.fc.weight.shape == (len(VISPR1_ATTRIBUTES), 2048)
    logits, samples = torch.randn(2, 7), privacy_batch(images=2, attributes=7)['data_samples']
    targets = torch.stack([sample.gt_score for sample in samples])
    torch.testing.assert_close(
        branch.head._get_loss(logits, samples)['loss'],
        torch.nn.functional.binary_cross_entropy_with_logits(logits, targets),
    )
    recipe = Config.fromfile(CONFIGS[names(CONFIGS).index('spact_r3d_ucf101')])
    for part in ('custom_hooks', 'optim_wrapper', 'param_scheduler', 'train_dataloader'):
        assert config[part] == recipe[part]
    assert privacy.batch_size == recipe.privacy_dataloader.batch_size


def test_supervised_recipe_shows_one_view_of_the_size_of_the_clips(tmp_path):
    config = Config.fromfile(CONFIGS[names(CONFIGS).index('supervised_r3d_ucf101')])
    path = tmp_path / 'a.png'
    Image.new('RGB', (150, 130)).save(path)
    sample = Compose(config.privacy_pipeline)(dict(img_path=str(path), gt_score=np.ones(7)))
    assert sample['inputs'].shape == (3, 112, 112)
    assert sample['data_samples'].gt_score.tolist() == [1] * 7


def test_model_index_lists_every_recipe():
    root = CONFIGS[0].parents[1]
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    (file,) = index['Import']
    content = yaml.safe_load((root / file).read_text())
    models = content['Models']
    assert [m['Config'] for m in models if not (root / m['Config']).is_file()] == []
    assert sorted(m['Name'] for m in models) == names(CONFIGS)
    assert {m['In Collection'] for m in models} == {c['Name'] for c in content['Collections']}
    weights = [root / m['Weights'] for m in models if 'Weights' in m]
    assert weights == [find_model(name) for name in list_models()]
    report = json.loads((root / 'docs/results/demo/report.json').read_text())['summary']
    for name, method in (('spact_r3d_demo', 'SPAct'), ('supervised_r3d_demo', 'supervised')):
        (result,) = next(m['Results'] for m in models if m['Name'] == name)
        strongest = report[method]['strongest']
        assert list(result['Metrics'].values()) == [
            round(100 * value['mean'], 1)
            for value in (report[method]['top1'], strongest['cmap'], strongest['advantage_removed'])
        ]
