"""What a disk or a hand may have made of the files of a stage."""

import json
import re
import shutil
import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import ConfigDict

import spact_mm
from spact_mm.protocols import examples, report, results
from spact_mm.protocols import stage as stage_module
from spact_mm.protocols.stage import Stage

BROKEN = {
    'no UTF-8': b'{"metrics": {}, "seconds": 1, "x": "\xff"}',
    'cut': b'{"metrics": {"top1"',
    'empty': b'',
    'list': b'[1, 2]',
    'number': b'NaN',
    'deep': b'[' * 100_000,
    'long': b'9' * 10_000,
    'zeros': bytes(100),
}


@pytest.fixture
def stage(tmp_path):
    made = Stage('action', 'm', 0, None, tmp_path / 'm' / 'action', ConfigDict(x=1), True, {})
    made.prepare()
    return made


def write_result(stage, **changes):
    result = dict(metrics=dict(top1=0.5), values={}, seconds=1.0, config_hash=stage.hash)
    result |= dict(commit='c', time='t') | changes
    (stage.folder / 'result.json').write_text(json.dumps(result))


@pytest.mark.parametrize('content', BROKEN.values(), ids=BROKEN)
def test_damaged_result_is_not_done_and_said_so(stage, content):
    (stage.folder / 'result.json').write_bytes(content)
    with pytest.warns(UserWarning, match='result.json is damaged .* it counts as not there'):
        assert stage.read_result() is None
    with pytest.warns(UserWarning, match='result.json is damaged'):
        assert results.collect_rows([stage]) == []


@pytest.mark.parametrize(
    'changes',
    [dict(metrics=[0.5]), dict(metrics=None), dict(metrics=dict(top1='high')),
     dict(metrics=dict(top1=10**400)), dict(seconds=None), dict(seconds=float('nan')),
     dict(values=[1]), dict(time=5), dict(commit=['c'])],
)  # fmt: skip
def test_result_of_another_form_is_not_done(stage, changes):
    write_result(stage)
    assert stage.read_result()['metrics'] == dict(top1=0.5)
    write_result(stage, **changes)
    with pytest.warns(UserWarning, match='result.json is damaged .no metrics by name'):
        assert stage.read_result() is None


ATTACKER = dict(score=0.9, chance=0.4, validation={'0.5': dict(score=0.5, chance=0.4)})
ATTACKER['validation']['1'] = dict(score=0.8, chance=0.4)


@pytest.mark.parametrize(
    'changes',
    [dict(score='high'), dict(score=None), dict(score=1.1), dict(chance=-0.1),
     dict(best=1.0), dict(validation=[1]),
     dict(validation={}), dict(validation={'all': dict(score=1, chance=0)}),
     dict(validation={'1': dict(score=1)}), dict(validation={'1': [1, 2]}),
     dict(validation={'1': dict(score=float('nan'), chance=0)})],
)  # fmt: skip
def test_attacker_of_another_form_is_not_done(stage, changes):
    write_result(stage, attacker=ATTACKER)
    assert stage.read_result()['attacker'] == ATTACKER
    write_result(stage, attacker=ATTACKER | changes)
    with pytest.warns(UserWarning, match='result.json is damaged'):
        assert stage.read_result() is None
    with pytest.warns(UserWarning, match='result.json is damaged'):
        assert results.collect_rows([stage]) == []


def test_longer_training_adds_its_part_to_the_attacker(stage, tmp_path):
    twice = Stage('action_twice', 'm', 0, None, tmp_path / 'm' / 'b', ConfigDict(x=1), True, {})
    twice.prepare()
    write_result(stage, name='action', attacker=ATTACKER)
    parts = {part: dict(score=0.95, chance=0.4) for part in ('1', '2')}
    write_result(twice, metrics={}, name='action_twice', attacker=dict(validation=parts))
    (row,) = results.collect_rows([stage, twice])
    found = row['attackers']['action']
    assert (found['score'], found['val_score']) == (0.9, 0.8)
    assert {part: entry['score'] for part, entry in found['validation'].items()} == {
        '0.5': 0.5, '1': 0.8, '2': 0.95,
    }  # fmt: skip


def test_unknown_metric_and_absent_origin_are_no_damage(stage):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert stage.read_result() is None
        write_result(stage, metrics=dict(top1=float('nan'), f1=1))
        assert stage.read_result()['metrics']['f1'] == 1


@pytest.mark.parametrize(
    'content',
    [*BROKEN.values(), b'{"done": "x"}', b'{"done": NaN, "total": 1}', b'{"done": 1, "total": []}'],
)
def test_damaged_progress_is_no_progress(stage, content):
    path = stage.folder / 'progress.json'
    path.write_bytes(content)
    with pytest.warns(UserWarning, match='progress.json is damaged'):
        assert stage.read_progress() == 0
    path.write_text(json.dumps(dict(done=3, total=4, seconds=2.5)))
    assert stage.read_progress() == 0.75
    path.unlink()
    assert stage.read_progress() == 0


@pytest.mark.parametrize('content', [BROKEN['no UTF-8'], BROKEN['deep'], b'[]'])
def test_damaged_order_starts_the_stage_anew_and_keeps_what_is_not_its_own(stage, content):
    (stage.folder / 'weights.pth').touch()
    (stage.folder / 'run').mkdir()
    (stage.folder / 'notes.txt').write_text('of somebody')
    (stage.folder / 'stage.json').write_bytes(content)
    with pytest.warns(UserWarning, match='stage.json is damaged'):
        stage.prepare()
    names = sorted(path.name for path in stage.folder.iterdir())
    assert names == ['config.py', 'notes.txt', 'stage.json']
    assert json.loads((stage.folder / 'stage.json').read_text())['hash'] == stage.hash


def test_folder_of_others_is_no_stage(stage):
    shutil.rmtree(stage.folder)
    stage.folder.mkdir()
    (stage.folder / '.stage.json.1.part').touch()  # of a stage that was killed at once
    stage.prepare()
    shutil.rmtree(stage.folder)
    stage.folder.mkdir()
    (stage.folder / 'weights.pth').write_text('of somebody')
    with pytest.raises(FileExistsError, match='m/action has files, and no stage.json'):
        stage.prepare()
    assert (stage.folder / 'weights.pth').read_text() == 'of somebody'


def test_long_names_of_methods_stand_whole_beside_their_strips(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(examples, 'write_figure', lambda figure, path, **_: figures.append(figure))
    strip = cv2.imencode('.png', np.zeros((8, 64, 3), np.uint8))[1].tobytes()
    examples.draw_grid({'raw': strip, 'downsample 4× with a long name, undone': strip}, tmp_path)
    (figure,) = figures
    renderer = figure.canvas.get_renderer()
    labels = [axes.yaxis.label for axes in figure.axes]
    figure.draw(renderer)
    assert [label.get_text() for label in labels][0] == 'raw'
    assert all(label.get_window_extent(renderer).x0 >= 0 for label in labels)


def test_damaged_picture_is_drawn_again(stage, tmp_path, monkeypatch):
    picture = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    found = {'': 0, 'inverter': 1, 'renderer': 2}
    monkeypatch.setattr(
        report, 'find_example_stages', lambda stages, behind='': dict(m=stages[found[behind]])
    )
    monkeypatch.setattr(report, 'read_preprocessor', lambda stage: SimpleNamespace(anonymizer=None))
    monkeypatch.setattr(report, 'read_clips', lambda stage, preprocessor: [])
    monkeypatch.setattr(report, 'draw_examples', lambda anonymizer, clips: picture)
    changes = dict(before=2.0, after=1.0)
    monkeypatch.setattr(report, 'measure_flicker', lambda anonymizer, clips: changes)
    stages = [
        stage,
        *(
            Stage(name, 'm', 0, None, tmp_path / 'm' / name, ConfigDict(x=name), True, {})
            for name in ('undone', 'rendered')
        ),
    ]
    titles = ['m', 'm, rendered', 'm, undone']
    whole = dict.fromkeys(titles, picture), dict.fromkeys(titles[:2], changes)
    assert report._read_examples(tmp_path, stages) == whole
    pictures = sorted((tmp_path / 'examples').glob('*.png'))
    numbers, other = sorted((tmp_path / 'examples').glob('*.json'))
    assert len(pictures) == 3 and 'rendered' in other.name
    for path in pictures:
        for content in (picture[:40], b''):
            path.write_bytes(content)
            assert report._read_examples(tmp_path, stages) == whole
            assert path.read_bytes() == picture
    numbers.write_text('{"bef')
    with pytest.warns(UserWarning, match='is damaged'):
        assert report._read_examples(tmp_path, stages) == whole
    assert json.loads(numbers.read_text()) == changes


def test_without_git_the_version_stands_for_the_commit(tmp_path, monkeypatch):
    commit = stage_module.current_commit.__wrapped__
    assert re.fullmatch(r'[0-9a-f]{7,}(-dirty)?', commit())
    monkeypatch.setattr(stage_module, '_PACKAGE', tmp_path / 'spact_mm')
    assert commit() == f'spact_mm {spact_mm.__version__}'
    (tmp_path / '.git').mkdir()
    (tmp_path / 'spact_mm').mkdir()
    assert commit() == f'spact_mm {spact_mm.__version__}'
