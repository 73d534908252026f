import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from spact_mm.datasets.annotation_files import write_attribute_file

KNOWN = ['hat', 'glasses', 'beard']
#: Names as in HMDB51, and a space.
VIDEOS = [
    ('run/a b #!(&;.avi', ['beard', 'hat']),
    ('run/b.avi', []),
    ('walk/c.avi', ['glasses']),
]
IDENTITIES = [(path, [name]) for (path, _), name in zip(VIDEOS, KNOWN, strict=True)]
FRAMES = 40
META_KEYS = ('filename', 'video_id', 'frame_index', 'frame_position')


def write_video(path):
    """Write frames of which the i-th has the grey value 5 i, and a red stripe on the left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (64, 48))
    for index in range(FRAMES):
        frame = np.full((48, 64, 3), index * 5, np.uint8)
        frame[:, :16] = (0, 0, 255)
        writer.write(frame)
    writer.release()


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    for path, _ in VIDEOS:
        write_video(folder / 'videos' / path)
    write_attribute_file(folder / 'attributes.json', KNOWN, VIDEOS, dataset='miniature')
    write_attribute_file(folder / 'identities.json', KNOWN, IDENTITIES)
    return folder


def config(root, **settings):
    return dict(
        dict(
            type='VideoAttributeDataset',
            ann_file='attributes.json',
            data_root=str(root),
            data_prefix=dict(video='videos'),
            pipeline=[
                dict(type='LoadVideoFrame'),
                dict(type='mmpretrain.PackInputs', meta_keys=META_KEYS),
            ],
        ),
        **settings,
    )


def build(root, **settings):
    return DATASETS.build(config(root, **settings))


def shown(sample):
    """Return the index of the frame that the image shows."""
    return round(sample['inputs'][:, :, 32:].float().mean().item() / 5)


def test_labels_are_all_attributes_of_the_file(root):
    dataset = build(root)
    assert dataset.metainfo['classes'] == dataset.metainfo['attributes'] == tuple(KNOWN)
    assert dataset.metainfo['dataset'] == 'miniature'
    samples = [dataset[index]['data_samples'] for index in range(len(dataset))]
    assert [x.gt_label.tolist() for x in samples] == [[0, 2], [], [1]]
    assert [x.gt_score.tolist() for x in samples] == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert [x.video_id for x in samples] == ['run/a b #!(&;', 'run/b', 'walk/c']
    assert samples[0].filename == str(root / 'videos' / VIDEOS[0][0])
    assert dataset.get_cat_ids(0) == [0, 2]


def test_labels_follow_the_order_asked_for(root):
    dataset = build(root, attributes=['beard', 'hat'])
    assert dataset.metainfo['classes'] == ('beard', 'hat')
    assert dataset.get_data_info(0)['gt_score'].tolist() == [1, 1]
    assert dataset.get_data_info(2)['gt_score'].tolist() == [0, 0]


def test_test_mode_takes_the_centres_of_equal_parts(root):
    dataset = build(root, frames_per_video=4, test_mode=True)
    samples = [dataset[index] for index in range(len(dataset))]
    assert len(samples) == 12
    assert [x['data_samples'].frame_index for x in samples] == [5, 15, 25, 35] * 3
    assert [x['data_samples'].video_id for x in samples[3:5]] == ['run/a b #!(&;', 'run/b']
    for sample in samples:
        assert shown(sample) == sample['data_samples'].frame_index
        red, green, blue = sample['inputs'][:, 24, 6].tolist()
        assert red > 200 and green < 60 and blue < 60


def test_training_draws_frames_by_seed_and_epoch(root):
    wrapped = dict(type='ReproducibleDataset', dataset=config(root, frames_per_video=20))
    dataset, other = DATASETS.build(wrapped), DATASETS.build(wrapped)

    def draw(dataset, epoch):
        dataset.set_epoch(epoch, seed=3)
        samples = [dataset[index] for index in range(20)]
        assert [shown(s) for s in samples] == [s['data_samples'].frame_index for s in samples]
        return [s['data_samples'].frame_index for s in samples]

    first = draw(dataset, 0)
    assert draw(other, 0) == first != draw(other, 1)
    assert min(first) < FRAMES / 4 and max(first) >= FRAMES * 3 / 4
    assert dataset[0]['data_samples'].frame_position is None


def test_an_index_precedes_the_position(root):
    dataset = build(root, test_mode=True)
    info = dict(dataset.get_data_info(0), frame_index=7)
    sample = dataset.pipeline(info)
    assert sample['data_samples'].frame_index == shown(sample) == 7
    with pytest.raises(ValueError, match=r'a b #!\(&;.avi has no frame 40, as it has 40'):
        dataset.pipeline(dict(info, frame_index=40))


def test_frame_of_a_broken_video_is_an_error_that_names_it(root):
    broken = root / 'videos' / 'broken.avi'
    broken.write_bytes((root / 'videos/run/b.avi').read_bytes()[:3000])
    write_attribute_file(root / 'broken.json', KNOWN, [('broken.avi', []), VIDEOS[0]])
    settings = config(root, ann_file='broken.json', test_mode=True)
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=settings))
    with pytest.raises(RuntimeError, match='broken.avi, cannot be read .*ends after 3,000'):
        dataset[0]
    replaced = DATASETS.build(
        dict(type='ReproducibleDataset', dataset=dict(settings, test_mode=False))
    )[0]['data_samples']
    assert replaced.video_id == 'run/a b #!(&;'
    assert replaced.bad_files[0][0] == str(broken)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmaction'])
def test_a_config_of_either_scope_takes_it(root, scope):
    pipeline = [
        dict(type='LoadVideoFrame', num_threads=1),
        dict(type='SquareCrop', scale=1.0, random=False),
        dict(type='mmpretrain.Resize', scale=(32, 32)),
        dict(type='mmpretrain.PackInputs', meta_keys=META_KEYS),
    ]
    settings = Config(dict(type='ReproducibleDataset', dataset=config(root, pipeline=pipeline)))
    with DefaultScope.overwrite_default_scope(scope):
        dataset = ROOT_DATASETS.build(settings)
        assert dataset[2]['inputs'].shape == (3, 32, 32)
        assert dataset[2]['data_samples'].video_id == 'walk/c'


def test_single_label_is_a_class_index(root):
    dataset = build(root, ann_file='identities.json', single_label=True)
    samples = [dataset[index]['data_samples'] for index in range(3)]
    assert [dataset.get_data_info(index)['gt_label'] for index in range(3)] == [0, 1, 2]
    assert [x.gt_label.tolist() for x in samples] == [[0], [1], [2]]
    assert torch.stack([x.gt_score for x in samples]).tolist() == torch.eye(3).tolist()
    assert dataset.get_cat_ids(1) == [1]


def test_actions_of_the_file_are_in_the_samples(root):
    actions = {path: path.split('/')[0] for path, _ in IDENTITIES}
    write_attribute_file(root / 'actions.json', KNOWN, IDENTITIES, actions=actions)
    pack = dict(type='mmpretrain.PackInputs', meta_keys=('video_id', 'action'))
    settings = dict(
        frames_per_video=2, test_mode=True, pipeline=[dict(type='LoadVideoFrame'), pack]
    )
    dataset = build(root, ann_file='actions.json', single_label=True, **settings)
    found = [dataset[index]['data_samples'].action for index in range(6)]
    assert found == ['run'] * 4 + ['walk'] * 2
    plain = build(root, ann_file='identities.json', single_label=True, **settings)
    assert 'action' not in plain[0]['data_samples']


def test_linear_head_of_mmpretrain_takes_single_labels(root):
    dataset = build(root, ann_file='identities.json', single_label=True)
    batch = pseudo_collate([dataset[index] for index in range(3)])
    head = MODELS.build(
        dict(
            type='mmpretrain.LinearClsHead',
            num_classes=3,
            in_channels=4,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        )
    )
    features = (torch.randn(3, 4),)
    loss = head.loss(features, batch['data_samples'])['loss']
    expected = torch.nn.functional.cross_entropy(head(features), torch.arange(3))
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    'video, present', [('a b #!(&;', "['hat', 'beard']"), ('b.avi', '[]')], ids=['two', 'none']
)
def test_single_label_refuses_other_numbers_of_labels(root, video, present):
    videos = [entry for entry in VIDEOS if video in entry[0]]
    write_attribute_file(root / 'wrong.json', KNOWN, videos)
    with pytest.raises(ValueError) as error:
        build(root, ann_file='wrong.json', single_label=True)
    message = str(error.value)
    assert message.startswith(f'The video {videos[0][0]} of ') and 'wrong.json' in message
    assert f'has the labels {present} instead of exactly one' in message


@pytest.mark.parametrize(
    'settings, error, message',
    [
        (dict(attributes=['hair']), ValueError, r"VideoAttributeDataset .*unknown \['hair'\]"),
        (dict(frames_per_video=0), ValueError, 'frames_per_video .* is 0'),
        (dict(ann_file='absent.json'), FileNotFoundError, 'absent.json does not exist'),
        (dict(data_prefix=dict(video='x')), FileNotFoundError, 'video folder .*data_prefix.video'),
    ],
)
def test_wrong_settings_are_refused(root, settings, error, message):
    with pytest.raises(error, match=message):
        build(root, **settings)
