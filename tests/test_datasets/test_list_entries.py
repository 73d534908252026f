"""Lists of strangers: wrong labels and names of files elsewhere are one sentence."""

import json
import os

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS

from spact_mm.datasets import PAHMDB51Dataset, VideoAttributeDataset, VISPRDataset
from spact_mm.datasets.annotation_files import (
    read_attribute_file,
    write_attribute_file,
    write_segment_file,
    write_video_list,
)
from spact_mm.datasets.transforms import LoadPersonBoxes

PA_NAMES = ['skin_color', 'face', 'gender', 'nudity', 'relationship']


def write_attributes(path, entry):
    meta = dict(dataset='own', attributes=['hat', 'glasses'])
    first = dict(img_path='0.jpg', attributes=['glasses'])
    path.write_text(json.dumps(dict(metainfo=meta, data_list=[first, entry])))
    return path


def videos(root, text, wrapper=None, **settings):
    (root / 'videos').mkdir(exist_ok=True)
    for name in 'abc':
        (root / f'videos/{name}.mp4').touch()
    (root / 'list.txt').write_bytes(text.encode() if isinstance(text, str) else text)
    config = dict(
        type='VideoDataset',
        ann_file='list.txt',
        data_root=str(root),
        data_prefix=dict(video='videos'),
        pipeline=[],
    )
    config = dict(config, **settings)
    return DATASETS.build(dict(type='ReproducibleDataset', dataset=config, **(wrapper or {})))


class TestAttributeFiles:
    @pytest.mark.parametrize(
        'attributes, problem',
        [
            (['hatt'], "the unknown attribute 'hatt'"),
            (['Hat'], "the unknown attribute 'Hat'"),
            (['hat '], "the unknown attribute 'hat '"),
            ([['hat']], r"the unknown attribute \['hat'\]"),
            ([0], 'the unknown attribute 0'),
            ('hat', "attributes = 'hat' in place of a list"),
            ({'hat': 0}, "attributes = {'hat': 0} in place of a list"),
            (None, 'attributes = None in place of a list'),
            (3, 'attributes = 3 in place of a list'),
        ],
    )
    def test_a_wrong_label_is_named_with_those_allowed(self, tmp_path, attributes, problem):
        path = write_attributes(tmp_path / 'a.json', dict(img_path='b.jpg', attributes=attributes))
        where = r"Entry 1 \(from 0\) of data_list in .*a\.json, 'b\.jpg', has "
        with pytest.raises(ValueError, match=f'{where}{problem}.*choose from hat, glasses'):
            read_attribute_file(path)
        with pytest.raises(ValueError, match=problem):
            VISPRDataset(str(path), attributes=['hat'], pipeline=[])

    @pytest.mark.parametrize('entry', [['a.jpg'], 'a.jpg', 3, None, dict(img_path='a.jpg')])
    def test_a_wrong_entry_is_named(self, tmp_path, entry):
        path = write_attributes(tmp_path / 'a.json', entry)
        with pytest.raises(ValueError, match=r'Entry 1 .*a\.json is .* with img_path, attributes'):
            read_attribute_file(path)

    def test_the_first_entry_is_named_too(self, tmp_path):
        content = dict(metainfo=dict(attributes=['hat']), data_list=[['a.jpg']])
        (tmp_path / 'a.json').write_text(json.dumps(content))
        with pytest.raises(ValueError, match=r"Entry 0 .*a\.json is \['a.jpg'\] in place of"):
            read_attribute_file(tmp_path / 'a.json')

    @pytest.mark.parametrize('name', [3, None, '', ' ', 'a\0b', '\ud800', ['a']])
    def test_what_can_be_no_file_is_named(self, tmp_path, name):
        entry = dict(img_path=name, attributes=[])
        with pytest.raises(ValueError, match=r'Entry 1 .*a\.json has '):
            read_attribute_file(write_attributes(tmp_path / 'a.json', entry))

    @pytest.mark.parametrize('names', ['hat', ['hat', 'hat'], ['hat '], [''], [3], {'hat': 1}])
    def test_wrong_names_of_attributes_are_refused(self, tmp_path, names):
        meta = dict(attributes=names)
        entry = dict(img_path='a.jpg', attributes=[])
        path = tmp_path / 'a.json'
        path.write_text(json.dumps(dict(metainfo=meta, data_list=[entry])))
        with pytest.raises(ValueError, match=r'a\.json'):
            read_attribute_file(path)

    def test_deep_nesting_is_one_sentence(self, tmp_path):
        (tmp_path / 'a.json').write_text('[' * 100_000)
        with pytest.raises(ValueError, match=r'a\.json is no JSON \(nested too deeply\)'):
            read_attribute_file(tmp_path / 'a.json')


class TestSegmentFiles:
    @pytest.mark.parametrize(
        'changes, problem',
        [
            (dict(num_frames=-1), 'num_frames = -1'),
            (dict(num_frames='6'), "num_frames = '6'"),
            (dict(num_frames=True), 'num_frames = True'),
            (dict(num_frames=10**12), 'num_frames = 1000000000000'),
            (dict(segments=[]), r'segments of \[\] in place of skin_color'),
            (dict(segments=dict(face=[])), r"segments of \['face'\] in place of skin_color"),
            (dict(face=[[-3, 2, [1]]]), r'segments.face the segment \[-3, 2, \[1\]\]'),
            (dict(face=[[3, 2, [1]]]), r'segments.face the segment \[3, 2, \[1\]\]'),
            (dict(face=[[0, 2, 1]]), r'segments.face the segment \[0, 2, 1\]'),
            (dict(face=[[0, 2, [-1]]]), r'segments.face the segment \[0, 2, \[-1\]\]'),
            (dict(face=[[0, 2.5, [1]]]), r'segments.face the segment \[0, 2.5, \[1\]\]'),
            (dict(face=[[0, 2]]), r'segments.face the segment \[0, 2\]'),
            (dict(face='0'), "segments.face '0' in place of a list"),
        ],
    )
    def test_a_wrong_segment_is_named(self, tmp_path, changes, problem):
        segments = {name: [[0, 5, [1]]] for name in PA_NAMES}
        entry = dict(video='wave/a.avi', num_frames=6, segments=segments)
        for key, value in changes.items():
            (entry if key in entry else segments)[key] = value
        content = dict(metainfo=dict(attributes=PA_NAMES), data_list=[entry])
        (tmp_path / 'pa.json').write_text(json.dumps(content))
        where = r"Entry 0 \(from 0\) of data_list in .*pa\.json, 'wave/a\.avi', has "
        with pytest.raises(ValueError, match=f'{where}(in )?{problem}'):
            PAHMDB51Dataset(str(tmp_path / 'pa.json'), pipeline=[])


class TestVideoLists:
    @pytest.mark.parametrize(
        'line, problem',
        [
            ('b.mp4 -7', "has '-7' in place of a class index"),
            ('b.mp4 99999999999', "has '99999999999' in place of a class index"),
            ('b.mp4 1.0', "has '1.0' in place of a class index"),
            ('b.mp4 1_0', "has '1_0' in place of a class index"),
            ('b.mp4 \u0663', 'in place of a class index'),
            ('b.mp4 wave', "has 'wave' in place of a class index"),
            ('b.mp4', 'has 1 columns in place of 2'),
            ('a b.mp4 1', 'has 3 columns in place of 2'),
            ('b\0.mp4 1', 'which no file can be called'),
        ],
    )
    @pytest.mark.parametrize('end', ['', '\n', '\nc.mp4 0\n'])
    def test_a_wrong_line_is_named(self, tmp_path, line, problem, end):
        with pytest.raises(ValueError, match=f'Line 2 of .*{problem}'):
            videos(tmp_path, f'a.mp4 0\n{line}{end}')

    @pytest.mark.parametrize('rest', ['\n', ' \t', '\nc.mp4 0\n', '\n\n\n'])
    def test_a_blank_line_is_named(self, tmp_path, rest):
        with pytest.raises(ValueError, match='Line 2 of .* is blank'):
            videos(tmp_path, f'a.mp4 0\n{rest}')

    def test_labels_are_below_the_number_of_classes_given(self, tmp_path):
        text = 'a.mp4 0 3\nb.mp4 4\n'
        assert len(videos(tmp_path, text, multi_class=True, num_classes=5)) == 2
        with pytest.raises(ValueError, match=r"Line 2 .* has '4' .*\[0, 4\)"):
            videos(tmp_path, text, multi_class=True, num_classes=4)

    def test_names_alone_are_a_list_to_predict(self, tmp_path):
        assert len(videos(tmp_path, 'a.mp4\nb.mp4\n', test_mode=True)) == 2
        with pytest.raises(ValueError, match='Line 2 .* with a label'):
            videos(tmp_path, 'a.mp4\nb.mp4 1\n', test_mode=True)
        with pytest.raises(ValueError, match='Line 1 .* has 1 columns'):
            videos(tmp_path, 'a.mp4\nb.mp4\n')

    def test_other_delimiters_and_line_ends_are_fine(self, tmp_path):
        assert len(videos(tmp_path, 'a.mp4, 0\r\nb.mp4, 1\r\n', delimiter=',')) == 2

    def test_a_list_that_is_no_text_is_named(self, tmp_path):
        with pytest.raises(ValueError, match=r'list\.txt is no text in UTF-8'):
            videos(tmp_path, b'a.mp4 0\n\xff.mp4 1\n')

    def test_lists_of_frames_are_checked_too(self, tmp_path):
        (tmp_path / 'frames/a').mkdir(parents=True)
        settings = dict(type='RawframeDataset', data_prefix=dict(img='frames'))
        assert len(videos(tmp_path, 'a 20 1\n', **settings)) == 1
        for line, problem in (('a 20 -1', "'-1'"), ('a x 1', "'x'"), ('../../b 20 1', 'leads out')):
            with pytest.raises(ValueError, match=f'Line 1 .*{problem}'):
                videos(tmp_path, f'{line}\n', **settings)


@pytest.mark.parametrize('kind', ['pipe', 'folder', 'device'])
def test_an_annotation_file_that_is_none_is_refused(tmp_path, kind):
    path = tmp_path / 'a.json'
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to('/dev/zero')
    for read in (read_attribute_file, lambda p: LoadPersonBoxes(str(p))):
        with pytest.raises(ValueError, match=rf'a\.json is no file .* a {kind}'):
            read(path)
    with pytest.raises(ValueError, match=rf'a\.json is no file .* a {kind}'):
        videos(tmp_path, 'a.mp4 0\n', ann_file=str(path))


OUTSIDE = ['../a.jpg', 'x/../../a.jpg', '/etc/passwd', '../../etc/passwd', '..']


class TestDataRoot:
    @pytest.mark.parametrize('name', OUTSIDE)
    def test_no_entry_leads_out_of_it(self, tmp_path, name):
        # The data root is its own parent's only folder; the media are in a folder of it.
        root = tmp_path / 'root'
        (root / 'media').mkdir(parents=True)
        prefix = str(root / 'media')
        entry = dict(img_path=name, attributes=['hat'])
        path = str(write_attributes(root / 'a.json', entry))
        for cls, key in ((VISPRDataset, 'img_path'), (VideoAttributeDataset, 'video')):
            settings = dict(attributes=['hat'], data_prefix={key: prefix}, pipeline=[])
            with pytest.raises(ValueError, match=r'Entry 1 .*leads out of the data root .*media'):
                cls(path, **settings)
            assert len(cls(path, allow_outside=True, **settings)) == 2

    @pytest.mark.parametrize('name', ['../../b.mp4', '/dev/zero'])
    def test_no_line_of_a_video_list_leads_out_of_it(self, tmp_path, name):
        text = f'a.mp4 0\n../videos/b.mp4 1\n{name} 1\n'
        with pytest.raises(ValueError, match=r'Line 3 .*leads out of the data root'):
            videos(tmp_path, text)
        assert len(videos(tmp_path, text, wrapper=dict(allow_outside=True))) == 3

    def test_the_option_of_the_wrapper_reaches_our_data_sets(self, tmp_path):
        (tmp_path / 'media').mkdir()
        for name in ('0.jpg', 'b.jpg'):
            (tmp_path / name).touch()
        entry = dict(img_path='../b.jpg', attributes=[])
        config = dict(
            type='VISPRDataset',
            ann_file=str(write_attributes(tmp_path / 'a.json', entry)),
            data_prefix=dict(img_path=str(tmp_path / 'media')),
            pipeline=[],
        )
        with pytest.raises(ValueError, match='leads out of the data root'):
            DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
        wrapper = dict(type='ReproducibleDataset', dataset=config, allow_outside=True)
        assert len(DATASETS.build(wrapper)) == 2

    def test_no_segment_entry_leads_out_of_it(self, tmp_path):
        segments = {name: [[0, 5, [1]]] for name in PA_NAMES}
        entry = dict(video='/etc/passwd', num_frames=6, segments=segments)
        content = dict(metainfo=dict(attributes=PA_NAMES), data_list=[entry])
        (tmp_path / 'pa.json').write_text(json.dumps(content))
        with pytest.raises(ValueError, match=r'Entry 0 .*pa\.json .*leads out of the data root'):
            PAHMDB51Dataset(str(tmp_path / 'pa.json'), pipeline=[])
        assert len(PAHMDB51Dataset(str(tmp_path / 'pa.json'), allow_outside=True, pipeline=[])) == 6

    def test_links_within_it_may_lead_elsewhere(self, tmp_path):
        root = tmp_path / 'root'
        root.mkdir()
        cv2.imwrite(str(tmp_path / 'b.jpg'), np.zeros((8, 8, 3), np.uint8))
        (root / 'b.jpg').symlink_to(tmp_path / 'b.jpg')
        path = write_attributes(root / 'a.json', dict(img_path='b.jpg', attributes=[]))
        dataset = VISPRDataset(
            str(path), data_prefix=dict(img_path=str(root)), pipeline=[dict(type='LoadImageRGB')]
        )
        assert dataset[1]['img'].shape == (8, 8, 3)

    @pytest.mark.parametrize('name', OUTSIDE)
    def test_converters_write_no_such_entry(self, tmp_path, name):
        path = tmp_path / 'out.txt'
        with pytest.raises(ValueError, match=r'out\.txt has .* leads out of the data root'):
            write_video_list(path, [(name, 0)])
        with pytest.raises(ValueError, match=r'out\.txt has .* leads out of the data root'):
            write_attribute_file(path, ['hat'], [(name, [])])
        with pytest.raises(ValueError, match=r'out\.txt has .* leads out of the data root'):
            write_segment_file(path, [], [(name, 6, {})])
        assert not path.exists()
