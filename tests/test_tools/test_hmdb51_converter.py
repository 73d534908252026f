import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Names as the published ones; use in split 1: 1 train, 2 test, 0 neither.
VIDEOS = {
    'climb': {'Fun_#4_climb_0.avi': 1, 'Mr__&_Mrs__(1)_climb_1.avi': 2, 'a;b!_climb_2.avi': 0},
    'climb_stairs': {'[x]~@+_climb_stairs_0.avi': 2, 'plain_climb_stairs_1.avi': 1},
}


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'hmdb51' / 'convert.py'
    spec = importlib.util.spec_from_file_location('hmdb51_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def layout(tmp_path, converter, monkeypatch):
    """A miniature of the published folders, two classes and five videos of one byte."""
    (tmp_path / 'splits').mkdir()
    for name, videos in VIDEOS.items():
        lines = ''.join(f'{video} {use} \r\n' for video, use in videos.items())
        (tmp_path / 'splits' / f'{name}_test_split1.txt').write_bytes(lines.encode())
        for video in videos:
            path = tmp_path / 'videos' / name / video
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'0')
    (tmp_path / 'pa').mkdir()
    annotation = {'Mr__&_Mrs__(1)_climb_1.avi': {}, 'Fun_#4_climb_0.avi': {}}
    (tmp_path / 'pa' / 'climb.json').write_text(json.dumps(annotation))
    monkeypatch.setattr(converter, 'NUM_CLASSES', 2)
    monkeypatch.setattr(converter, 'NUM_VIDEOS', 5)
    monkeypatch.setattr(converter, 'NUM_PA_VIDEOS', 2)
    monkeypatch.setattr(converter, 'SPLIT_SIZES', dict(train=2, val=2))
    return tmp_path


def run(converter, layout, *options, check='none'):
    argv = ['--videos', str(layout / 'videos'), '--annotations', str(layout / 'splits')]
    argv += ['--out', str(layout / 'out'), '--workers', '1', '--splits', '1', '--check', check]
    return converter.main([*argv, *options])


def read_list(layout, name):
    return (layout / 'out' / name).read_text().splitlines()


def read_report(layout):
    return json.loads((layout / 'out' / 'hmdb51_report.json').read_text())


def test_complete_set_gives_alphabetical_labels(converter, layout, capsys):
    assert run(converter, layout) == 0
    assert read_list(layout, 'hmdb51_train_split_1_videos.txt') == [
        'climb/Fun_#4_climb_0.avi 0',
        'climb_stairs/plain_climb_stairs_1.avi 1',
    ]
    assert read_list(layout, 'hmdb51_val_split_1_videos.txt') == [
        'climb/Mr__&_Mrs__(1)_climb_1.avi 0',
        'climb_stairs/[x]~@+_climb_stairs_0.avi 1',
    ]
    counts = read_report(layout)['counts']
    assert counts['videos'] == dict(listed=5, published=5, written=5)
    assert 'complete' in capsys.readouterr().out
    assert not (layout / 'out' / 'hmdb51_train_without_pa.txt').exists()


def test_pa_hmdb51_is_excluded_from_all_videos(converter, layout):
    assert run(converter, layout, '--exclude-pa-hmdb51', str(layout / 'pa')) == 0
    assert read_list(layout, 'hmdb51_train_without_pa.txt') == [
        'climb/a;b!_climb_2.avi 0',
        'climb_stairs/[x]~@+_climb_stairs_0.avi 1',
        'climb_stairs/plain_climb_stairs_1.avi 1',
    ]
    assert read_list(layout, 'pa_hmdb51_videos.txt') == [
        'climb/Mr__&_Mrs__(1)_climb_1.avi 0',
        'climb/Fun_#4_climb_0.avi 0',
    ]


def test_lists_are_what_video_dataset_reads(converter, layout):
    from mmaction.datasets import VideoDataset

    assert run(converter, layout) == 0
    path = layout / 'out' / 'hmdb51_val_split_1_videos.txt'
    dataset = VideoDataset(str(path), [], data_prefix=dict(video=str(layout / 'videos')))
    assert len(dataset) == 2
    assert all(Path(dataset[index]['filename']).is_file() for index in range(2))


def test_missing_broken_and_unlisted_videos_are_reported(converter, layout):
    videos = layout / 'videos' / 'climb'
    (videos / 'Fun_#4_climb_0.avi').unlink()
    (videos / 'a;b!_climb_2.avi').write_bytes(b'')
    (videos / 'new_climb_9.avi').write_bytes(b'0')
    assert run(converter, layout, '--exclude-pa-hmdb51', str(layout / 'pa')) == 1
    report = read_report(layout)
    assert report['missing'] == ['climb/Fun_#4_climb_0.avi']
    assert report['broken'] == {'climb/a;b!_climb_2.avi': 'the file is empty'}
    assert report['unlisted'] == ['climb/new_climb_9.avi']
    assert len(read_list(layout, 'hmdb51_train_split_1_videos.txt')) == 1
    assert len(read_list(layout, 'hmdb51_train_without_pa.txt')) == 2
    assert run(converter, layout, '--allow-missing') == 0
    assert run(converter, layout, '--allow-missing', check='header') == 0
    assert len(read_report(layout)['broken']) == 4


@pytest.mark.parametrize('line', ['no_number.avi', 'video.avi 3', '1'])
def test_damaged_line_is_named(converter, layout, capsys, line):
    path = layout / 'splits' / 'climb_test_split1.txt'
    path.write_text(f'ok.avi 1 \n{line} \n')
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and f'Line 2 of {path}' in error and converter.PAGE in error


def test_absent_folders_and_lists_are_one_sentence(converter, layout, capsys):
    def failure(*options):
        assert run(converter, layout, *options) == 2
        error = capsys.readouterr().err
        assert error.count('\n') == 1
        return error

    assert 'climb_test_split2.txt does not exist' in failure('--splits', '2')
    assert 'nowhere holds no <class>_test_split1.txt' in failure(
        '--annotations', str(layout / 'nowhere')
    )
    assert 'PrivacyAttributes by --exclude-pa-hmdb51' in failure(
        '--exclude-pa-hmdb51', str(layout / 'splits')
    )
    (layout / 'pa' / 'climb.json').write_text('{"other.avi": {}}')
    assert 'climb/other.avi; download PA-HMDB51' in failure(
        '--exclude-pa-hmdb51', str(layout / 'pa')
    )
    (layout / 'pa' / 'climb.json').write_text('[')
    assert 'climb.json is not an annotation' in failure('--exclude-pa-hmdb51', str(layout / 'pa'))
    (layout / 'videos').rename(layout / 'archives')
    (layout / 'videos').mkdir()
    assert 'None of the 5 listed videos' in failure()
    (layout / 'videos').rmdir()
    assert converter.PAGE in failure()
    assert not (layout / 'out').exists()


def test_published_lists_have_the_published_counts(converter, shared_data):
    annotations = shared_data / 'annotations' / 'hmdb51'
    classes = converter.read_classes(annotations)
    names = (annotations / 'class_list.txt').read_text().split()
    assert list(classes) == sorted(names) and len(classes) == converter.NUM_CLASSES == 51
    everything = set()
    for split in converter.SPLITS:
        videos = converter.read_split(annotations, split, classes)
        assert len(videos) == converter.NUM_VIDEOS == 6766
        everything |= set(videos)
        for subset, size in converter.SPLIT_SIZES.items():
            listed = [video for video, use in videos.items() if use == subset]
            assert len(listed) == size
            assert {video.split('/')[0] for video in listed} == set(classes)
    assert len(everything) == 6766
    # The list format of MMAction2 cannot hold a space.
    assert not any(' ' in video for video in everything)
    pa_videos = converter.read_pa_videos(
        shared_data / 'annotations' / 'pa_hmdb51' / 'PrivacyAttributes'
    )
    assert len(pa_videos) == converter.NUM_PA_VIDEOS == 515 and everything >= set(pa_videos)
