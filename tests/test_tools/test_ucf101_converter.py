import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'ucf101' / 'convert.py'
    spec = importlib.util.spec_from_file_location('ucf101_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_video(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (32, 24))
    for value in range(6):
        writer.write(np.full((24, 32, 3), 40 * value, np.uint8))
    writer.release()


TRAIN = [
    'Archery/v_Archery_g08_c01.avi 1',
    'Archery/v_Archery_g09_c01.avi 1',
    'HandstandPushups/v_HandStandPushups_g08_c01.avi 2',
    'YoYo/v_YoYo_g08_c01.avi 3',
]
TEST = [
    'Archery/v_Archery_g01_c01.avi',
    'HandstandPushups/v_HandStandPushups_g01_c01.avi',
    'YoYo/v_YoYo_g01_c01.avi',
]


@pytest.fixture
def layout(tmp_path, converter, monkeypatch):
    """A miniature of the published folders, three classes and seven videos, with CRLF lists."""
    annotations = tmp_path / 'ucfTrainTestlist'
    annotations.mkdir()
    lists = {
        'classInd.txt': ['1 Archery', '2 HandstandPushups', '3 YoYo'],
        'trainlist01.txt': TRAIN,
        'testlist01.txt': TEST,
    }
    for name, lines in lists.items():
        (annotations / name).write_bytes(''.join(f'{line}\r\n' for line in lines).encode())
    for line in TRAIN + TEST:
        write_video(tmp_path / 'UCF-101' / line.split()[0])
    monkeypatch.setattr(converter, 'NUM_CLASSES', 3)
    monkeypatch.setattr(converter, 'NUM_VIDEOS', 7)
    monkeypatch.setattr(converter, 'SPLIT_SIZES', {1: (4, 3)})
    return tmp_path


def run(converter, layout, *options):
    argv = ['--videos', str(layout / 'UCF-101'), '--annotations', str(layout / 'ucfTrainTestlist')]
    argv += ['--out', str(layout / 'out'), '--workers', '1', *options]
    return converter.main(argv)


def read_list(layout, subset):
    return (layout / 'out' / f'ucf101_{subset}_split_1_videos.txt').read_text().splitlines()


def read_report(layout):
    return json.loads((layout / 'out' / 'ucf101_report.json').read_text())


@pytest.mark.parametrize('check', ['none', 'header', 'decode'])
def test_complete_set_gives_zero_based_lists(converter, layout, check, capsys):
    assert run(converter, layout, '--check', check) == 0
    assert read_list(layout, 'train') == [
        'Archery/v_Archery_g08_c01.avi 0',
        'Archery/v_Archery_g09_c01.avi 0',
        'HandstandPushups/v_HandStandPushups_g08_c01.avi 1',
        'YoYo/v_YoYo_g08_c01.avi 2',
    ]
    assert [line.split()[1] for line in read_list(layout, 'val')] == ['0', '1', '2']
    report = read_report(layout)
    assert report['counts']['videos'] == dict(listed=7, published=7, written=7)
    assert not report['missing'] and not report['broken'] and report['check'] == check
    assert 'complete' in capsys.readouterr().out


def test_names_on_disk_may_differ_in_case(converter, layout):
    folder = layout / 'UCF-101' / 'HandstandPushups'
    name = 'v_HandStandPushups_g08_c01.avi'
    (folder / name).rename(folder / 'v_HandstandPushups_g08_c01.avi')
    folder.rename(layout / 'UCF-101' / 'HandStandPushups')
    assert run(converter, layout) == 0
    assert 'HandStandPushups/v_HandstandPushups_g08_c01.avi 1' in read_list(layout, 'train')
    assert 'HandStandPushups/v_HandStandPushups_g01_c01.avi 1' in read_list(layout, 'val')


def test_missing_and_broken_videos_are_left_out_and_reported(converter, layout, capsys):
    videos = layout / 'UCF-101'
    (videos / 'Archery/v_Archery_g08_c01.avi').unlink()
    (videos / 'Archery/v_Archery_g09_c01.avi').write_bytes(b'')
    truncated = videos / 'YoYo/v_YoYo_g08_c01.avi'
    truncated.write_bytes(truncated.read_bytes()[:-500])
    (videos / 'YoYo/v_YoYo_g01_c01.avi').write_bytes(b'<html>404</html>' * 50)

    assert run(converter, layout) == 1
    assert read_list(layout, 'train') == ['HandstandPushups/v_HandStandPushups_g08_c01.avi 1']
    assert len(read_list(layout, 'val')) == 2
    report = read_report(layout)
    assert report['missing'] == ['Archery/v_Archery_g08_c01.avi']
    assert sorted(report['broken']) == [
        'Archery/v_Archery_g09_c01.avi',
        'YoYo/v_YoYo_g01_c01.avi',
        'YoYo/v_YoYo_g08_c01.avi',
    ]
    assert report['counts']['videos'] == dict(listed=7, published=7, written=3)
    printed = capsys.readouterr()
    assert '1 missing, left out' in printed.out and '3 broken, left out' in printed.out
    assert 'Traceback' not in printed.err
    assert run(converter, layout, '--allow-missing') == 0


def test_without_a_check_only_empty_and_missing_videos_are_noticed(converter, layout):
    (layout / 'UCF-101/YoYo/v_YoYo_g08_c01.avi').write_bytes(b'<html>404</html>')
    assert run(converter, layout, '--check', 'none') == 0
    assert run(converter, layout, '--check', 'header') == 1


def test_unlisted_videos_are_a_note(converter, layout):
    write_video(layout / 'UCF-101/YoYo/v_YoYo_g99_c01.avi')
    (layout / 'UCF-101/YoYo/._v_YoYo_g01_c01.avi').touch()
    assert run(converter, layout) == 0
    assert read_report(layout)['unlisted'] == ['YoYo/v_YoYo_g99_c01.avi']


def test_wrong_count_is_reported(converter, layout, capsys):
    path = layout / 'ucfTrainTestlist' / 'trainlist01.txt'
    path.write_text('\n'.join(TRAIN[:-1]))
    assert run(converter, layout) == 1
    counts = read_report(layout)['counts']['ucf101_train_split_1_videos.txt']
    assert counts == dict(listed=3, published=4, written=3)
    assert '3 listed, 3 written, but 4 are published' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['classInd.txt', 'trainlist01.txt', 'testlist01.txt'])
def test_missing_or_empty_list_is_one_sentence(converter, layout, capsys, name):
    path = layout / 'ucfTrainTestlist' / name
    for damage in (lambda: path.write_text(''), path.unlink):
        damage()
        assert run(converter, layout) == 2
        error = capsys.readouterr().err
        assert error.count('\n') == 1 and str(path) in error and converter.PAGE in error
    assert not (layout / 'out').exists()


def test_missing_video_folder_is_one_sentence(converter, layout, capsys):
    (layout / 'UCF-101').rename(layout / 'elsewhere')
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and converter.PAGE in error and 'UCF-101' in error


def test_folder_without_any_listed_video_is_one_sentence(converter, layout, capsys):
    (layout / 'UCF-101').rename(layout / 'real')
    (layout / 'UCF-101').mkdir()
    (layout / 'real').rename(layout / 'UCF-101' / 'UCF-101')
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'None of the 7 listed videos' in error


@pytest.mark.parametrize(
    ('line', 'part'),
    [
        ('Archery/v_Archery_g08_c01.avi 3', 'classInd.txt says 1'),
        ('Juggling/v_Juggling_g08_c01.avi 1', 'not in classInd.txt'),
    ],
)
def test_line_that_contradicts_the_classes_is_named(converter, layout, capsys, line, part):
    path = layout / 'ucfTrainTestlist' / 'trainlist01.txt'
    path.write_text(f'{TRAIN[0]}\n{line}\n')
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert f'Line 2 of {path}' in error and part in error


def test_published_lists_have_the_published_counts(converter, shared_data):
    annotations = shared_data / 'annotations' / 'ucf101'
    classes = converter.read_classes(annotations)
    assert len(classes) == converter.NUM_CLASSES == 101
    assert (classes['ApplyEyeMakeup'], classes['YoYo']) == (0, 100)
    for split, sizes in converter.SPLIT_SIZES.items():
        train = converter.read_split(annotations / f'trainlist{split:02d}.txt', classes)
        test = converter.read_split(annotations / f'testlist{split:02d}.txt', classes)
        assert (len(train), len(test)) == sizes
        assert len({video for video, _ in train + test}) == converter.NUM_VIDEOS == 13320
        assert {label for _, label in train} == {label for _, label in test} == set(range(101))


@pytest.mark.slow
def test_miniature_of_the_published_set(converter, shared_data, tmp_path):
    """One group a class of the real lists; one real video, the others drawn."""
    source = shared_data / 'annotations' / 'ucf101'
    annotations = tmp_path / 'ucfTrainTestlist'
    annotations.mkdir()
    (annotations / 'classInd.txt').write_bytes((source / 'classInd.txt').read_bytes())
    sizes = {}
    for name, group in (('trainlist01.txt', '_g08_c01'), ('testlist01.txt', '_g01_c01')):
        lines = [line for line in (source / name).read_text().splitlines() if group in line]
        (annotations / name).write_text('\n'.join(lines))
        sizes[name] = len(lines)
        write_video(tmp_path / 'drawn.avi')
        for line in lines:
            video = tmp_path / 'UCF-101' / line.split()[0]
            video.parent.mkdir(parents=True, exist_ok=True)
            video.write_bytes((tmp_path / 'drawn.avi').read_bytes())
    clip = 'v_ApplyEyeMakeup_g01_c01.avi'
    real = (shared_data / 'clips' / clip).read_bytes()
    (tmp_path / 'UCF-101' / 'ApplyEyeMakeup' / clip).write_bytes(real)

    # The counts are not the published ones, and nothing else is amiss.
    assert run(converter, tmp_path, '--splits', '1', '--check', 'decode') == 1
    report = read_report(tmp_path)
    assert not report['missing'] and not report['broken']
    assert report['counts']['classes'] == dict(listed=101, published=101, written=101)
    assert len(read_list(tmp_path, 'train')) == sizes['trainlist01.txt'] == 101
    assert 'HandstandPushups/v_HandStandPushups_g08_c01.avi 36' in read_list(tmp_path, 'train')
    assert f'ApplyEyeMakeup/{clip} 0' in read_list(tmp_path, 'val')
