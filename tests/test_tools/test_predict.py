"""``tools/predict.py`` as a process."""

import sys

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
