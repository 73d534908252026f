"""``tools/attack_faces.py`` on pictures and videos of faces that lie in packages."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
from e2e import ROOT
from faces import collins, hopper, needs_attackers
from media import draw_frames, write_video

from spact_mm.apis import AnonymizeInferencer, pair_with_file, pair_with_function, sample_frames
from spact_mm.apis.refusals import refuse_in_one_sentence


def call(monkeypatch, *arguments):
    tool = runpy.run_path(str(ROOT / 'tools' / 'attack_faces.py'))
    monkeypatch.setattr(sys, 'argv', ['attack_faces.py', *map(str, arguments)])
    with refuse_in_one_sentence():
        return tool['attack_all'](tool['parse_args']())


def write_image(path, picture):
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


@pytest.fixture
def persons(tmp_path):
    """Return a folder with a video of one person and a picture of another."""
    folder = tmp_path / 'persons'
    folder.mkdir()
    write_video(folder / 'collins.mp4', np.stack([collins()] * 5))
    write_image(folder / 'hopper.png', hopper())
    return folder


@needs_attackers
def test_what_a_method_leaves_is_printed_and_written(monkeypatch, tmp_path, capsys, persons):
    out = tmp_path / 'faces.json'
    code = call(monkeypatch, persons, '--method', 'black', '--frames', 2, '--out', out)
    assert code == 0
    printed = capsys.readouterr().out
    assert 'collins.mp4' in printed and 'Only 3 readable faces' in printed
    found = json.loads(out.read_text())
    assert found['settings']['method'] == 'black'
    assert found['all']['frames'] == found['all']['faces'] == 3
    assert found['all']['found'] == found['all']['match'] == found['all']['chance'] == 0
    assert [score['faces'] for score in found['files'].values()] == [2, 1]


@needs_attackers
def test_anonymized_files_are_met_by_name(monkeypatch, tmp_path, persons):
    (tmp_path / 'copies').mkdir()
    write_video(tmp_path / 'copies' / 'collins.mp4', np.stack([collins()] * 5))
    write_image(tmp_path / 'copies' / 'hopper.png', np.zeros((64, 64, 3), np.uint8))
    out = tmp_path / 'faces.json'
    options = ['--anonymized', tmp_path / 'copies', '--frames', 2, '--out', out]
    assert call(monkeypatch, persons, *options) == 0
    collins_, hopper_ = json.loads(out.read_text())['files'].values()
    assert (collins_['found'], collins_['match']) == (1, 1)
    assert (hopper_['found'], hopper_['match']) == (0, 0)


@needs_attackers
def test_raw_frames_without_faces_are_said_to_tell_nothing(monkeypatch, tmp_path, capsys):
    video = write_video(tmp_path / 'walk.mp4')
    assert call(monkeypatch, video, '--method', 'blur', '--frames', 2) == 1
    assert 'No face is found in 2 raw frames of 1 files' in capsys.readouterr().out


@needs_attackers
def test_a_file_that_cannot_be_read_keeps_no_other_from_being_attacked(
    monkeypatch, tmp_path, capsys, persons
):
    (persons / 'broken.png').write_bytes(b'no picture')
    inputs = [persons, tmp_path / 'absent.mp4']
    assert call(monkeypatch, *inputs, '--method', 'black', '--frames', 1) == 1
    printed = capsys.readouterr().out
    assert f'Not done: {tmp_path / "absent.mp4"} is no file' in printed
    assert f'Not done: {persons / "broken.png"} is no image' in printed
    assert 'collins.mp4' in printed


@pytest.mark.parametrize(
    'options',
    [
        ['--method', 'blur', '--anonymized', 'x'],
        ['--anonymized', 'x', '--device', 'cpu'],
        ['--method', 'blur', '--config', 'c.py'],
        ['--method', 'blur', '--frames', '0'],
        ['--method', 'blur', '--out', '/absent/faces.json'],
        [],
    ],
)
def test_wrong_command_lines_are_refused(monkeypatch, options):
    with pytest.raises(SystemExit) as stop:
        call(monkeypatch, 'walk.mp4', *options)
    assert stop.value.code == 2


@pytest.mark.slow
@needs_attackers
def test_faces_of_a_real_video_are_lost_by_pixels(monkeypatch, tmp_path, shared_data):
    out = tmp_path / 'faces.json'
    clip = shared_data / 'clips' / 'v_ApplyEyeMakeup_g01_c01.avi'
    assert call(monkeypatch, clip, '--method', 'pixelate', '--frames', 3, '--out', out) == 0
    scores = json.loads(out.read_text())['all']
    assert scores['faces'] >= scores['readable'] >= 2
    assert scores['found'] == scores['match'] == 0


# ---- the frames ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    'count, expected', [(1, [0]), (2, [0, 11]), (4, [0, 4, 7, 11]), (99, list(range(12)))]
)
def test_frames_are_spread_evenly(tmp_path, count, expected):
    video = write_video(tmp_path / 'walk.avi', draw_frames(12), codec='ffv1', pix_fmt='bgr0')
    frames, total = sample_frames(video, count)
    assert total == 12
    assert np.array_equal(np.stack(frames), draw_frames(12)[expected])


def test_pairs_are_the_same_frames_before_and_after(tmp_path):
    video = write_video(tmp_path / 'walk.avi', draw_frames(12), codec='ffv1', pix_fmt='bgr0')
    (_, copy), (raw, last) = pair_with_function(video, lambda frames: 255 - frames, 2)
    assert np.array_equal(raw, draw_frames(12)[11])
    assert np.array_equal(last, 255 - raw) and not np.array_equal(copy, last)
    AnonymizeInferencer(method='pixelate')(str(video), out_dir=str(tmp_path / 'out'))
    pairs = list(pair_with_file(video, tmp_path / 'out' / 'walk.mp4', 3))
    assert np.array_equal(pairs[1][0], draw_frames(12)[6])
    expected = AnonymizeInferencer(method='pixelate').anonymize_frames(pairs[1][0][None])[0]
    assert np.abs(pairs[1][1].astype(float) - expected).mean() < 6


def test_a_smaller_copy_is_enlarged(tmp_path):
    raw = write_image(tmp_path / 'a.png', draw_frames(1, 48, 64)[0])
    copy = write_image(tmp_path / 'b.png', draw_frames(1, 24, 32)[0])
    ((first, second),) = pair_with_file(raw, copy, 16)
    assert first.shape == second.shape == (48, 64, 3)


def test_what_is_no_copy_is_refused(tmp_path):
    raw = write_video(tmp_path / 'raw.mp4', draw_frames(12))
    with pytest.raises(FileNotFoundError, match=r'no .*none.mp4, the anonymized .*raw.mp4'):
        next(pair_with_file(raw, tmp_path / 'none.mp4', 4))
    short = write_video(tmp_path / 'short.mp4', draw_frames(11))
    with pytest.raises(ValueError, match=r'short.mp4 has 11 frames, but .*raw.mp4 12'):
        next(pair_with_file(raw, short, 4))
    wide = write_video(tmp_path / 'wide.mp4', draw_frames(12, 48, 128))
    with pytest.raises(ValueError, match='128 x 48.*without --side-by-side'):
        next(pair_with_file(raw, wide, 4))
