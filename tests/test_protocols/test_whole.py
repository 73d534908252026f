"""A whole protocol on a tiny data set: every kind of stage, interrupted and continued."""

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from e2e import ROOT, run_process, write_config, write_image

from spact_mm.datasets.annotation_files import write_attribute_file
from spact_mm.protocols import load_protocol, run_stage
from spact_mm.protocols.stage import find_files

ATTRIBUTES = ['hat', 'glasses']


def write_attributes(data):
    rng = np.random.default_rng(0)
    for split, count in (('train', 24), ('attacker_train', 16), ('attacker_val', 8), ('test', 12)):
        names = [f'{split}/{index:02}.jpg' for index in range(count)]
        for index, name in enumerate(names):
            write_image(data / 'images' / name, index)
        entries = [(n, [a for a in ATTRIBUTES if rng.random() < 0.5]) for n in names]
        write_attribute_file(data / f'{split}_attributes.json', ATTRIBUTES, entries, 'test')
    videos = sorted(path.relative_to(data / 'videos') for path in data.glob('videos/*/*.mp4'))
    entries = [(str(n), ATTRIBUTES[: i % 3]) for i, n in enumerate(videos)]
    for split in ('attacker_train', 'attacker_val', 'test'):
        part = [entry for entry in entries if entry[0].startswith(split.removeprefix('attacker_'))]
        part = part or entries[:8]
        write_attribute_file(data / f'{split}_video_attributes.json', ATTRIBUTES, part, 'test')


def write_protocol(folder, data, recipe):
    """Write the demo's protocol with other data, narrow networks and one epoch each."""
    demo = load_protocol(ROOT / 'configs' / 'protocols' / 'demo.py', seeds=[0])
    (spec,) = [dict(stage) for stage in [_read('configs/protocols/demo.py')]]
    stages = spec['stages']
    for name, stage in stages.items():
        planned = next(s for s in demo.stages if s.name == name)
        stage['config'] = str(ROOT / 'configs' / 'protocols' / stage['config'])
        demo_options = stage.get('options', {})
        options = {'train_cfg.max_epochs': 1, 'param_scheduler': []}
        loaders = ['train_dataloader', 'test_dataloader']
        if 'attacker' in stage:
            loaders.append('val_dataloader')
        for loader in loaders:
            dataset = f'{loader}.dataset'
            for key, path in find_files(planned.config[loader]):
                options[f'{dataset}.{key}'] = str(data / Path(path).relative_to('data/demo'))
            if name != 'action':
                options[f'{dataset}.attributes'] = ATTRIBUTES
            options[f'{loader}.batch_size'] = 4
        if name == 'target':
            options.update(demo_options)
        if 'attacker' in stage:
            options['model.head.num_classes'] = len(ATTRIBUTES)
            options['model.data_preprocessor.num_classes'] = len(ATTRIBUTES)
            if 'widths' in planned.config.model.backbone:
                options['model.backbone.widths'] = (4, 8)
                options['model.head.in_channels'] = 16
        if name == 'action':
            options['model.cls_head.num_classes'] = 4
        stage['options'] = options
    methods = [
        dict(name='raw', anonymizer=dict(type='IdentityAnonymizer')),
        dict(name='identity', anonymizer=dict(type='IdentityAnonymizer')),
        dict(name='grey', anonymizer=dict(type='ConstantAnonymizer')),
        dict(name='SPAct', train=dict(config=str(recipe))),
    ]
    for stage in stages.values():
        stage.pop('seeds', None)
        if 'skip' in stage:
            stage['skip'] = ['raw'] if 'raw' in stage['skip'] else []
    for name in ('inverter', 'undone', 'undone_mean'):
        stages[name]['skip'] = ['raw', 'identity', 'grey']
    # Two attackers show that the same frames give the same numbers.
    for name, stage in stages.items():
        if name.endswith('_raw'):
            stage['skip'] = ['raw', 'identity']
    protocol = dict(title='Tiny', seeds=[0], methods=methods, stages=stages, report={})
    protocol['strength'] = dict(methods=['SPAct'])
    path = folder / 'whole.py'
    path.write_text(f'protocol = {protocol!r}\n')
    return path


def _read(path):
    from mmengine.config import Config

    return Config.fromfile(ROOT / path).protocol.to_dict()


@pytest.mark.slow
def test_whole_protocol_goes_on_where_it_stopped(tmp_path, tiny_data, monkeypatch):
    # Layout of the config, half a second for each file.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **style: (text, True))
    data = tmp_path / 'data'
    shutil.copytree(tiny_data, data)
    write_attributes(data)
    schedule = (
        dict(phase='reconstruction', epochs=1),
        dict(phase=('anonymizer', 'adversaries'), epochs=1),
    )
    recipe = write_config(tmp_path / 'recipe', data, schedule)
    path = write_protocol(tmp_path, data, recipe)
    protocol = load_protocol(path, tmp_path / 'work')
    assert not protocol.find_missing()
    assert [s.name for s in protocol.stages if s.method == 'SPAct'] == [
        'train', 'action', 'image', 'image_twice', 'target', 'target_twice', 'image_raw',
        'image_raw_twice', 'resnet_raw', 'resnet_raw_twice', 'video_raw', 'mean_raw',
        'mean_raw_twice', 'difference_raw', 'difference_raw_twice', 'clip_raw', 'clip_raw_twice',
        'inverter', 'undone', 'undone_mean',
    ]  # fmt: skip
    last = protocol.stages[-1]
    for stage in protocol.stages[:-1]:
        stage.prepare()
        run_stage(stage.folder)
        assert stage.read_result()['config_hash'] == stage.hash
        assert stage.weights.exists() == stage.is_trained
    before = {s.id: (s.folder / 'result.json').stat().st_mtime_ns for s in protocol.stages[:-1]}

    command = [sys.executable, ROOT / 'tools' / 'protocol.py', path, '--work-dir', 'work']
    process = run_process(tmp_path, *command, '--jobs', '1')
    assert process.code == 0, process.stderr
    assert process.stdout.count('done: ') == 1 and f'done: {last.id}' in process.stdout
    after = {s.id: (s.folder / 'result.json').stat().st_mtime_ns for s in protocol.stages[:-1]}
    assert after == before

    report = json.loads((tmp_path / 'work' / 'report.json').read_text())
    rows = {row['method']: row for row in report['rows']}
    # The same seed and the same anonymizer give the same numbers.
    for metric in ('top1', 'f1'):
        assert rows['identity'][metric] == rows['raw'][metric]
    for name in ('image', 'target'):
        assert rows['identity']['attackers'][name] == rows['raw']['attackers'][name]
    # One picture for all: one class for all, and precision at the rate of the positives.
    attackers = rows['grey']['attackers']
    kinds = {f'{name}_raw' for name in ('image', 'resnet', 'video', 'mean', 'difference', 'clip')}
    assert set(attackers) == {'image', 'target', *kinds}
    for found in attackers.values():
        assert found['score'] == pytest.approx(found['chance'], abs=1e-9)
    assert rows['grey']['top1'] == 0.25 and rows['grey']['advantage'] == pytest.approx(0, abs=1e-9)
    attackers = rows['SPAct']['attackers']
    assert set(attackers) == {*rows['grey']['attackers'], 'undone', 'undone_mean'}
    assert 'psnr' in rows['SPAct']
    assert set(attackers['image']['validation']) == {'1', '2'}
    assert set(attackers['undone']['validation']) == {'1'}
    chosen = rows['SPAct']['strongest']
    assert chosen['cmap'] == attackers[chosen['attacker']]['score']
    best = report['summary']['SPAct']['strongest']
    assert best['attackers'] == {chosen['attacker']: 1} and best['cmap']['mean'] == chosen['cmap']
    removed = best['advantage_removed']
    assert removed['worst'] == removed['mean'] == chosen['advantage_removed']
    assert (tmp_path / 'work' / 'report.md').exists()
    assert (tmp_path / 'work' / 'tradeoff.png').exists()
    html = (tmp_path / 'work' / 'report.html').read_text()
    for method in rows:
        assert f'alt="frames, {method}"' in html
    assert 'alt="frames, SPAct, undone"' in html
    # Above each method and above what is undone of SPAct.
    assert html.count('alt="the same frames, raw"') == len(rows)
    examples = {
        p.name.rsplit('-', 1)[0]: cv2.imread(str(p))
        for p in (tmp_path / 'work' / 'examples').glob('*.png')
    }
    assert set(examples) == {'raw', 'identity', 'grey', 'spact', 'spact-undone'}
    assert not np.array_equal(examples['spact'], examples['spact-undone'])
    flicker = report['flicker']
    assert flicker['raw'] == flicker['identity'] and flicker['grey']['after'] == 0
    assert 0 < flicker['SPAct']['after']
    assert np.array_equal(examples['raw'], examples['identity'])
    assert np.ptp(examples['raw']) > 100
    assert min(cv2.imread(str(tmp_path / 'work' / 'examples.png')).shape[:2]) > 100
    assert html.count('class="bar"') >= len(rows)

    # Where the work dir is gone, its results alone give the same table.
    kept = ('--results', 'work/results.jsonl')
    process = run_process(tmp_path, *command[:-1], 'other', *kept)
    assert process.code == 0, process.stderr
    assert f'{len(protocol.stages)} stages have their result from' in process.stdout
    assert 'done: ' not in process.stdout
    assert json.loads((tmp_path / 'other' / 'report.json').read_text())['rows'] == report['rows']

    # A file of the data gone, the tool says so and runs nothing.
    (data / 'test_attributes.json').unlink()
    process = run_process(tmp_path, *command)
    assert process.code == 1
    assert 'test_attributes.json does not exist, which' in process.stderr
