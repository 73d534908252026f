"""The protocol with real people: which clip trains and tests what, and a tiny run of it."""

import importlib.util
import json
import subprocess
import sys

import pytest
import torch
from e2e import ROOT, metrics_of, run_cli
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from tiny import action_batch

from spact_mm.datasets.annotation_files import read_attribute_file
from spact_mm.evaluation.panel_report import PanelReport
from spact_mm.evaluation.report import Report, write_markdown
from spact_mm.evaluation.summary import summarize
from spact_mm.packaged import find_model, read_card
from spact_mm.protocols import check_report, load_protocol

CONFIGS = ROOT / 'configs'
PROTOCOL = CONFIGS / 'protocols' / 'weizmann.py'
METHODS = ['raw', 'downsample 2×', 'downsample 4×', 'weak blur', 'strong blur']
METHODS += ['supervised', 'SPAct']
TRAINED = METHODS[-2:]


def load_converter():
    path = ROOT / 'tools' / 'data' / 'weizmann' / 'convert.py'
    spec = importlib.util.spec_from_file_location('weizmann_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def lists(tmp_path_factory):
    """Return a folder with the lists of the data set below ``data``; its videos are no videos."""
    folder = tmp_path_factory.mktemp('weizmann')
    videos = folder / 'data' / 'weizmann' / 'videos'
    videos.mkdir(parents=True)
    converter = load_converter()
    for action in converter.ACTIONS[:9]:
        for person in converter.PERSONS:
            twice = person == 'lena' and action in ('run', 'walk')
            for style in ('1', '2') if twice else ('',):
                (videos / f'{person}_{action}{style}.avi').write_bytes(b'0')
    argv = ['--videos', str(videos), '--out', str(videos.parent), '--check', 'none']
    assert converter.main([*argv, '--workers', '1']) == 0
    return folder


@pytest.fixture(scope='module')
def plan(lists):
    """Return the stages of all methods and folds for one seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lists)
        protocol = load_protocol(PROTOCOL, lists / 'work', seeds=[0])
        assert protocol.find_missing() == []
    return protocol


@pytest.fixture(scope='module')
def priced(lists):
    """Return the same of the price on information."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lists)
        path = PROTOCOL.with_name('weizmann_price.py')
        return load_protocol(path, lists / 'work', seeds=[0])


@pytest.fixture(params=['plan', 'priced'])
def any_plan(request):
    return request.getfixturevalue(request.param)


def clips(folder, path):
    """Return the names of the clips of a list."""
    if path.endswith('.json'):
        return {entry['img_path'] for entry in read_attribute_file(folder / path)['data_list']}
    return {line.split()[0] for line in (folder / path).read_text().splitlines()}


def files(config):
    """Return the annotation files that a config names."""
    text = json.dumps(config, default=str)
    return {part for part in text.split('"') if part.startswith('data/') and '.' in part}


def trained_on(stage, folder):
    """Return the clips that a stage and all that it builds on have been trained on."""
    names = set()
    if stage.is_trained:
        privacy = stage.config.get('privacy_dataloader') or {}
        for file in files(stage.config.train_dataloader) | files(privacy):
            names |= clips(folder, file)
    return names.union(*(trained_on(need, folder) for need in stage.needs))


def evaluated_on(stage, folder):
    (file,) = files(stage.config.test_dataloader)
    return clips(folder, file)


def persons(names):
    return {name.split('_')[0] for name in names}


def actions(names):
    return {name.split('_')[1].removesuffix('.avi').replace('run1', 'run') for name in names}


def test_plan_has_all_methods_folds_and_stages(plan):
    assert plan.methods == METHODS
    assert {stage.fold for stage in plan.stages} == {0, 1, 2}
    undoing = {'inverter', 'undone', 'undone_mean'}
    for method in METHODS:
        stages = [stage for stage in plan.stages if stage.method == method]
        longer = {stage.name for stage in stages if stage.name.endswith('_twice')}
        is_stressed = method in TRAINED or method == 'downsample 4×'
        trained = {'mean', 'difference', 'clip'}
        if method != 'raw':
            trained = {'image_raw', 'mean_raw', 'clip_raw'}
            trained |= {'difference_raw'} if is_stressed else set()
        if is_stressed or method == 'raw':
            trained |= {'image', 'resnet', 'target'}
        expected = trained | {'action'}
        expected |= {'action_apart'} if is_stressed or method == 'raw' else set()
        expected |= undoing if is_stressed else set()
        is_weak = method in ('downsample 2×', 'weak blur')
        expected |= set() if is_weak else {'linking', 'linking_image'}
        expected |= {'train'} if method in TRAINED else set()
        assert {stage.name for stage in stages} - longer == expected
        expected = trained if method in ('raw', 'SPAct') else set()
        assert longer == {f'{name}_twice' for name in expected}
        assert {s.fold for s in stages if s.name in longer} <= {0}


def test_attackers_are_chosen_on_clips_of_no_training_and_no_test(any_plan, lists):
    attackers = [stage for stage in any_plan.stages if stage.attacker]
    assert len(attackers) > 40
    for stage in attackers:
        (file,) = files(stage.config.val_dataloader)
        chosen_on = clips(lists, file)
        assert file == f'data/weizmann/fold{stage.fold}/attacker_val.json' and chosen_on
        assert not chosen_on & evaluated_on(stage, lists)
        own = clips(lists, *files(stage.config.train_dataloader)) if stage.is_trained else set()
        assert not chosen_on & own


def test_no_stage_mixes_folds(any_plan):
    for stage in any_plan.stages:
        used = files(stage.config.train_dataloader) | files(stage.config.test_dataloader)
        used |= files(stage.config.get('privacy_dataloader') or {})
        folds = {file.split('/')[2] for file in used if '/fold' in file}
        assert folds == {f'fold{stage.fold}'}, stage.id
        assert all(need.fold == stage.fold and need.seed == stage.seed for need in stage.needs)


def test_no_anonymizer_has_seen_a_test_clip_or_a_test_person(plan, priced, lists):
    stages = [s for s in (*plan.stages, *priced.stages) if s.name == 'train']
    assert len({(s.method, s.fold) for s in stages}) == 3 * 3
    for stage in stages:
        fold = f'data/weizmann/fold{stage.fold}'
        seen = trained_on(stage, lists)
        unseen_persons = clips(lists, f'{fold}/action_test.txt')
        unseen_actions = clips(lists, f'{fold}/identity_test.json')
        assert len(seen) in (36, 38)
        assert not seen & (unseen_persons | unseen_actions), stage.id
        assert not persons(seen) & persons(unseen_persons), stage.id


def test_no_test_clip_is_in_any_training_before_it(any_plan, lists):
    """Neither of the tested model nor of what it is loaded from or looks through."""
    for stage in any_plan.stages:
        if not stage.metrics and not stage.attacker:
            continue
        seen, tested = trained_on(stage, lists), evaluated_on(stage, lists)
        assert seen and tested and not seen & tested, stage.id
        if stage.name.endswith(('action', 'train')) or 'linking' in stage.name:
            assert not persons(seen) & persons(tested), stage.id
        else:
            assert not actions(seen) & actions(tested), stage.id
            assert persons(tested) == persons(trained_on_by_itself(stage, lists)), stage.id


def trained_on_by_itself(stage, folder):
    return clips(folder, next(iter(files(stage.config.train_dataloader))))


def test_other_methods_results_serve_both_and_attackers_get_the_help_of_the_target(plan, priced):
    of_others = {(s.id, s.hash) for s in priced.stages if s.method != 'price'}
    longer = {(s.id, s.hash) for s in plan.stages if s.name.endswith('_twice')}
    assert of_others == {(s.id, s.hash) for s in plan.stages} - longer
    helped = [s for s in priced.stages if s.name.startswith('patient_')]
    assert {s.name for s in helped if s.attacker} == {
        f'patient_{name}'
        for name in ('image_raw', 'mean_raw', 'difference_raw', 'clip_raw', 'target')
    }
    for stage in helped:
        assert stage.config.train_cfg.max_epochs == 16
        assert stage.config.custom_hooks[-1].type == 'NoiseRampHook'
        scheduler = stage.config.param_scheduler  # a list, or one alone
        assert isinstance(scheduler, list) or scheduler.total_steps == 16


def test_only_the_supervised_baseline_is_told_who_it_is(plan):
    for stage in plan.stages:
        if stage.name == 'train':
            privacy = stage.config.privacy_dataloader
            pipeline = privacy.dataset.get('pipeline') or privacy.dataset.dataset.dataset.pipeline
            types = [t.type for t in pipeline]
            # Labels are for the baseline, two frames of a video for SPAct.
            assert ('TwoViews' in types) == (stage.method == 'SPAct')


def test_evaluation_configs_build_for_raw_video():
    action = MODELS.build(Config.fromfile(CONFIGS / 'eval/action_r3d_weizmann.py').model)
    data = action_batch(clips=2, shape=(1, 3, 8, 64, 64))
    action.eval()
    with torch.no_grad():
        predictions = action.test_step(data)
    assert [p.pred_score.shape for p in predictions] == [(9,), (9,)]
    attacker = MODELS.build(Config.fromfile(CONFIGS / 'eval/attack_image_weizmann.py').model)
    images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in range(2)]
    attacker.eval()
    with torch.no_grad():
        logits = attacker(**attacker.data_preprocessor(dict(inputs=images)), mode='tensor')
    assert logits.shape == (2, 9)
    clips = action_batch(clips=2, shape=(1, 3, 8, 64, 64))['inputs']
    for name, inputs, length in (('image', images, 128), ('clip', clips, 64)):
        linker = MODELS.build(Config.fromfile(CONFIGS / f'eval/link_{name}_weizmann.py').model)
        linker.eval()
        with torch.no_grad():
            predictions = linker.test_step(dict(inputs=inputs))
        assert [p.embedding.shape for p in predictions] == [(length,)] * 2
        assert [p.pred_score.shape for p in predictions] == [(9,), (9,)]
    inverter = MODELS.build(Config.fromfile(CONFIGS / 'eval/reconstruction_weizmann.py').model)
    batch = inverter.data_preprocessor(dict(inputs=images))
    assert inverter(batch['inputs']).shape == (2, 3, 64, 64)


def test_report_has_the_columns_of_the_protocol(plan, tmp_path):
    check_report(plan)
    rows = []
    for method, success in (('raw', 0.8), ('SPAct', 0.45)):
        keys = {key for stage in plan.stages if stage.method == method for key in stage.metrics}
        attackers = {
            stage.name: dict(score=success, chance=0.1, val_score=success, val_chance=0.1)
            for stage in plan.stages
            if stage.method == method and stage.attacker
        }
        values = dict.fromkeys(keys, success) | dict(link_chance=0.1, attackers=attackers)
        rows.append(dict(method=method, seed=0, fold=0, **values))
    panel = PanelReport(rows, plan.report.x, plan.report.x_title)
    report = Report(
        'T', rows, summarize(rows), attack_columns=plan.report.attack_columns, panel=panel
    )
    text = write_markdown(tmp_path / 'r.md', report)
    assert 'strongest attacker, identity Top-1 (%) ↓' in text
    assert "Of the strongest attacker's advantage over chance SPAct removes 50.0 %" in text
    # (0.8 - 0.45) / (0.8 - 0.1) of the AUC.
    assert '| 45.0 (↓ 43.8 %) | 50.0 |' in text


# ---- with the real clips -------------------------------------------------------------------------
@pytest.fixture
def real(shared_data, tmp_path):
    """Return a folder with the real clips and their lists below ``data/weizmann``."""
    source = shared_data / 'weizmann' / 'cut.py'
    if not source.is_file():
        pytest.skip(f'the clips of the Weizmann set are not at {source.parent}')
    root = tmp_path / 'data' / 'weizmann'
    subprocess.run([sys.executable, source, root / 'videos'], check=True, capture_output=True)
    argv = ['--videos', str(root / 'videos'), '--out', str(root), '--workers', '1']
    assert load_converter().main(argv) == 0
    return tmp_path


@pytest.mark.slow
def test_pipelines_yield_frames_of_the_size_with_a_label(real, monkeypatch):
    monkeypatch.chdir(real)
    paths = [*CONFIGS.glob('*weizmann*.py'), *CONFIGS.glob('eval/*weizmann*.py')]
    assert len(paths) == 12
    for path in paths:
        config = Config.fromfile(path)
        privacy = config.get('privacy_dataloader') or {}
        datasets = [config.train_dataloader.dataset, config.test_dataloader.dataset]
        for dataset in filter(None, [*datasets, privacy.get('dataset')]):
            data = DATASETS.build(dataset)
            sample = data[len(data) - 1]
            views = sample['inputs'] if isinstance(sample['inputs'], list) else [sample['inputs']]
            of_views = path.name in ('spact_r3d_weizmann.py', 'price_r3d_weizmann.py')
            is_pair = of_views and dataset is privacy.get('dataset')
            assert len(views) == (2 if is_pair else 1)
            for view in views:
                assert view.shape[-2:] == (64, 64) and view.dtype == torch.uint8
            if path.name.startswith('link') and dataset is config.test_dataloader.dataset:
                assert sample['data_samples'].action in sample['data_samples'].video_id
            if len(views) == 1:
                assert 0 <= int(sample['data_samples'].gt_label) < 9


@pytest.mark.slow
def test_tiny_run_on_real_people(real):
    """The protocol tool trains f_A and both fresh models on fold 0, and writes the report."""
    config = Config.fromfile(PROTOCOL)
    protocol = config.protocol
    for spec in [method.train for method in protocol.methods if 'train' in method]:
        spec.config = str(PROTOCOL.parent / spec.config)
    protocol.stages = {name: protocol.stages[name] for name in ('action', 'image', 'linking')}
    for stage in protocol.stages.values():
        stage.config = str(PROTOCOL.parent / stage.config)
    protocol.stages.action.options['train_dataloader.dataset.dataset.times'] = 1
    protocol.stages.action.options.update({'train_cfg.max_epochs': 1, 'param_scheduler': []})
    protocol.stages.image.options['train_dataloader.dataset.frames_per_video'] = 1
    protocol.stages.image.options.update({'train_cfg.max_epochs': 1, 'param_scheduler': []})
    protocol.stages.linking.options['train_dataloader.dataset.frames_per_video'] = 1
    protocol.stages.linking.options.update({'train_cfg.max_epochs': 1, 'param_scheduler': []})
    (spact,) = (method for method in protocol.methods if method.name == 'SPAct')
    epochs = {f'custom_hooks.0.schedule.{index}.epochs': 1 for index in range(3)}
    spact.train.options.update(
        {
            **epochs,
            'custom_hooks.0.force': True,
            'train_dataloader.dataset.dataset.times': 1,
            'privacy_dataloader.dataset.dataset.times': 1,
        }
    )
    (real / 'tiny.py').write_text(f'protocol = {protocol.to_dict()!r}\n')
    command = [sys.executable, ROOT / 'tools' / 'protocol.py', 'tiny.py', '--methods', 'SPAct']
    command += ['--folds', '0', '--seeds', '0', '--jobs', '1']
    done = subprocess.run(command, cwd=real, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((real / 'work_dirs/protocols/tiny/report.json').read_text())
    (row,) = report['rows']
    assert (row['method'], row['seed'], row['fold']) == ('SPAct', 0, 0)
    assert row['strongest']['attacker'] == 'image'
    assert row['strongest']['chance'] == pytest.approx(5 / 29)
    # Chosen on the ninth part of a fold: a clip of each person.
    assert row['attackers']['image']['val_chance'] == pytest.approx(1 / 9)
    # Of different actions are 3 * 36 pairs of one person and 3 * 72 of two; a tie counts half.
    assert 0 <= row['link_rank1_motion'] <= 1 and 0 <= row['link_eer_motion'] <= 1
    assert row['link_auc_motion'] * 108 * 216 * 2 == pytest.approx(
        round(row['link_auc_motion'] * 108 * 216 * 2)
    )
    assert row['top1'] * 27 == pytest.approx(round(row['top1'] * 27))
    assert 'identity Top-1' in (real / 'work_dirs/protocols/tiny/report.md').read_text()


@pytest.mark.slow
def test_shipped_weights_are_as_good_as_their_card_says(real, tmp_path):
    """On the fold's own test videos, f_T reads the action and a clip tells as much."""
    config = CONFIGS / 'price_r3d_weizmann.py'
    data = dict(WEIZMANN_ROOT=str(real / 'data' / 'weizmann'))
    done = run_cli('test', config, find_model('weizmann'), work_dir=tmp_path / 'work', **data)
    assert done.code == 0, done.stderr
    found, told = metrics_of(tmp_path / 'work'), read_card(find_model('weizmann'))['measured']
    # Noise of its own may turn two of 27 videos.
    assert abs(found['acc/top1'] - told['top1_own']) * 27 <= 2 + 1e-6
    assert found['rate/bits_clip'] == pytest.approx(told['bits_clip'], rel=0.01)
