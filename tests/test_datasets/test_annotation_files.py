import json

import pytest

from spact_mm.datasets.annotation_files import (
    read_attribute_file,
    write_attribute_file,
    write_video_list,
)


def test_video_list_is_what_video_dataset_reads(tmp_path):
    from mmaction.datasets import VideoDataset

    path = tmp_path / 'new' / 'list.txt'
    assert write_video_list(path, [('A/v_a.avi', 0), ('B/v_b.avi', 1)]) == 2
    assert path.read_text() == 'A/v_a.avi 0\nB/v_b.avi 1\n'
    dataset = VideoDataset(str(path), pipeline=[], data_prefix=dict(video='root'))
    assert [dataset[i]['label'] for i in range(2)] == [0, 1]
    assert dataset[1]['filename'] == 'root/B/v_b.avi'


def test_video_list_refuses_a_space_and_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match='a b.avi'):
        write_video_list(tmp_path / 'list.txt', [('A/a b.avi', 0)])
    assert list(tmp_path.iterdir()) == []


def test_attribute_file_comes_back_as_written(tmp_path):
    path = tmp_path / 'vispr_train.json'
    images = [('train2017/1.jpg', ['a4_gender']), ('train2017/2.jpg', [])]
    assert write_attribute_file(path, ['a0_safe', 'a4_gender'], images) == 2
    content = read_attribute_file(path)
    assert content['metainfo'] == {'dataset': 'VISPR', 'attributes': ['a0_safe', 'a4_gender']}
    assert content['data_list'] == [
        {'img_path': 'train2017/1.jpg', 'attributes': ['a4_gender']},
        {'img_path': 'train2017/2.jpg', 'attributes': []},
    ]
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_attribute_file_refuses_an_unlisted_attribute(tmp_path):
    with pytest.raises(ValueError, match=r'2\.jpg.*a99_new'):
        write_attribute_file(tmp_path / 'a.json', ['a0_safe'], [('2.jpg', ['a99_new'])])


@pytest.mark.parametrize(
    'content',
    ['', 'no json', '[]', '{}', json.dumps(dict(metainfo=dict(attributes=[]), data_list=[]))],
)
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(
        ValueError, match=r'other\.json is (not an attribute annotation file|no JSON)'
    ):
        read_attribute_file(path)


def test_absent_attribute_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.json.*tools/data'):
        read_attribute_file(tmp_path / 'absent.json')


def test_attribute_file_may_hold_actions(tmp_path):
    path = tmp_path / 'link.json'
    write_attribute_file(path, ['ann'], [('a.avi', ['ann'])], actions={'a.avi': 'run'})
    content = read_attribute_file(path)
    assert content['data_list'] == [dict(img_path='a.avi', attributes=['ann'], action='run')]
    path.write_text(path.read_text().replace('"run"', '["run"]'))
    with pytest.raises(ValueError, match=r"Entry 0 .*'a.avi', has action = \['run'\] in place"):
        read_attribute_file(path)
