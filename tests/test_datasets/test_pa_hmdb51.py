import json

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, METRICS
from mmengine.dataset import pseudo_collate
from mmpretrain.registry import MODELS

from spact_mm.datasets import PA_HMDB51_ATTRIBUTES, VISPR1_ATTRIBUTES, VISPR1_COLUMNS
from spact_mm.datasets.annotation_files import read_segment_file, write_segment_file

ATTRIBUTES = PA_HMDB51_ATTRIBUTES[5]
VIDEO = 'hug/Some_[clip]_#1!_(2)_hug_0.avi'


def segments(**changes):
    """Six frames: skin 2 throughout; a face, partial then complete; a woman and a man from 3 on."""
    default = dict(
        skin_color=[(0, 5, [2])],
        face=[(0, 1, [0]), (2, 3, [1]), (4, 5, [2])],
        gender=[(0, 2, [0]), (3, 5, [1, 2])],
        nudity=[(0, 5, [0])],
        relationship=[(0, 4, [0]), (5, 5, [1])],
    )
    return dict(default, **changes)


def build(tmp_path, videos=None, **settings):
    videos = videos or [(VIDEO, 6, segments())]
    write_segment_file(tmp_path / 'pa.json', ATTRIBUTES, videos)
    config = dict(type='PAHMDB51Dataset', ann_file='pa.json', data_root=str(tmp_path), pipeline=[])
    return DATASETS.build(dict(config, **settings))


def labels(dataset):
    return [dataset.get_data_info(index)['gt_label'] for index in range(len(dataset))]


def test_every_frame_has_its_own_labels(tmp_path):
    dataset = build(tmp_path)
    assert dataset.metainfo['classes'] == ATTRIBUTES
    assert labels(dataset) == [[0], [0], [0, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2, 4]]
    info = dataset.get_data_info(3)
    assert info['filename'] == str(tmp_path / VIDEO)
    assert info['video_id'] == VIDEO.removesuffix('.avi') and info['frame_index'] == 3
    assert info['gt_score'].tolist() == [1, 1, 1, 0, 0] and info['gt_score'].dtype == np.float32
    assert dataset.get_cat_ids(3) == [0, 1, 2]


def test_variant_6_tells_complete_from_partial_faces(tmp_path):
    dataset = build(tmp_path, variant=6)
    names = dataset.metainfo['classes']
    assert names == PA_HMDB51_ATTRIBUTES[6] and len(names) == 6
    faces = [{names[i] for i in row if names[i].startswith('face')} for row in labels(dataset)]
    assert faces == [set()] * 2 + [{'face_partial'}] * 2 + [{'face_complete'}] * 2
    assert [len(row) for row in labels(dataset)] == [1, 1, 2, 3, 3, 4]


def test_a_value_of_any_person_counts(tmp_path):
    changes = dict(gender=[(0, 5, [0, 1])], face=[(0, 5, [1, 2])])
    assert labels(build(tmp_path, [(VIDEO, 6, segments(**changes))]))[0] == [0, 1, 2]
    dataset = build(tmp_path, [(VIDEO, 6, segments(**changes))], variant=6)
    assert labels(dataset)[0] == [0, 1, 2, 3]


def test_frames_without_a_label_are_left_out_or_absent(tmp_path):
    late_and_gap = segments(skin_color=[(2, 5, [1])], face=[(0, 3, [2]), (5, 5, [2])])
    videos = [(VIDEO, 6, segments()), ('wave/b.avi', 6, late_and_gap)]
    dataset = build(tmp_path, videos)
    frames = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [f['frame_index'] for f in frames if 'wave' in f['filename']] == [2, 3, 5]
    counts = {key: dataset.metainfo[key] for key in ('num_videos', 'num_frames', 'num_unlabelled')}
    assert counts == dict(num_videos=2, num_frames=12, num_unlabelled=3)
    kept = build(tmp_path, videos, unlabelled='absent')
    assert len(kept) == 12 and labels(kept)[6:8] == [[1], [1]] and labels(kept)[10] == [0, 2]


def test_overlapping_segments_both_count(tmp_path):
    overlap = segments(face=[(0, 3, [1]), (3, 5, [2])])
    dataset = build(tmp_path, [(VIDEO, 6, overlap)], variant=6)
    assert [row[1:3] == [1, 2] for row in labels(dataset)] == [False] * 3 + [True] + [False] * 2


@pytest.mark.parametrize(('interval', 'expected'), [(2, [0, 2, 4]), (5, [0, 5]), (9, [0])])
def test_frame_interval_takes_every_nth_frame_of_each_video(tmp_path, interval, expected):
    videos = [(VIDEO, 6, segments()), ('wave/b.avi', 6, segments())]
    dataset = build(tmp_path, videos, frame_interval=interval)
    frames = [dataset.get_data_info(i)['frame_index'] for i in range(len(dataset))]
    assert frames == expected * 2
    assert dataset.metainfo['num_frames'] == len(expected) * 2
    everything = build(tmp_path, videos)
    assert labels(dataset) == [labels(everything)[i] for i in expected] * 2


@pytest.fixture
def with_video(tmp_path):
    """Six frames, each brighter than the one before."""
    path = tmp_path / 'videos' / VIDEO
    path.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (32, 32))
    for value in range(6):
        writer.write(np.full((32, 32, 3), 40 * value, np.uint8))
    writer.release()
    pipeline = [
        dict(type='LoadVideoFrame'),
        dict(type='mmpretrain.PackInputs', meta_keys=('video_id', 'frame_index')),
    ]
    settings = dict(data_prefix=dict(video='videos'), pipeline=pipeline, test_mode=True)
    return lambda **more: build(tmp_path, **settings, **more)


def test_pipeline_reads_the_frame_of_the_label(with_video):
    dataset = with_video()
    for index in (0, 4):
        sample = dataset[index]
        assert abs(float(sample['inputs'].float().mean()) - 40 * index) < 4
        assert sample['data_samples'].frame_index == index
        assert sample['data_samples'].gt_score.tolist() == [1, index > 1, index > 2, 0, 0]


def test_attacker_of_vispr1_is_evaluated_by_columns(with_video):
    """A head that says a10_face_partial by the brightness and a64_rel_personal by the darkness."""
    dataset = with_video(with_score=False)
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
            backbone=dict(type='mmpretrain.LeNet5', num_classes=-1),
            head=dict(
                type='mmpretrain.MultiLabelLinearClsHead',
                num_classes=7,
                in_channels=3,
                loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
            ),
        )
    )
    model.extract_feat = lambda inputs, **_: (inputs.float().mean((2, 3)) / 255,)
    with torch.no_grad():
        model.head.fc.weight.zero_()
        model.head.fc.weight[3], model.head.fc.weight[5] = 1, -1
        model.head.fc.bias.fill_(-1)
    metric = METRICS.build(dict(type='PrivacyAttributeMetric', columns=VISPR1_COLUMNS))
    metric.dataset_meta = dataset.metainfo
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([dataset[i] for i in range(6)]))
    metric.process({}, [sample.to_dict() for sample in samples])
    values = metric.evaluate(6)
    # Frames 2 to 5, the brightest, have a face; frame 5, the last of the dark ones, a relationship.
    assert values['privacy/AP_face'] == 1 and values['privacy/count'] == 6
    assert values['privacy/AP_relationship'] == pytest.approx(1 / 6)
    assert values['privacy/cMAP_chance'] == pytest.approx((6 + 4 + 3 + 0 + 1) / 30)


def test_vispr1_columns_name_all_labels_and_use_each_output():
    names = set(PA_HMDB51_ATTRIBUTES[5]) | set(PA_HMDB51_ATTRIBUTES[6])
    assert set(VISPR1_COLUMNS) == names
    used = [c for name in PA_HMDB51_ATTRIBUTES[5] for c in VISPR1_COLUMNS[name]]
    assert sorted(used) == list(range(len(VISPR1_ATTRIBUTES)))
    words = dict(
        skin_color='color',
        face_complete='face_complete',
        face_partial='face_partial',
        nudity='nudity',
        relationship='rel_',
    )
    for name in names:
        for column in VISPR1_COLUMNS[name]:
            assert words.get(name, name) in VISPR1_ATTRIBUTES[column]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(variant=7), 'variant .* is 7; choose 5 or 6'),
        (dict(frame_interval=0), 'frame_interval .* is 0'),
        (dict(frame_interval=2.5), 'frame_interval .* is 2.5'),
        (dict(unlabelled='drop'), "unlabelled .* is 'drop'; choose 'skip' or 'absent'"),
    ],
)
def test_unknown_options_are_named(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, **settings)


def test_missing_folder_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere does not exist; download HMDB51'):
        build(tmp_path, data_prefix=dict(video='nowhere'))
    config = dict(type='PAHMDB51Dataset', pipeline=[])
    with pytest.raises(FileNotFoundError, match=r'absent\.json'):
        DATASETS.build(dict(config, ann_file=str(tmp_path / 'absent.json')))
    write_segment_file(tmp_path / 'other.json', ['face'], [(VIDEO, 6, segments())])
    with pytest.raises(ValueError, match=r'other\.json has the attributes face instead of'):
        DATASETS.build(dict(config, ann_file=str(tmp_path / 'other.json')))
    attributes = dict(metainfo=dict(attributes=[]), data_list=[dict(img_path='a')])
    (tmp_path / 'vispr.json').write_text(json.dumps(attributes))
    with pytest.raises(ValueError, match=r'vispr\.json is not a frame-wise annotation file'):
        read_segment_file(tmp_path / 'vispr.json')
