import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from PIL import Image

from spact_mm.datasets.transforms import FlipOrErase, LoadPersonBoxes, SquareCrop
from spact_mm.models import AnonymizedActionPreprocessor, AnonymizedImagePreprocessor

VIDEO = 'Wave/v_a.avi'


def write_boxes(tmp_path, frames, name=VIDEO, size=(20, 10), **header):
    video = dict(width=size[0], height=size[1], frames=frames)
    content = dict(dict(version=1, videos={name: video}), **header)
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(content))
    return str(path)


def make_clip(indices=(0,), size=(20, 10), **keys):
    frames = [np.zeros((size[1], size[0], 3), np.uint8) for _ in indices]
    return dict(
        dict(filename=f'data/videos/{VIDEO}', imgs=frames, frame_inds=np.array(indices)), **keys
    )


class TestLoadPersonBoxes:
    def load(self, path, clip, **settings):
        return LoadPersonBoxes(path, **settings)(clip)['person_boxes']

    def test_boxes_are_fractions_in_the_order_of_the_frames(self, tmp_path):
        frames = {'0': [[0, 0, 10, 5, 0.9]], '3': [[5, 1, 20, 10, 1], [0, 0, 2, 1, 0.2]], '4': []}
        path = write_boxes(tmp_path, frames)
        first, second, third, fourth = self.load(path, make_clip([3, 0, 4, 3]))
        np.testing.assert_allclose(first, [[0.25, 0.1, 1, 1], [0, 0, 0.1, 0.1]], rtol=1e-6)
        np.testing.assert_allclose(second, [[0, 0, 0.5, 0.5]], rtol=1e-6)
        assert third.shape == (0, 4)
        np.testing.assert_array_equal(fourth, first)
        assert first.dtype == second.dtype == third.dtype == np.float32

    def test_low_scores_are_left_out_and_boxes_cut_at_the_frame(self, tmp_path):
        frames = {'0': [[-5, -1, 10, 50, 0.5], [0, 0, 2, 1, 0.49], [21, 0, 30, 5, 1]]}
        (boxes,) = self.load(write_boxes(tmp_path, frames), make_clip(), min_score=0.5)
        np.testing.assert_allclose(boxes, [[0, 0, 0.5, 1]])

    @pytest.mark.parametrize('header, count', [({}, 0), (dict(absent_frames='earlier'), 1)])
    def test_absent_frames_show_nobody_or_what_was_there_before(self, tmp_path, header, count):
        frames = {'2': [[0, 0, 2, 1, 1]], '6': [], '10': [[0, 0, 4, 1, 1]]}
        path = write_boxes(tmp_path, frames, **header)
        boxes = self.load(path, make_clip([0, 1, 2, 5, 6, 9, 50]))
        assert [len(x) for x in boxes] == [0, 0, 1, count, 0, 0, count]
        if count:
            np.testing.assert_allclose(boxes[-1], [[0, 0, 0.2, 0.1]])

    def test_raw_frames_count_from_their_start_index(self, tmp_path):
        path = write_boxes(tmp_path, {'0': [[0, 0, 2, 1, 1]]})
        clip = make_clip([1, 2], start_index=1)
        clip['frame_dir'] = clip.pop('filename')
        assert [len(x) for x in self.load(path, clip)] == [1, 0]

    def test_an_image_is_frame_0(self, tmp_path):
        path = write_boxes(tmp_path, {'0': [[0, 0, 2, 1, 1]]}, name='a.jpg')
        results = dict(img_path='/x/images/a.jpg', img=np.zeros((4, 4, 3), np.uint8))
        np.testing.assert_allclose(self.load(path, results), [[[0, 0, 0.1, 0.1]]])

    def test_a_single_frame_of_a_video_has_its_own_boxes(self, tmp_path):
        path = write_boxes(tmp_path, {'0': [], '7': [[0, 0, 2, 1, 1]]})
        results = dict(filename=VIDEO, img=np.zeros((4, 4, 3), np.uint8), frame_index=7)
        np.testing.assert_allclose(self.load(path, results), [[[0, 0, 0.1, 0.1]]])

    def test_the_longest_end_of_the_path_is_found(self, tmp_path):
        video = dict(width=10, height=10)
        videos = {
            'v_a.avi': dict(video, frames={}),
            VIDEO: dict(video, frames={'0': [[0, 0, 2, 1, 1]]}),
        }
        path = write_boxes(tmp_path, {}, videos=videos)
        assert len(self.load(path, make_clip())[0]) == 1
        assert len(self.load(path, make_clip(filename='other/v_a.avi'))[0]) == 0

    def test_a_missing_video_is_an_error_or_shows_nobody(self, tmp_path):
        path = write_boxes(tmp_path, {}, name='Wave/v_b.avi')
        with pytest.raises(ValueError, match=f'boxes.json has no boxes for .*{VIDEO}'):
            self.load(path, make_clip())
        boxes = self.load(path, make_clip([0, 7]), missing='none')
        assert [x.shape for x in boxes] == [(0, 4), (0, 4)]

    def test_it_belongs_right_after_decoding(self, tmp_path):
        clip = make_clip([0, 1])
        clip['imgs'] = clip['imgs'] * 3
        with pytest.raises(ValueError, match='right after the decoding'):
            self.load(write_boxes(tmp_path, {}), clip)

    def test_an_absent_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='absent.json does not exist'):
            LoadPersonBoxes(str(tmp_path / 'absent.json'))

    @pytest.mark.parametrize(
        'header', [dict(version=2), dict(videos=[]), dict(absent_frames='later')]
    )
    def test_another_format_is_refused(self, tmp_path, header):
        path = write_boxes(tmp_path, {}, **header)
        with pytest.raises(ValueError, match='boxes.json is no box file'):
            LoadPersonBoxes(path)

    @pytest.mark.parametrize('text', ['', '[1, 2]', '{"version": 1'])
    def test_a_damaged_file_is_refused(self, tmp_path, text):
        path = tmp_path / 'boxes.json'
        path.write_text(text)
        with pytest.raises(ValueError, match='boxes.json is no'):
            LoadPersonBoxes(str(path))

    @pytest.mark.parametrize(
        'frames',
        [
            {'0': [[0, 0, 1, 1]]},
            {'0': [[3, 0, 1, 1, 0.5]]},
            {'0': [[0, 0, float('nan'), 1, 0.5]]},
            {'0': [0, 0, 1, 1, 0.5]},
            {'first': []},
            [],
        ],
    )
    def test_a_wrong_video_is_named(self, tmp_path, frames):
        path = write_boxes(tmp_path, frames)
        with pytest.raises(ValueError, match=f'boxes.json is wrong at the video .{VIDEO}'):
            LoadPersonBoxes(path)

    def test_a_video_without_size_is_named(self, tmp_path):
        path = write_boxes(tmp_path, {}, size=(0, 10))
        with pytest.raises(ValueError, match='width and height must be positive'):
            LoadPersonBoxes(path)

    def test_an_unknown_choice_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="missing of LoadPersonBoxes is 'skip'"):
            LoadPersonBoxes(write_boxes(tmp_path, {}), missing='skip')


def painted(box, size=(40, 30), count=2):
    """A clip whose box (pixels) is white, and the box as fractions."""
    x1, y1, x2, y2 = box
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[y1:y2, x1:x2] = 255
    fractions = np.array([box], np.float32) / np.array([*size, *size], np.float32)
    return dict(imgs=[frame] * count, person_boxes=[fractions] * count)


def box_of(frame):
    """The white part of a frame, as fractions."""
    rows, columns = (np.flatnonzero(frame[..., 0].max(axis)) for axis in (1, 0))
    height, width = frame.shape[:2]
    return [
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    ]


class TestGeometry:
    @pytest.mark.parametrize('seed', range(8))
    @pytest.mark.parametrize('size', [(40, 30), (30, 40)])
    def test_boxes_stay_on_what_they_frame(self, seed, size):
        np.random.seed(seed)
        results = painted((12, 10, 26, 24), size)
        pipeline = [SquareCrop(scale=(0.5, 1)), FlipOrErase(flip=1, erase=0)]
        results = Compose(pipeline)(results)
        assert len(results['person_boxes']) == 2
        for frame, boxes in zip(results['imgs'], results['person_boxes'], strict=True):
            np.testing.assert_allclose(boxes, [box_of(frame)], atol=1e-6)

    def test_boxes_outside_the_crop_are_dropped(self):
        results = SquareCrop(scale=0.5, random=False)(painted((0, 0, 5, 5)))
        assert [x.shape for x in results['person_boxes']] == [(0, 4), (0, 4)]

    def test_erasing_leaves_the_boxes(self):
        before = painted((12, 10, 26, 24))
        boxes = [x.copy() for x in before['person_boxes']]
        after = FlipOrErase(flip=0, erase=1, erase_size=(3, 5))(before)
        np.testing.assert_array_equal(after['person_boxes'], boxes)

    def test_frames_without_persons_pass(self):
        results = painted((12, 10, 26, 24))
        results['person_boxes'] = [np.zeros((0, 4), np.float32)] * 2
        results = Compose([SquareCrop(), FlipOrErase(flip=1, erase=0)])(results)
        assert [x.shape for x in results['person_boxes']] == [(0, 4), (0, 4)]

    def test_nothing_is_added_where_there_are_no_boxes(self):
        results = painted((12, 10, 26, 24))
        del results['person_boxes']
        results = Compose([SquareCrop(), FlipOrErase(flip=1, erase=0)])(results)
        assert 'person_boxes' not in results


def moving_square(path, num_frames=30, size=64, side=16):
    """A video of a white square that moves to the right, and its boxes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (size, size))
    frames = {}
    for index in range(num_frames):
        image = np.full((size, size, 3), 40, np.uint8)
        image[24 : 24 + side, index : index + side] = 255
        writer.write(image)
        # A margin for the compression, which works in blocks.
        frames[str(index)] = [[index - 8, 16, index + side + 8, 32 + side, 1.0]]
    writer.release()
    return frames


@pytest.mark.parametrize('format_shape', ['NCTHW', 'NCHW'])
def test_persons_of_all_frames_are_covered_from_the_video_to_the_model(tmp_path, format_shape):
    (tmp_path / 'Wave').mkdir()
    frames = moving_square(tmp_path / VIDEO)
    pipeline = Compose(
        [
            dict(type='DecordInitFromPath'),
            dict(type='ReflectSampleFrames', clip_len=4, frame_interval=3, num_clips=2),
            dict(type='DecordDecode'),
            dict(type='LoadPersonBoxes', box_file=write_boxes(tmp_path, frames, size=(64, 64))),
            dict(type='SquareCrop', scale=(0.8, 1.0)),
            dict(type='Resize', scale=(48, 48), keep_ratio=False),
            dict(type='FlipOrErase', flip=0.5, erase=0),
            dict(type='FormatShape', input_format=format_shape),
            dict(type='PackActionInputs', meta_keys=('img_shape', 'person_boxes')),
        ]
    )
    video = dict(filename=str(tmp_path / VIDEO), start_index=0, label=1)
    batch = pseudo_collate([pipeline(dict(video)) for _ in range(3)])
    raw = torch.stack(batch['inputs'])
    assert raw.max() > 200
    preprocessor = AnonymizedActionPreprocessor(
        dict(type='BlackenAnonymizer'), max_frames_per_pass=5, format_shape=format_shape
    )
    out = preprocessor(batch)['inputs']
    assert out.shape == raw.shape
    # White is gone from every frame, and most of the rest is still there.
    assert out.max() < 100
    assert 0.2 < (out > 20).float().mean() < 0.9


def test_persons_of_images_are_covered(tmp_path):
    image = np.full((40, 60, 3), 50, np.uint8)
    image[10:20, 5:25] = 255
    Image.fromarray(image).save(tmp_path / 'a.png')
    path = write_boxes(tmp_path, {'0': [[5, 10, 25, 20, 1]]}, name='a.png', size=(60, 40))
    pipeline = Compose(
        [
            dict(type='LoadImageRGB'),
            dict(type='LoadPersonBoxes', box_file=path),
            dict(type='mmpretrain.Resize', scale=(120, 80)),
            dict(
                type='mmpretrain.PackInputs',
                meta_keys=('img_path', 'person_boxes'),
            ),
        ]
    )
    sample = pipeline(dict(img_path=str(tmp_path / 'a.png')))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocessor = AnonymizedImagePreprocessor(dict(type='BlackenAnonymizer'))
        out = preprocessor(pseudo_collate([sample]))['inputs']
    # Two pixels of the enlarged square's border are blurred beyond it.
    assert (out[0, :, 20:40, 10:50] == 0).all()
    assert out[0, :, 44:].min() > 49 and out[0, :, 44:].max() < 51
