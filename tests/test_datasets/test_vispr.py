import json

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmpretrain.registry import MODELS
from PIL import Image

from spact_mm.datasets import VISPR1_ATTRIBUTES, VISPR2_ATTRIBUTES
from spact_mm.datasets.annotation_files import write_attribute_file

KNOWN = ['a1', 'a2', 'a3']
IMAGES = [
    ('train/2017_1.jpg', ['a3', 'a1']),
    ('train/2017_2.jpg', []),
    ('train/2017_3.jpg', ['a2']),
]


@pytest.fixture
def root(tmp_path):
    for path, _ in IMAGES:
        (tmp_path / 'images' / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (40, 30), (10, 20, 30)).save(tmp_path / 'images' / path)
    write_attribute_file(tmp_path / 'train.json', KNOWN, IMAGES, dataset='miniature')
    return tmp_path


def build(root, **settings):
    config = dict(
        type='VISPRDataset',
        ann_file='train.json',
        data_root=str(root),
        data_prefix=dict(img_path='images'),
        pipeline=[dict(type='LoadImageRGB'), dict(type='mmpretrain.PackInputs')],
    )
    return DATASETS.build(dict(config, **settings))


def test_without_attributes_there_are_no_labels(root):
    dataset = build(root)
    assert len(dataset) == 3
    info = dataset.get_data_info(0)
    assert info['img_path'] == str(root / 'images/train/2017_1.jpg')
    assert info['img_id'] == '2017_1'
    sample = dataset[0]
    assert 'gt_label' not in sample['data_samples'] and 'gt_score' not in sample['data_samples']
    assert sample['inputs'].shape == (3, 30, 40)
    assert dataset.metainfo == dict(dataset='miniature', attributes=('a1', 'a2', 'a3'))


def test_labels_follow_the_order_asked_for(root):
    dataset = build(root, attributes=['a3', 'a1'])
    assert dataset.metainfo['classes'] == ('a3', 'a1')
    samples = [dataset[index]['data_samples'] for index in range(3)]
    assert [x.gt_label.tolist() for x in samples] == [[0, 1], [], []]
    assert [x.gt_score.tolist() for x in samples] == [[1, 1], [0, 0], [0, 0]]
    assert dataset.get_cat_ids(0) == [0, 1] and dataset.get_cat_ids(1) == []


def test_multi_label_head_of_mmpretrain_takes_the_labels(root):
    dataset = build(root, attributes=KNOWN)
    batch = pseudo_collate([dataset[index] for index in range(3)])
    head = MODELS.build(
        dict(
            type='mmpretrain.MultiLabelLinearClsHead',
            num_classes=3,
            in_channels=4,
            loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
        )
    )
    features = torch.randn(3, 4)
    loss = head.loss((features,), batch['data_samples'])['loss']
    targets = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        head((features,)), targets, reduction='sum'
    )
    torch.testing.assert_close(loss, expected / 3)


def test_named_lists(root):
    assert len(VISPR1_ATTRIBUTES) == len(VISPR2_ATTRIBUTES) == 7
    assert VISPR1_ATTRIBUTES[:3] == ('a17_color', 'a4_gender', 'a9_face_complete')
    write_attribute_file(root / 'train.json', VISPR1_ATTRIBUTES, [(IMAGES[0][0], ['a4_gender'])])
    dataset = build(root, attributes='VISPR1')
    assert dataset.metainfo['classes'] == VISPR1_ATTRIBUTES
    assert np.flatnonzero(dataset.get_data_info(0)['gt_score']).tolist() == [1]
    with pytest.raises(ValueError, match="'VISPR3'; give a list of ids or one of"):
        build(root, attributes='VISPR3')


def test_named_lists_are_attributes_of_the_real_data(shared_data):
    table = (shared_data / 'annotations/vispr/attributes.tsv').read_text()
    ids = {cell for line in table.splitlines() for cell in line.split('\t')}
    assert set(VISPR1_ATTRIBUTES + VISPR2_ATTRIBUTES) <= ids


@pytest.mark.parametrize(
    'attributes, problem',
    [(['a1', 'a9'], r"the unknown \['a9'\]"), ([], 'none'), (['a1'] * 2, 'twice')],
)
def test_bad_attributes_are_named_with_the_known_ones(root, attributes, problem):
    with pytest.raises(ValueError, match=f'attributes .*{problem}.*train.json: a1, a2, a3'):
        build(root, attributes=attributes)


def test_missing_annotation_file_is_named(root):
    with pytest.raises(FileNotFoundError, match='absent.json does not exist'):
        build(root, ann_file='absent.json')


@pytest.mark.parametrize(
    'content', ['', '{}', json.dumps(dict(metainfo=dict(attributes=[]), data_list=[]))]
)
def test_empty_annotation_file_is_named(root, content):
    (root / 'train.json').write_text(content)
    with pytest.raises(ValueError, match='train.json'):
        build(root)


def test_missing_image_folder_is_named(root):
    with pytest.raises(FileNotFoundError, match='elsewhere does not exist.*data_prefix.img_path'):
        build(root, data_prefix=dict(img_path='elsewhere'))
