"""``tools/predict.py`` as a process."""

import runpy
import sys
from types import SimpleNamespace

import pytest
import torch
from e2e import ROOT, run_process
from media import write_video
from mmaction.registry import MODELS
from mmengine.config import Config

CONFIG = ROOT / 'configs' / 'eval' / 'action_r3d_demo.py'


@pytest.fixture
def checkpoint(tmp_path):
    """An action target that finds the class 5 in everything."""
    config = Config.fromfile(CONFIG)
    model = MODELS.build(config.model)
    model.init_weights()
    with torch.no_grad():
        model.cls_head.fc_cls.bias[5] = 100
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'target.pth')
    return tmp_path / 'target.pth'


def predict(folder, *arguments):
    return run_process(folder / 'logs', sys.executable, ROOT / 'tools' / 'predict.py', *arguments)


@pytest.mark.slow
def test_classes_of_videos_are_named(tmp_path, checkpoint):
    for name in ('a walk.mp4', 'b.avi'):
        write_video(tmp_path / name)
    (tmp_path / 'classes.txt').write_text('\n'.join(f'class {i}' for i in range(8)))
    options = ['--config', CONFIG, '--checkpoint', checkpoint, '--top', '2']
    done = predict(tmp_path, tmp_path / '*.*[4i]', *options, '--classes', tmp_path / 'classes.txt')
    assert done.code == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if '%' in line]
    assert [line.split(': ')[0] for line in lines] == [
        str(tmp_path / 'a walk.mp4'), str(tmp_path / 'b.avi'),
    ]  # fmt: skip
    assert all('class 5 100.0 %, class ' in line for line in lines)


def call(monkeypatch, infer, *arguments):
    """Run the tool in this process with a function in place of a network."""
    tool = runpy.run_path(str(ROOT / 'tools' / 'predict.py'))
    names = tool['predict'].__globals__
    monkeypatch.setitem(names, 'load_recognizer', lambda *_: None)
    monkeypatch.setitem(names, 'inference_recognizer', infer)
    argv = ['predict.py', *map(str, arguments), '--config', 'c', '--checkpoint', 'w']
    monkeypatch.setattr(sys, 'argv', argv)
    return tool['predict'](tool['parse_args']())


@pytest.mark.parametrize('error', [MemoryError(), KeyError('x'), RuntimeError('a.mp4:\nbroken')])
def test_any_failure_belongs_to_its_video(tmp_path, monkeypatch, capsys, error):
    def infer(recognizer, path):
        if path.endswith('a.mp4'):
            raise error
        return SimpleNamespace(pred_score=torch.tensor([0.25, 0.75]))

    for name in ('a.mp4', 'b.mp4', 'c.png', 'notes.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'classes.txt').write_bytes(b'caf\xe9\nwalk\n')
    options = ['--classes', tmp_path / 'classes.txt']
    assert call(monkeypatch, infer, tmp_path, *options) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('3 files are left out') and 'c.png' in lines[0]
    assert lines[1].startswith(f'Not done: {tmp_path / "a.mp4"}: {type(error).__name__}')
    assert lines[2] == f'{tmp_path / "b.mp4"}: walk 75.0 %, caf\ufffd 25.0 %'
    assert lines[3] == '1 of 2 videos could not be done.'
    with pytest.raises(SystemExit, match='There is no video among them'):
        call(monkeypatch, infer, tmp_path / 'c.png')
    capsys.readouterr()
    # One path that is not there stops no other.
    assert call(monkeypatch, infer, tmp_path / 'absent.mp4', tmp_path / 'b.mp4') == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f'Not done: {tmp_path / "absent.mp4"} is no file')
    assert second == f'{tmp_path / "b.mp4"}: 1 75.0 %, 0 25.0 %'


@pytest.mark.slow
def test_missing_video_is_one_sentence(tmp_path, checkpoint):
    options = ['--config', CONFIG, '--checkpoint', checkpoint]
    done = predict(tmp_path, tmp_path / 'no.mp4', *options)
    assert done.code == 1 and 'no.mp4 is no file' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_broken_video_is_named_and_the_others_done(tmp_path, checkpoint):
    (tmp_path / 'a.mp4').write_text('no video')
    write_video(tmp_path / 'b.mp4')
    options = ['--config', CONFIG, '--checkpoint', checkpoint]
    done = predict(tmp_path, tmp_path / '*.mp4', *options)
    assert done.code == 1 and 'Traceback' not in done.stderr
    lines = done.stdout.splitlines()[-3:]
    assert lines[0].startswith('Not done:') and 'a.mp4 is empty or no video' in lines[0]
    assert lines[1].startswith(f'{tmp_path / "b.mp4"}: 5 100.0 %')
    assert lines[2] == '1 of 2 videos could not be done.'
