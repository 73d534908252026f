import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from spact_mm.datasets import PA_HMDB51_ATTRIBUTES, PAHMDB51Dataset
from spact_mm.datasets.annotation_files import read_segment_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'pa_hmdb51' / 'convert.py'
    spec = importlib.util.spec_from_file_location('pa_hmdb51_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def annotation(last=5, **changes):
    default = {name: [[0, last, 1]] for name in PA_HMDB51_ATTRIBUTES[5]}
    return dict(default, review=True, **changes)


@pytest.fixture
def layout(tmp_path, converter, monkeypatch):
    """Two classes, three videos of six frames; one has no note, one a value for each of two."""
    files = {
        'hug': {'a_(1)_hug_0.avi': annotation(), 'b_hug_1.avi': annotation(skin_color=[[0, 5, 0]])},
        'wave': {'c_wave_0.avi': annotation(gender=[[0, 2, 1], [3, 5, [2, 1]]], note='')},
    }
    (tmp_path / 'PrivacyAttributes').mkdir()
    for name, entries in files.items():
        (tmp_path / 'PrivacyAttributes' / f'{name}.json').write_text(json.dumps(entries))
        for video in entries:
            path = tmp_path / 'videos' / name / video
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (32, 24))
            for value in range(6):
                writer.write(np.full((24, 32, 3), 40 * value, np.uint8))
            writer.release()
    monkeypatch.setattr(converter, 'NUM_CLASSES', 2)
    monkeypatch.setattr(converter, 'NUM_VIDEOS', 3)
    monkeypatch.setattr(converter, 'NUM_FRAMES', 18)
    return tmp_path


def run(converter, layout, *options):
    argv = ['--videos', str(layout / 'videos'), '--out', str(layout / 'out'), '--workers', '1']
    return converter.main([*argv, '--annotations', str(layout / 'PrivacyAttributes'), *options])


def rewrite(layout, name, **videos):
    path = layout / 'PrivacyAttributes' / f'{name}.json'
    path.write_text(json.dumps({f'{video}.avi': entry for video, entry in videos.items()}))


def read_report(layout):
    return json.loads((layout / 'out' / 'pa_hmdb51_report.json').read_text())


@pytest.mark.parametrize('check', ['none', 'header', 'decode'])
def test_complete_set_becomes_one_file(converter, layout, check):
    assert run(converter, layout, '--check', check) == 0
    content = read_segment_file(layout / 'out' / 'pa_hmdb51.json')
    assert content['metainfo'] == dict(
        dataset='PA-HMDB51', attributes=list(PA_HMDB51_ATTRIBUTES[5])
    )
    entry = content['data_list'][2]
    assert (entry['video'], entry['num_frames']) == ('wave/c_wave_0.avi', 6)
    assert entry['segments']['gender'] == [[0, 2, [1]], [3, 5, [1, 2]]]
    assert entry['segments']['face'] == [[0, 5, [1]]]
    assert len(PAHMDB51Dataset(str(layout / 'out' / 'pa_hmdb51.json'))) == 18


def test_missing_and_broken_videos_are_left_out_and_reported(converter, layout):
    (layout / 'videos/hug/b_hug_1.avi').unlink()
    (layout / 'videos/wave/c_wave_0.avi').write_bytes(b'<html>404</html>')
    assert run(converter, layout) == 1
    report = read_report(layout)
    assert report['missing'] == ['hug/b_hug_1.avi'] and list(report['broken']) == [
        'wave/c_wave_0.avi'
    ]
    counts = report['counts']
    assert counts['pa_hmdb51.json: videos'] == dict(listed=3, published=3, written=1)
    assert counts['pa_hmdb51.json: frames'] == dict(listed=18, published=18, written=6)
    assert run(converter, layout, '--allow-missing') == 0


def test_frames_beyond_the_end_of_a_video_are_left_out(converter, layout, capsys):
    rewrite(layout, 'wave', c_wave_0=annotation(last=8))
    assert run(converter, layout) == 1
    assert '1 videos end before their annotation, as wave/c_wave_0.avi' in capsys.readouterr().out
    counts = read_report(layout)['counts']['pa_hmdb51.json: frames']
    assert counts == dict(listed=21, published=18, written=18)
    assert len(PAHMDB51Dataset(str(layout / 'out' / 'pa_hmdb51.json'))) == 18


BROKEN = [
    (dict(face=[]), 'no segment of face'),
    (dict(face=[[0, 5, 3]]), 'face holds [0, 5, 3]'),
    (dict(face=[[0, 5, -1]]), 'face holds [0, 5, -1]'),
    (dict(face=[[3, 2, 1]]), 'face holds [3, 2, 1]'),
    (dict(face=[[-1, 2, 1]]), 'face holds [-1, 2, 1]'),
    (dict(face=[[0, 5]]), 'face holds [0, 5]'),
    (dict(face=[[0, 5, []]]), 'face holds [0, 5, []]'),
    (dict(face=[[0, 5, '1']]), "face holds [0, 5, '1']"),
    (dict(face=[[0, 5.0, 1]]), 'face holds [0, 5.0, 1]'),
    (dict(face=[7]), 'face holds 7'),
    (dict(face=[[3, 5, 1], [0, 2, 1]]), 'face are not in order'),
    (dict(gender=[[0, 5, [1, [2]]]]), 'gender holds'),
]


def test_broken_annotations_are_reported_with_their_segments(converter, layout):
    videos = {f'c_wave_{index}': annotation(**changes) for index, (changes, _) in enumerate(BROKEN)}
    rewrite(layout, 'wave', **videos)
    folder = layout / 'videos' / 'wave'
    for video in videos:
        if video != 'c_wave_0':
            shutil.copy(folder / 'c_wave_0.avi', folder / f'{video}.avi')
    assert run(converter, layout) == 1
    broken = read_report(layout)['broken']
    assert len(broken) == len(BROKEN)
    for video, (_, reason) in zip(videos, BROKEN, strict=True):
        assert reason in broken[f'wave/{video}.avi']
    assert len(read_segment_file(layout / 'out' / 'pa_hmdb51.json')['data_list']) == 2


def test_absent_folders_and_damaged_files_are_one_sentence(converter, layout, capsys):
    def failure(*options):
        assert run(converter, layout, *options) == 2
        error = capsys.readouterr().err
        assert error.count('\n') == 1
        return error

    assert converter.PAGE in failure('--annotations', str(layout / 'nowhere'))
    assert 'HMDB51' in failure('--videos', str(layout / 'nowhere'))
    assert 'None of the 3 videos' in failure('--videos', str(layout))
    (layout / 'PrivacyAttributes' / 'hug.json').write_text('{')
    assert 'hug.json is not an annotation of PA-HMDB51' in failure()
    assert not (layout / 'out').exists()


@pytest.mark.slow
def test_published_annotations_give_515_videos_and_52533_frames(converter, shared_data, tmp_path):
    folder = shared_data / 'annotations' / 'pa_hmdb51' / 'PrivacyAttributes'
    for path in folder.glob('*.json'):
        for video in json.loads(path.read_text()):
            target = tmp_path / 'videos' / path.stem / video
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b'0')
    assert run(converter, tmp_path, '--annotations', str(folder), '--check', 'none') == 0
    counts = read_report(tmp_path)['counts']
    assert counts['pa_hmdb51.json: videos'] == dict(listed=515, published=515, written=515)
    assert counts['pa_hmdb51.json: frames'] == dict(listed=52533, published=52533, written=52533)

    def build(**settings):
        return PAHMDB51Dataset(str(tmp_path / 'out' / 'pa_hmdb51.json'), **settings)

    everything = build(unlabelled='absent', variant=6)
    assert len(everything) == 52533
    frames = [everything.get_data_info(index) for index in range(len(everything))]
    assert len({frame['video_id'] for frame in frames}) == 515
    names = everything.metainfo['classes']
    present = dict(zip(names, sum(f['gt_score'] for f in frames).astype(int), strict=True))
    assert present['face_complete'] == 19288 and present['face_partial'] == 20037
    assert present['nudity'] == 23241 + 8072 and present['relationship'] == 8208
    assert present['gender'] == 18528 + 29020 + 3749 + 55
    dataset = build()
    assert len(dataset) == 52533 - 122 and dataset.metainfo['num_unlabelled'] == 122
