import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from spact_mm.datasets import VISPR1_ATTRIBUTES, VISPR2_ATTRIBUTES, VISPRDataset
from spact_mm.datasets.annotation_files import read_attribute_file

ROOT = Path(__file__).resolve().parents[2]
ATTRIBUTES = ['a0_safe', 'a4_gender', 'a17_color']
SPLITS = {'train': ['11', '12', '13', '14'], 'val': ['21', '22'], 'test': ['31']}


@pytest.fixture(scope='module')
def converter():
    path = ROOT / 'tools' / 'data' / 'vispr' / 'convert.py'
    spec = importlib.util.spec_from_file_location('vispr_convert', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_image(path, channels=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (24, 32) if channels == 1 else (24, 32, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    extension = '.png' if channels == 4 else '.jpg'
    path.write_bytes(cv2.imencode(extension, pixels)[1].tobytes())


def write_annotation(path, image_path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(id=path.stem, image_path=image_path, labels=labels)))


@pytest.fixture
def layout(tmp_path, converter, monkeypatch):
    """A miniature of the published folders: three attributes, seven images."""
    rows = ['idx\tattribute_id\tgroup\tdescription']
    rows += [f'{i}\t{attribute}\tGroup\tSome words' for i, attribute in enumerate(ATTRIBUTES)]
    (tmp_path / 'attributes.tsv').write_bytes('\r\n'.join(rows).encode())
    for split, ids in SPLITS.items():
        stems = [f'{split}2017/2017_{i}' for i in ids]
        (tmp_path / f'{split}2017.txt').write_text(
            ''.join(f'annotations/{stem}.json\n' for stem in stems)
        )
        for stem in stems:
            write_annotation(
                tmp_path / 'annotations' / f'{stem}.json',
                f'images/{stem}.jpg',
                ['a17_color', 'a4_gender'],
            )
            write_image(tmp_path / 'images' / f'{stem}.jpg')
    monkeypatch.setattr(converter, 'NUM_ATTRIBUTES', len(ATTRIBUTES))
    monkeypatch.setattr(converter, 'SPLIT_SIZES', {k: len(v) for k, v in SPLITS.items()})
    return tmp_path


def run(converter, layout, *options, images='images'):
    argv = ['--images', str(layout / images), '--annotations', str(layout)]
    return converter.main([*argv, '--out', str(layout / 'out'), '--workers', '1', *options])


def read_images(layout, split):
    content = read_attribute_file(layout / 'out' / f'vispr_{split}.json')
    return {item['img_path']: item['attributes'] for item in content['data_list']}


def read_report(layout):
    return json.loads((layout / 'out' / 'vispr_report.json').read_text())


@pytest.mark.parametrize('check', ['none', 'header', 'decode'])
def test_complete_set_gives_all_images_and_attributes_in_order(converter, layout, check):
    assert run(converter, layout, '--check', check) == 0
    content = read_attribute_file(layout / 'out' / 'vispr_train.json')
    assert content['metainfo'] == dict(dataset='VISPR', attributes=ATTRIBUTES)
    for split, ids in SPLITS.items():
        assert read_images(layout, split) == {
            f'{split}2017/2017_{i}.jpg': ['a4_gender', 'a17_color'] for i in ids
        }
    report = read_report(layout)
    assert report['counts']['attributes'] == dict(listed=3, published=3, written=3)
    assert report['counts']['vispr_train.json'] == dict(listed=4, published=4, written=4)


def test_safe_images_keep_their_id(converter, layout):
    annotation = layout / 'annotations/train2017/2017_11.json'
    write_annotation(annotation, 'images/train2017/2017_11.jpg', ['a0_safe'])
    assert run(converter, layout) == 0
    assert read_images(layout, 'train')['train2017/2017_11.jpg'] == ['a0_safe']


def test_image_paths_are_relative_to_the_images_folder(converter, layout):
    assert run(converter, layout, images='.') == 0
    assert set(read_images(layout, 'test')) == {'images/test2017/2017_31.jpg'}


@pytest.mark.parametrize('recorded', ['/data/x/images/test2017/2017_31.jpg', 'moved/2017_31.jpg'])
def test_image_is_found_whatever_the_recorded_folders(converter, layout, recorded):
    annotation = layout / 'annotations/test2017/2017_31.json'
    write_annotation(annotation, recorded, ['a4_gender'])
    if recorded.startswith('moved'):
        folder = layout / 'images/moved'
        folder.mkdir()
        (layout / 'images/test2017/2017_31.jpg').rename(folder / '2017_31.jpg')
    assert run(converter, layout) == 0
    assert set(read_images(layout, 'test')) == {recorded.removeprefix('/data/x/images/')}


@pytest.mark.parametrize('prefix', ['', 'VISPR/annotations/', './annotations/'])
def test_list_entries_may_have_another_prefix(converter, layout, prefix):
    (layout / 'test2017.txt').write_bytes(f'{prefix}test2017/2017_31.json\r\n'.encode())
    assert run(converter, layout) == 0
    assert set(read_images(layout, 'test')) == {'test2017/2017_31.jpg'}


def test_recorded_path_cannot_leave_the_folder(converter, layout):
    write_image(layout / 'secret.jpg')
    assert converter.locate(layout / 'images', '../secret.jpg') is None
    assert converter.locate(layout / 'images', str(layout / 'secret.jpg')) is None


def test_images_of_one_and_four_channels_are_fine(converter, layout):
    write_image(layout / 'images/train2017/2017_11.jpg', channels=1)
    write_image(layout / 'images/train2017/2017_12.jpg', channels=4)
    assert run(converter, layout, '--check', 'decode') == 0
    assert len(read_images(layout, 'train')) == 4


def test_missing_and_broken_files_are_left_out_and_reported(converter, layout, capsys):
    images, annotations = layout / 'images/train2017', layout / 'annotations/train2017'
    (images / '2017_11.jpg').unlink()
    (annotations / '2017_12.json').unlink()
    truncated = images / '2017_13.jpg'
    truncated.write_bytes(truncated.read_bytes()[:-300])
    (annotations.parent / 'val2017/2017_21.json').write_text('{"id": 1')

    assert run(converter, layout, '--check', 'decode') == 1
    assert set(read_images(layout, 'train')) == {'train2017/2017_14.jpg'}
    assert set(read_images(layout, 'val')) == {'val2017/2017_22.jpg'}
    report = read_report(layout)
    assert report['missing'] == [
        'images/train2017/2017_11.jpg',
        'annotations/train2017/2017_12.json',
    ]
    assert set(report['broken']) == {'annotations/val2017/2017_21.json', 'train2017/2017_13.jpg'}
    assert report['unlisted'] == []
    assert '2 missing, left out' in capsys.readouterr().out
    assert run(converter, layout, '--check', 'decode', '--allow-missing') == 0


def test_broken_jpeg_is_found_by_its_header(converter, layout):
    (layout / 'images/test2017/2017_31.jpg').write_bytes(b'<html>404</html>')
    (layout / 'images/val2017/2017_21.jpg').write_bytes(b'')
    assert run(converter, layout, '--splits', 'val', '--check', 'header') == 1
    assert read_report(layout)['broken'] == {'val2017/2017_21.jpg': 'the file is empty'}


def test_unknown_label_is_a_broken_annotation(converter, layout):
    annotation = layout / 'annotations/train2017/2017_11.json'
    write_annotation(annotation, 'images/train2017/2017_11.jpg', ['a999_new'])
    assert run(converter, layout) == 1
    reason = read_report(layout)['broken']['annotations/train2017/2017_11.json']
    assert 'a999_new' in reason and 'attributes.tsv' in reason


def test_wrong_count_and_unlisted_image_are_reported(converter, layout):
    (layout / 'val2017.txt').write_text('annotations/val2017/2017_21.json\n')
    assert run(converter, layout) == 1
    report = read_report(layout)
    assert report['wrong_counts'] == ['vispr_val.json']
    assert report['unlisted'] == ['val2017/2017_22.jpg']


def test_without_labels_only_images_are_needed(converter, layout):
    for path in layout.glob('*.t*'):
        path.unlink()
    (layout / 'annotations').rename(layout / 'gone')
    assert run(converter, layout, '--without-labels') == 0
    assert read_images(layout, 'train') == {f'train2017/2017_{i}.jpg': [] for i in SPLITS['train']}
    content = read_attribute_file(layout / 'out' / 'vispr_train.json')
    assert content['metainfo']['attributes'] == []


def test_without_labels_a_list_is_still_used(converter, layout):
    (layout / 'annotations').rename(layout / 'gone')
    (layout / 'images/train2017/2017_11.jpg').unlink()
    assert run(converter, layout, '--without-labels') == 1
    assert read_report(layout)['missing'] == ['train2017/2017_11.jpg']
    assert len(read_images(layout, 'train')) == 3


@pytest.mark.parametrize('name', ['attributes.tsv', 'train2017.txt'])
def test_missing_list_is_one_sentence(converter, layout, capsys, name):
    (layout / name).unlink()
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and str(layout / name) in error and converter.PAGE in error


def test_missing_image_folder_is_one_sentence(converter, layout, capsys):
    assert run(converter, layout, images='absent') == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'absent' in error and converter.PAGE in error


def test_split_without_any_image_is_one_sentence(converter, layout, capsys):
    (layout / 'images/val2017').rename(layout / 'val')
    assert run(converter, layout) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'val2017' in error
    assert not (layout / 'out').exists()


def test_published_lists_have_the_published_counts(converter, shared_data):
    annotations = shared_data / 'annotations' / 'vispr'
    attributes = converter.read_attributes(annotations)
    assert len(attributes) == len(set(attributes)) == converter.NUM_ATTRIBUTES == 68
    assert (attributes[0], attributes[-1]) == ('a0_safe', 'a104_license_plate_partial')
    assert {'a17_color', 'a4_gender', 'a65_rel_social'} <= set(attributes)
    for split, size in converter.SPLIT_SIZES.items():
        entries = converter.read_split(annotations, split)
        assert len(entries) == len(set(entries)) == size
        assert all(entry.startswith(f'annotations/{split}2017/2017_') for entry in entries)


def test_miniature_of_the_published_set(converter, shared_data, tmp_path):
    """The real attribute file and the first entries of the real lists, with drawn images."""
    source = shared_data / 'annotations' / 'vispr'
    (tmp_path / 'attributes.tsv').write_bytes((source / 'attributes.tsv').read_bytes())
    attributes = converter.read_attributes(source)
    expected = {}
    for split in converter.SPLIT_SIZES:
        entries = (source / f'{split}2017.txt').read_text().splitlines()[:5]
        (tmp_path / f'{split}2017.txt').write_text('\n'.join(entries))
        expected[split] = {}
        for index, entry in enumerate(entries):
            image = entry.replace('annotations/', '').replace('.json', '.jpg')
            labels = [attributes[index], attributes[-1 - index]]
            write_annotation(tmp_path / entry, f'images/{image}', labels)
            write_image(tmp_path / 'images' / image)
            expected[split][image] = labels
    # The counts are not the published ones, and nothing else is amiss.
    assert run(converter, tmp_path, '--check', 'decode') == 1
    report = read_report(tmp_path)
    assert not report['missing'] and not report['broken']
    assert report['counts']['attributes'] == dict(listed=68, published=68, written=68)
    assert {split: read_images(tmp_path, split) for split in expected} == expected


def test_both_attribute_lists_can_be_asked_for(converter, shared_data, layout, monkeypatch):
    """The real attribute file; one image shows the first of VISPR1 and the second of VISPR2."""
    source = shared_data / 'annotations' / 'vispr' / 'attributes.tsv'
    (layout / 'attributes.tsv').write_bytes(source.read_bytes())
    monkeypatch.setattr(converter, 'NUM_ATTRIBUTES', 68)
    labels = [VISPR1_ATTRIBUTES[0], VISPR2_ATTRIBUTES[1], 'a104_license_plate_partial']
    annotation = layout / 'annotations/test2017/2017_31.json'
    write_annotation(annotation, 'images/test2017/2017_31.jpg', labels)
    assert run(converter, layout) == 0
    expected = dict(VISPR1=[0], VISPR2=[1])
    for attributes, present in expected.items():
        dataset = VISPRDataset('vispr_test.json', attributes, data_root=str(layout / 'out'))
        assert len(dataset.metainfo['attributes']) == 68
        assert len(dataset.metainfo['classes']) == 7
        assert dataset.get_data_info(0)['gt_label'] == present
