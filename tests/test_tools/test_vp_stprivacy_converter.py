import importlib.util
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import DATASETS

from spact_mm.datasets import PA_HMDB51_ATTRIBUTES
from spact_mm.datasets.annotation_files import read_attribute_file, write_video_list

ROOT = Path(__file__).resolve().parents[2]
LABELS = {
    'Archery/v_Archery_g01_c01.mp4': [1, 0, 1, 0, 0],
    'Archery/v_Archery_g08_c01.mp4': [0, 0, 0, 0, 0],
    'HandstandPushups/v_HandStandPushups_g08_c01.mp4': [1, 2, 0, 1, 1],
}


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'vp_stprivacy' / 'convert.py'
    spec = importlib.util.spec_from_file_location('vp_stprivacy_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_labels(layout, content):
    path = layout / 'ucf101_privacy_attribute_label.pickle'
    path.write_bytes(pickle.dumps(content, protocol=4))


@pytest.fixture
def layout(tmp_path, converter, monkeypatch):
    """Three videos of UCF101: their pickle, and the lists of the other converter."""
    write_labels(tmp_path, {name: np.array([values]) for name, values in LABELS.items()})
    write_video_list(
        tmp_path / 'ucf101' / 'ucf101_train_split_1_videos.txt',
        [
            ('Archery/v_Archery_g08_c01.avi', 0),
            ('HandStandPushups/v_HandstandPushups_g08_c01.avi', 1),
        ],
    )
    write_video_list(
        tmp_path / 'ucf101' / 'ucf101_val_split_1_videos.txt',
        [('Archery/v_Archery_g01_c01.avi', 0)],
    )
    monkeypatch.setattr(converter, 'NUM_VIDEOS', dict(ucf101=3))
    monkeypatch.setattr(converter, 'SPLIT_SIZES', dict(ucf101={1: (2, 1)}))
    return tmp_path


def run(converter, layout, *options):
    argv = ['--labels', str(layout), '--lists', str(layout), '--out', str(layout / 'out')]
    return converter.main([*argv, '--datasets', 'ucf101', *options])


def read(layout, name):
    content = read_attribute_file(layout / 'out' / name)
    return {item['img_path']: item['attributes'] for item in content['data_list']}


def test_labels_become_attribute_files_of_the_avi_videos(converter, layout):
    assert converter.ATTRIBUTES == PA_HMDB51_ATTRIBUTES[5]
    assert run(converter, layout) == 0
    assert read(layout, 'vp_ucf101.json') == {
        'Archery/v_Archery_g01_c01.avi': ['skin_color', 'gender'],
        'Archery/v_Archery_g08_c01.avi': [],
        'HandstandPushups/v_HandStandPushups_g08_c01.avi': [
            'skin_color',
            'face',
            'nudity',
            'relationship',
        ],
    }
    assert list(read(layout, 'vp_ucf101_val_split_1.json')) == ['Archery/v_Archery_g01_c01.avi']
    # The name is that of the disk, whose case may differ.
    train = read(layout, 'vp_ucf101_train_split_1.json')
    assert len(train['HandStandPushups/v_HandstandPushups_g08_c01.avi']) == 4
    content = read_attribute_file(layout / 'out' / 'vp_ucf101.json')
    assert content['metainfo'] == dict(dataset='VP-UCF101', attributes=list(converter.ATTRIBUTES))


def test_video_attribute_dataset_reads_them(converter, layout):
    assert run(converter, layout) == 0
    (layout / 'videos').mkdir()
    dataset = DATASETS.build(
        dict(
            type='VideoAttributeDataset',
            ann_file='out/vp_ucf101_train_split_1.json',
            data_root=str(layout),
            data_prefix=dict(video='videos'),
            pipeline=[],
        )
    )
    assert dataset.metainfo['classes'] == converter.ATTRIBUTES
    assert [dataset.get_data_info(i)['gt_label'] for i in range(2)] == [[], [0, 1, 3, 4]]


def test_without_splits_no_list_is_needed(converter, layout):
    assert run(converter, layout, '--lists', str(layout / 'nowhere'), '--splits') == 0
    assert [path.name for path in (layout / 'out').glob('*vp_ucf*')] == ['vp_ucf101.json']


def test_listed_video_without_labels_is_reported(converter, layout):
    labels = {name: np.array([values]) for name, values in list(LABELS.items())[1:]}
    write_labels(layout, labels)
    assert run(converter, layout) == 1
    report = json.loads((layout / 'out' / 'vp_stprivacy_report.json').read_text())
    assert report['missing'] == ['Archery/v_Archery_g01_c01.avi']
    assert report['wrong_counts'] == ['vp_ucf101.json']
    assert run(converter, layout, '--allow-missing') == 0


def test_malicious_pickle_is_refused_and_does_not_run(converter, layout, capsys):
    class Malicious:
        def __reduce__(self):
            return os.system, (f'touch {layout}/run',)

    write_labels(layout, {'a/b.mp4': Malicious()})
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'ucf101_privacy_attribute_label.pickle' in error
    assert f'the global {os.system.__module__}.system' in error
    assert not (layout / 'run').exists() and not (layout / 'out').exists()


@pytest.mark.parametrize('values', [[1, 0, 1, 0], [[1.0, 0, 1, 0, 0]], 1])
def test_labels_of_another_shape_are_named(converter, layout, capsys, values):
    write_labels(layout, {'a/b.mp4': np.array(values)})
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'gives a/b.mp4 an array' in error and '5 integers' in error


def test_absent_files_are_one_sentence(converter, layout, capsys):
    (layout / 'ucf101' / 'ucf101_val_split_1_videos.txt').unlink()
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'tools/data/ucf101/convert.py' in error
    (layout / 'ucf101_privacy_attribute_label.pickle').unlink()
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'ucf101_privacy_attribute_label.pickle' in error


def test_published_pickles(converter, shared_data):
    """Counts of the sets; each attribute of PA-HMDB51 correlates most with its column here."""
    folder = shared_data / 'annotations'
    labels = {
        dataset: converter.read_labels(
            folder / 'vp_stprivacy' / f'{dataset}_privacy_attribute_label.pickle'
        )
        for dataset in converter.NUM_VIDEOS
    }
    assert {dataset: len(videos) for dataset, videos in labels.items()} == converter.NUM_VIDEOS
    counts = {
        dataset: [
            sum(attribute in present for present in videos.values())
            for attribute in converter.ATTRIBUTES
        ]
        for dataset, videos in labels.items()
    }
    assert counts == dict(
        hmdb51=[6109, 4194, 6195, 1815, 1431], ucf101=[12143, 7994, 11949, 3289, 3375]
    )
    rows = []
    for path in sorted((folder / 'pa_hmdb51' / 'PrivacyAttributes').glob('*.json')):
        for video, entry in json.loads(path.read_text()).items():
            present = labels['hmdb51'][f'{path.stem}/{video}']
            ours = [attribute in present for attribute in converter.ATTRIBUTES]
            theirs = [any(s[2] != 0 for s in entry[a]) for a in converter.ATTRIBUTES]
            rows.append(ours + theirs)
    correlation = np.corrcoef(np.array(rows, float).T)[:5, 5:]
    assert len(rows) == 515 and correlation.argmax(0).tolist() == [0, 1, 2, 3, 4]
