"""The protocols of the public data sets: which list trains what, and behind which anonymizer."""

import json

import numpy as np
import pytest
import torch
from e2e import ROOT
from mmaction.registry import MODELS

from spact_mm.datasets import VISPR1_ATTRIBUTES
from spact_mm.datasets.annotation_files import (
    write_attribute_file,
    write_segment_file,
    write_video_list,
)
from spact_mm.datasets.pa_hmdb51 import PA_HMDB51_ATTRIBUTES
from spact_mm.protocols import load_protocol, run_stage, write_report

FOLDER = ROOT / 'configs' / 'protocols'
UCF101 = [f'data/ucf101/ucf101_{part}_split_1_videos.txt' for part in ('train', 'val')]
HMDB51 = [f'data/hmdb51/hmdb51_{part}_split_1_videos.txt' for part in ('train', 'val')]
WITHOUT_PA, PA_VIDEOS = (
    'data/hmdb51/hmdb51_train_without_pa.txt',
    'data/hmdb51/pa_hmdb51_videos.txt',
)
PA_FRAMES = 'data/pa_hmdb51/pa_hmdb51.json'
VISPR = ['data/vispr/vispr_train.json', 'data/vispr/vispr_test.json']
#: What attackers are chosen on, and nothing else.
VISPR_VAL = 'data/vispr/vispr_val.json'
#: The lists that test_protocol_lists.py proves to share nothing: trained on, tested on.
DISJOINT = {tuple(UCF101), tuple(HMDB51), (WITHOUT_PA, PA_VIDEOS), tuple(VISPR)}
DISJOINT |= {(WITHOUT_PA, PA_FRAMES)}  # of the same videos as PA_VIDEOS

#: What each protocol trains f_A on; and what each stage is trained on (None: not trained) and, if
#: it measures anything, tested on.
PROTOCOLS = dict(
    known=(
        {UCF101[0], VISPR[0]},
        dict(
            action=UCF101,
            privacy=VISPR,
            finetuned=VISPR,
            inverter=VISPR,
            reconstruction=(None, VISPR[1]),
            image=VISPR,
            convnext=VISPR,
            image_raw=VISPR,
            convnext_raw=VISPR,
        ),
    ),
    pa_hmdb51=(
        {WITHOUT_PA, VISPR[0]},
        dict(
            action=(WITHOUT_PA, PA_VIDEOS),
            attacker=(VISPR[0], None),
            privacy=(None, PA_FRAMES),
            finetuned_attacker=(VISPR[0], None),
            finetuned=(None, PA_FRAMES),
            inverter=VISPR,
            reconstruction=(None, PA_FRAMES),
            image_attacker=(VISPR[0], None),
            image=(None, PA_FRAMES),
            convnext_attacker=(VISPR[0], None),
            convnext=(None, PA_FRAMES),
            image_raw_attacker=(VISPR[0], None),
            image_raw=(None, PA_FRAMES),
            convnext_raw_attacker=(VISPR[0], None),
            convnext_raw=(None, PA_FRAMES),
        ),
    ),
    novel_action=({UCF101[0], VISPR[0]}, dict(novel_action=HMDB51)),
    novel_action_pa_hmdb51=(
        {UCF101[0], VISPR[0]},
        dict(novel_action_pa=(WITHOUT_PA, PA_VIDEOS)),
    ),
    novel_attributes=(
        {UCF101[0], VISPR[0]},
        dict(
            novel_privacy=VISPR,
            novel_finetuned=VISPR,
            inverter=VISPR,
            novel_reconstruction=(None, VISPR[1]),
            novel_image=VISPR,
            novel_convnext=VISPR,
            novel_image_raw=VISPR,
            novel_convnext_raw=VISPR,
        ),
    ),
)
#: Who is of the panel: all that are tested on attributes.
PANELS = {
    name: {
        stage
        for stage, (_, tested) in stages.items()
        if tested in (VISPR[1], PA_FRAMES) and stage != 'inverter'
    }
    for name, (_, stages) in PROTOCOLS.items()
}
METHODS = ['raw', 'downsample 2×', 'downsample 4×', 'weak blur', 'strong blur', 'blackening']
METHODS += ['supervised', 'SPAct', 'price']
LOADERS = [f'{split}_dataloader' for split in ('train', 'val', 'test')]
SHARING = [name for name in PROTOCOLS if name != 'pa_hmdb51']


@pytest.fixture(scope='module')
def plans(tmp_path_factory):
    """Return the plan of each protocol for one seed, made where there are no data."""
    folder = tmp_path_factory.mktemp('plans')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return {
            name: load_protocol(FOLDER / f'{name}.py', folder / str(name in SHARING), seeds=[0])
            for name in PROTOCOLS
        }


def datasets(config, *keys):
    """Return the data sets of the loaders of these names."""
    holders = [config, config.get('train_cfg') or {}]
    loaders = [holder[key] for holder in holders for key in keys if holder.get(key)]
    return [loader.dataset for loader in loaders]


def trained_on(stage):
    loaders = datasets(stage.config, 'train_dataloader')
    # The recipes name it at the top level too.
    if stage.name == 'train':
        loaders.append(stage.config.privacy_dataloader.dataset)
    return {dataset.ann_file for dataset in loaders} if stage.is_trained else set()


def evaluated_on(stage):
    if not stage.metrics and not stage.attacker:
        return set()
    return {dataset.ann_file for dataset in datasets(stage.config, 'test_dataloader')}


def before(stage):
    """Return a stage and all that it builds on."""
    return [stage, *(other for need in stage.needs for other in before(need))]


@pytest.mark.parametrize('name', PROTOCOLS)
def test_each_stage_has_the_lists_of_the_protocol(plans, name):
    of_anonymizer, expected = PROTOCOLS[name]
    for stage in plans[name].stages:
        if stage.name == 'train':
            assert trained_on(stage) == of_anonymizer and not stage.metrics
        else:
            trained, tested = expected[stage.name]
            assert trained_on(stage) == {trained} - {None}, stage.id
            assert evaluated_on(stage) == {tested} - {None}, stage.id
    assert {stage.name for stage in plans[name].stages} == {'train', *expected}


@pytest.mark.parametrize('name', PROTOCOLS)
def test_no_tested_list_is_trained_on(plans, name):
    """Neither by the tested model nor by what it is loaded from or looks through."""
    for stage in plans[name].stages:
        for tested in evaluated_on(stage):
            lists = {file for other in before(stage) for file in trained_on(other)}
            assert tested not in lists
            # Those of one data set are known to be apart; across data sets names tell nothing.
            source = 'hmdb51' if 'hmdb51' in tested else tested.split('/')[1]
            for trained in (file for file in lists if source in file):
                assert (trained, tested) in DISJOINT, stage.id


@pytest.mark.parametrize('name', PROTOCOLS)
def test_attackers_are_chosen_on_a_list_that_trains_and_tests_none(plans, name):
    panel = {stage.name for stage in plans[name].stages if stage.attacker}
    assert panel == PANELS[name]
    for stage in plans[name].stages:
        if stage.attacker:
            (validation,) = datasets(stage.config, 'val_dataloader')
            assert validation.ann_file == VISPR_VAL and validation.dataset == 'VISPRDataset'
            # All attributes that he has learnt, whatever he is tested on.
            assert stage.config.val_evaluator == dict(type='PrivacyAttributeMetric')
            in_test = stage.config.test_evaluator.get('columns')
            assert bool(in_test) == (evaluated_on(stage) == {PA_FRAMES})
        assert VISPR_VAL not in trained_on(stage) | evaluated_on(stage)


@pytest.mark.parametrize('name', [name for name, panel in PANELS.items() if panel])
def test_no_method_lacks_the_attackers_with_raws_weights(plans, name):
    prefix = 'novel_' if name == 'novel_attributes' else ''
    ending = '_attacker' if name == 'pa_hmdb51' else ''
    for kind in ('image', 'convnext'):
        for method in METHODS:
            stages = {s.name: s for s in plans[name].stages if s.method == method}
            # From scratch on raw frames, and only there.
            is_raw = method == 'raw'
            assert (f'{prefix}{kind}' in stages) == is_raw
            assert (f'{prefix}{kind}_raw' in stages) != is_raw
            if not is_raw:
                training = stages[f'{prefix}{kind}_raw{ending}']
                (origin,) = (need for need in training.needs if need.method == 'raw')
                assert origin.name == f'{prefix}{kind}{ending}'
                assert training.config.load_from == str(origin.weights)
                # In full.
                assert training.config.train_cfg.max_epochs == origin.config.train_cfg.max_epochs


@pytest.mark.parametrize('name', PROTOCOLS)
def test_only_the_supervised_baseline_trains_on_labels_of_attributes(plans, name):
    for stage in plans[name].stages:
        if stage.name == 'train':
            privacy = stage.config.privacy_dataloader.dataset
            labels = dict(supervised='VISPR1', SPAct=None, price=None)[stage.method]
            assert privacy.get('attributes') == labels
        elif stage.config.model.get('type') == 'mmpretrain.ImageClassifier':
            wanted = 'VISPR2' if name == 'novel_attributes' else 'VISPR1'
            for dataset in datasets(stage.config, *LOADERS):
                assert dataset.dataset == 'PAHMDB51Dataset' or dataset.attributes == wanted


@pytest.mark.parametrize('name', PROTOCOLS)
def test_each_stage_has_its_methods_anonymizer(plans, name):
    plan = plans[name]
    assert plan.methods == METHODS
    kinds = ['Identity', 'Downsample', 'Downsample', 'GaussianBlur', 'GaussianBlur', 'Blacken']
    settings = [{}, dict(factor=2), dict(factor=4)]
    settings += [dict(kernel_size=13, sigma=10), dict(kernel_size=21, sigma=10), {}]
    expected = {
        method: dict(type=f'{kind}Anonymizer', **values)
        for method, kind, values in zip(METHODS, kinds, settings, strict=False)
    }
    trainings = {stage.method: stage for stage in plan.stages if stage.name == 'train'}
    assert set(trainings) == {'supervised', 'SPAct', 'price'}
    seen = dict.fromkeys(METHODS, 0)
    for stage in plan.stages:
        if stage.name == 'train':
            continue
        slot = stage.config.model.get('data_preprocessor', stage.config.model)
        anonymizer, weights = slot.anonymizer, slot.checkpoint
        if 'reconstruction' in stage.name:
            assert anonymizer.type == 'SequentialAnonymizer' and weights is None
            anonymizer, inverter = (dict(stage) for stage in anonymizer.stages)
            (attack,) = (need for need in stage.needs if need.name == 'inverter')
            assert inverter['init_cfg'].checkpoint == str(attack.weights)
            init = anonymizer.pop('init_cfg', None)
            weights = init and init.checkpoint
        training = trainings.get(stage.method)
        if training is None:
            assert anonymizer == expected[stage.method] and weights is None
        else:
            assert anonymizer == training.config.model.anonymizer
            kind = 'GaussianChannel' if stage.method == 'price' else 'UNetAnonymizer'
            assert anonymizer['type'] == kind and weights == str(training.weights)
            assert training in stage.needs
        seen[stage.method] += 1
    assert all(seen.values())


@pytest.mark.parametrize('name', PROTOCOLS)
def test_blackening_alone_loads_boxes_and_they_are_reported_missing(plans, name):
    for stage in plans[name].stages:
        for dataset in datasets(stage.config, *LOADERS):
            loaders = [t.box_file for t in dataset.pipeline if t.type == 'LoadPersonBoxes']
            (root,) = dataset.data_prefix.values()
            boxes = [root.replace('videos', 'images').replace('images', 'person_boxes.json')]
            assert loaders == (boxes if stage.method == 'blackening' else []), stage.id
    missing = [line for line in plans[name].find_missing() if 'person_boxes.json' in line]
    assert missing
    assert all('"blackening,' in m and m.endswith('docs/person_boxes.md tells.') for m in missing)


@pytest.mark.parametrize('name', PROTOCOLS)
def test_plan_tells_which_data_are_missing(plans, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained, stages = PROTOCOLS[name]
    lists = trained | {file for pair in stages.values() for file in pair if file}
    lists |= {VISPR_VAL} if PANELS[name] else set()
    told = {line.split()[0] for line in plans[name].find_missing()}
    assert lists <= told
    assert {'/'.join(file.split('/')[:2]) for file in lists} == {
        '/'.join(file.split('/')[:2]) for file in told
    }


@pytest.mark.parametrize('name', PROTOCOLS)
def test_noise_rises_over_the_first_half_of_each_training_behind_it(plans, name):
    ramps = {}
    for stage in plans[name].stages:
        if stage.name != 'train' and stage.is_trained:
            hooks = stage.config.get('custom_hooks') or []
            ends = [hook.end for hook in hooks if hook.type == 'NoiseRampHook']
            half = stage.config.train_cfg.max_epochs // 2
            assert ends == ([half] if stage.method == 'price' else []), stage.id
            assert 'ReproducibleEpochHook' in [hook.type for hook in hooks]
            ramps[stage.method] = ends
    assert ramps['price'] and ramps['SPAct'] == []


def test_protocols_that_share_an_anonymizer_share_a_work_dir(plans):
    """Each f_A is trained once, and no stage clears the folder of another one."""
    hashes = {}
    for name in SHARING:
        for stage in plans[name].stages:
            hashes.setdefault((stage.method, stage.name), {})[name] = stage.hash
    for key, found in hashes.items():
        assert len(set(found.values())) == 1, key
    for method in ('supervised', 'SPAct', 'price'):
        assert list(hashes[method, 'train']) == SHARING


def test_three_seeds_are_run(tmp_path):
    plan = load_protocol(FOLDER / 'novel_action.py', tmp_path, methods=['raw', 'SPAct'])
    assert [stage.seed for stage in plan.stages if stage.method == 'raw'] == [0, 1, 2]
    assert {stage.config.randomness.seed for stage in plan.stages} == {0, 1, 2}


@pytest.mark.parametrize('name', PROTOCOLS)
def test_report_has_published_numbers_in_columns_of_their_own(plans, name):
    plan = plans[name]
    for stage in plan.stages:
        stage.folder.mkdir(parents=True, exist_ok=True)
        metrics = dict.fromkeys(stage.metrics, 0.5) | {
            key: 0.25 for key in stage.metrics if 'chance' in key
        }
        result = dict(metrics=metrics, config_hash=stage.hash, commit='c', time='t', seconds=1)
        (stage.folder / 'result.json').write_text(json.dumps(result))
    text = write_report(plan, 'command').read_text()
    lines = [line for line in text.splitlines() if line.startswith('|')]
    head, *rows = ([cell.strip() for cell in line.strip('|').split('|')] for line in lines)
    table = {row[0]: dict(zip(head, row, strict=False)) for row in rows[1 : len(METHODS) + 1]}
    assert list(table) == METHODS
    expected = dict(
        known=('62.0', '57.4', '47.3'),
        pa_hmdb51=('43.1', '62.7', '17.6'),
        novel_action=('34.1', None, None),
        novel_action_pa_hmdb51=('42.8', None, None),
        novel_attributes=(None, '47.1', '38.6'),
    )[name]
    quoted = 'SPAct, as quoted in a later paper'
    columns = ('Top-1 (%) ↑', 'cMAP (%) ↓', 'F1 (%) ↓')
    for column, value in zip(columns, expected, strict=True):
        assert table['SPAct'].get(f'{column}, {quoted}') == value
        assert (column in head) == (value is not None)
    unconfirmed = {key for key in head if key.endswith('SPAct (unconfirmed)')}
    wanted = dict(known=1, pa_hmdb51=3).get(name, 0)
    assert len(unconfirmed) == wanted
    for column in unconfirmed:
        assert {method for method in METHODS if table[method][column] != '–'} == {'raw'}


@pytest.mark.parametrize('name', [name for name, panel in PANELS.items() if panel])
def test_report_puts_the_strongest_attacker_first(plans, name):
    plan = plans[name]
    for stage in plan.stages:
        stage.folder.mkdir(parents=True, exist_ok=True)
        metrics = {key: 0.25 if 'chance' in key else 0.4 for key in stage.metrics}
        result = dict(metrics=metrics, config_hash=stage.hash, time='t', seconds=1)
        if stage.attacker:
            score = 0.8 if 'convnext' in stage.name else 0.4
            found = dict(score=score, chance=0.2)
            result.update(name=stage.name, attacker=dict(found, validation={'1': found}))
        (stage.folder / 'result.json').write_text(json.dumps(result))
    text = write_report(plan, 'command').read_text()
    head, rest = text.split('strongest attacker, cMAP (%) ↓', 1)
    # The table that is compared with published numbers comes later.
    assert 'as published' not in head and 'One attacker, as published' in rest
    (row, *_) = (line for line in rest.splitlines() if line.startswith('| SPAct '))
    who = 'novel_convnext_raw (1)' if name == 'novel_attributes' else 'convnext_raw (1)'
    cells = row.strip('| ').split(' | ')
    assert [cell for cell in cells if cell in ('80.0', who)] == ['80.0', who, '80.0']


def protocol_with(folder, method):
    """Write the protocol of novel actions with one more method and return its path."""
    path = folder / 'protocol.py'
    path.write_text(
        f'_base_ = {str(FOLDER / "novel_action.py")!r}\n'
        f'protocol = dict(methods=[dict(name="raw", anonymizer=dict(type="IdentityAnonymizer")), '
        f'{method}], stages=dict(novel_action=dict('
        f'config={str(ROOT / "configs/eval/action_r3d_hmdb51.py")!r})))\n'
    )
    return path


def test_a_method_may_give_a_stage_another_config_or_other_variables(tmp_path):
    boxes = dict(options=dict(novel_action=dict(box_file='data/hmdb51/person_boxes.json')))
    method = dict(name='b', anonymizer=dict(type='BlackenAnonymizer'))
    path = protocol_with(tmp_path, dict(method, **boxes))
    raw, blackened = load_protocol(path, tmp_path, seeds=[0]).stages
    assert 'data/hmdb51/person_boxes.json' in blackened.files
    assert 'data/hmdb51/person_boxes.json' not in raw.files
    other = str(ROOT / 'configs/eval/action_r3d_ucf101.py')
    path = protocol_with(tmp_path, dict(method, configs=dict(novel_action=other)))
    raw, blackened = load_protocol(path, tmp_path, seeds=[0]).stages
    assert UCF101[1] in blackened.files and UCF101[1] not in raw.files
    path = protocol_with(tmp_path, dict(method, configs=dict(novel=other)))
    with pytest.raises(ValueError, match=r"'b' of .* has configs for the unknown stage 'novel'"):
        load_protocol(path, tmp_path)
    path = protocol_with(tmp_path, dict(method, configs=dict(novel_action='nowhere.py')))
    with pytest.raises(FileNotFoundError, match='nowhere.py of the stage'):
        load_protocol(path, tmp_path)


def test_a_method_may_be_a_checkpoint_of_a_trained_anonymizer(tmp_path):
    settings = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
    state = MODELS.build(settings).state_dict()
    checkpoint = tmp_path / 'minimax.pth'
    content = dict(
        state_dict={f'anonymizer.{key}': value for key, value in state.items()},
        meta=dict(cfg=f'model = dict(anonymizer={settings!r})'),
    )
    torch.save(content, checkpoint)
    path = protocol_with(tmp_path, dict(name='ours', checkpoint=str(checkpoint)))
    _, stage = load_protocol(path, tmp_path, seeds=[0]).stages
    slot = stage.config.model.data_preprocessor
    assert slot.anonymizer == settings and slot.checkpoint == str(checkpoint)
    assert not stage.needs
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), checkpoint)
    with pytest.raises(ValueError, match="'ours' of .* holds no anonymizer"):
        load_protocol(path, tmp_path)


# ---- PA-HMDB51 from end to end, tiny ------------------------------------------------------------
def write_tiny_sets(root, source):
    """Write the files that the protocol of PA-HMDB51 expects below ``root``."""
    for name, kind in (('vispr', 'images'), ('hmdb51', 'videos')):
        (root / name).mkdir(parents=True)
        (root / name / kind).symlink_to(source / kind)
    rng = np.random.default_rng(0)
    names = [f'train/{path.name}' for path in sorted((source / 'images/train').iterdir())]
    for split, part in (('train', names[:24]), ('val', names[24:32]), ('test', names[32:])):
        images = [(name, [a for a in VISPR1_ATTRIBUTES if rng.random() < 0.5]) for name in part]
        write_attribute_file(root / 'vispr' / f'vispr_{split}.json', VISPR1_ATTRIBUTES, images)
    videos = {
        split: [(f'{split}/{index:02}.mp4', index % 4) for index in range(4)]
        for split in ('train', 'test')
    }
    write_video_list(root / 'hmdb51' / 'hmdb51_train_without_pa.txt', videos['train'])
    write_video_list(root / 'hmdb51' / 'pa_hmdb51_videos.txt', videos['test'])
    attributes = PA_HMDB51_ATTRIBUTES[5]
    segments = {name: [[0, 1, [k % 2]], [2, 5, [1 - k % 2]]] for k, name in enumerate(attributes)}
    write_segment_file(
        root / 'pa_hmdb51' / 'pa_hmdb51.json',
        attributes,
        [(video, 6, segments) for video, _ in videos['test']],
    )
    frame = dict(width=64, height=48, frames={'0': [[8, 8, 40, 40, 0.9]]})
    for name, files in (
        ('vispr', names),
        ('hmdb51', [v for part in videos.values() for v, _ in part]),
    ):
        content = dict(version=1, absent_frames='earlier', videos=dict.fromkeys(files, frame))
        (root / name / 'person_boxes.json').write_text(json.dumps(content))


def shrink(stage):
    """Make the networks of a stage narrow, and load its data in this process."""
    config, small = stage.config, dict(base_channels=2, num_levels=2)
    model = config.model
    if 'inverter' in model:
        model.inverter.update(small)
    else:
        narrow, width = dict(depth=18, base_channels=4), 32
        if model.backbone.type == 'FullResolutionCNN':
            narrow, width = dict(widths=(2, 4, 4)), 8
        elif model.backbone.type == 'ConvNeXt':
            narrow, width = dict(arch=dict(depths=[1] * 4, channels=[4] * 4)), 4
        elif 'cls_head' not in model:
            narrow.update(stem_channels=4)
        model.backbone.update(narrow)
        model['cls_head' if 'cls_head' in model else 'head'].in_channels = width
    anonymizer = model.get('data_preprocessor', model).anonymizer
    for network in anonymizer.get('stages', [anonymizer]):
        if network.type == 'UNetAnonymizer':
            network.update(small)
    for key in LOADERS:
        if key in config:
            config[key].update(num_workers=0, persistent_workers=False, batch_size=4)
    if stage.is_trained:
        config.train_cfg.max_epochs, config.param_scheduler = 1, []
    # Loggers are shared by name, and the default name is the time in seconds.
    config.experiment_name = f'{stage.method}{stage.name}'


@pytest.mark.slow
def test_tiny_pa_hmdb51_runs_from_attacker_to_reconstruction(tmp_path, tiny_data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tiny_sets(tmp_path / 'data', tiny_data)
    path, methods = FOLDER / 'pa_hmdb51.py', ['raw', 'blackening', 'SPAct']
    plan = load_protocol(path, tmp_path / 'work', methods, seeds=[0])
    assert plan.find_missing() == []
    stages = {(stage.method, stage.name): stage for stage in plan.stages}
    training = stages['SPAct', 'train']
    network = MODELS.build(dict(type='UNetAnonymizer', base_channels=2, num_levels=2))
    training.folder.mkdir(parents=True)
    state = {f'anonymizer.{key}': value for key, value in network.state_dict().items()}
    torch.save(dict(state_dict=state), training.weights)
    order = [('raw', 'attacker'), ('raw', 'privacy')]
    order += [('blackening', name) for name in ('action', 'attacker', 'privacy')]
    order += [
        ('SPAct', name)
        for name in ('finetuned_attacker', 'finetuned', 'inverter', 'reconstruction')
    ]
    for kind, method in (('image', 'blackening'), ('convnext', 'SPAct')):
        order += [('raw', f'{kind}_attacker'), (method, f'{kind}_raw_attacker')]
        order += [(method, f'{kind}_raw')]
    results, attackers = {}, {}
    for key in order:
        stage = stages[key]
        shrink(stage)
        stage.prepare()
        result = run_stage(stage.folder)
        results[key] = result['metrics']
        assert set(results[key]) == set(stage.metrics)
        if stage.attacker:
            attackers[key] = result['attacker']
    # Each attribute is in 2 or 4 of 6 frames: three of five in four frames.
    chance = (3 * 4 + 2 * 2) / (5 * 6)
    for method in ('raw', 'blackening'):
        assert results[method, 'privacy']['cmap_chance'] == pytest.approx(chance)
    assert results['raw', 'attacker'] == {}
    assert 0 <= results['blackening', 'action']['top1'] <= 1
    assert 0 < results['SPAct', 'inverter']['psnr'] < 40
    assert 0 < results['SPAct', 'reconstruction']['cmap_reconstructed'] <= 1
    labels = json.loads((tmp_path / 'data/vispr/vispr_val.json').read_text())['data_list']
    val_chance = sum(len(image['attributes']) for image in labels) / (len(labels) * 7)
    assert len(attackers) == 6
    for key, found in attackers.items():
        # Seven attributes choose, five are tested.
        assert found['chance'] == pytest.approx(chance), key
        assert found['validation']['1']['chance'] == pytest.approx(val_chance), key
    assert attackers['SPAct', 'reconstruction']['score'] == pytest.approx(
        results['SPAct', 'reconstruction']['cmap_reconstructed']
    )
