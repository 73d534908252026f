import copy
import os
import pickle
import random
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from PIL import Image
from torch.utils.data import DataLoader

from spact_mm.datasets.annotation_files import write_attribute_file, write_video_list
from spact_mm.media.unreadable import UnreadableFileError

NUM_VIDEOS = 6
VIDEO_PIPELINE = [
    dict(type='DecordInitFromPath'),
    dict(type='ReflectSampleFrames', clip_len=4, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='SquareCrop'),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='ClipColorJitter', brightness=(1, 0.5, 1.5)),
    dict(type='FlipOrErase', erase_size=(2, 4)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
IMAGE_PIPELINE = [
    dict(type='LoadImageRGB'),
    dict(
        type='TwoViews',
        transforms=[
            dict(type='SquareCrop'),
            dict(type='Resize', scale=(16, 16), keep_ratio=False),
            dict(type='ClipColorJitter', hue=(1, -0.5, 0.5)),
        ],
    ),
    dict(type='mmpretrain.PackInputs'),
]


@pytest.fixture
def video_root(tmp_path):
    (tmp_path / 'videos').mkdir()
    noise = np.random.RandomState(0)
    for index in range(NUM_VIDEOS):
        fourcc = cv2.VideoWriter_fourcc(*'MJPG')
        writer = cv2.VideoWriter(str(tmp_path / f'videos/v{index}.avi'), fourcc, 25, (32, 24))
        for _ in range(20):
            coarse = noise.randint(0, 256, (3, 4, 3), dtype=np.uint8)
            writer.write(cv2.resize(coarse, (32, 24)))
        writer.release()
    write_video_list(tmp_path / 'list.txt', [(f'v{i}.avi', i) for i in range(NUM_VIDEOS)])
    return tmp_path


@pytest.fixture
def image_root(tmp_path):
    (tmp_path / 'images').mkdir()
    noise = np.random.RandomState(0)
    names = [f'{index}.jpg' for index in range(8)]
    for name in names:
        image = cv2.resize(noise.randint(0, 256, (5, 6, 3), dtype=np.uint8), (60, 50))
        Image.fromarray(image).save(tmp_path / 'images' / name)
    write_attribute_file(tmp_path / 'list.json', ['a1'], [(name, []) for name in names])
    return tmp_path


def video_config(root, **settings):
    config = dict(
        type='VideoDataset',
        ann_file=str(root / 'list.txt'),
        data_prefix=dict(video=str(root / 'videos')),
        pipeline=VIDEO_PIPELINE,
    )
    return dict(config, **settings)


def videos(root, wrapper=None, **settings):
    return DATASETS.build(
        dict(type='ReproducibleDataset', dataset=video_config(root, **settings), **(wrapper or {}))
    )


def images(root, **settings):
    config = dict(
        type='VISPRDataset',
        ann_file=str(root / 'list.json'),
        data_prefix=dict(img_path=str(root / 'images')),
        pipeline=IMAGE_PIPELINE,
    )
    return DATASETS.build(dict(type='ReproducibleDataset', dataset=dict(config, **settings)))


def make_loader(dataset, **settings):
    return DataLoader(dataset, batch_size=2, collate_fn=pseudo_collate, **settings)


def clips(loader):
    return torch.stack([clip for batch in loader for clip in batch['inputs']])


def bad_files(sample):
    return list(sample['data_samples'].get('bad_files', []))


class TestRandomness:
    def test_samples_are_a_function_of_seed_epoch_and_index(self, video_root):
        dataset = videos(video_root)
        draws = {}
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
            dataset.set_epoch(epoch, seed)
            got = clips(make_loader(dataset))
            if (seed, epoch) in draws:
                assert torch.equal(got, draws[seed, epoch])
            draws[seed, epoch] = got
        for one, other in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 0))):
            assert all((a != b).any() for a, b in zip(draws[one], draws[other], strict=True))

    def test_order_does_not_matter(self, video_root):
        dataset = videos(video_root)
        dataset.set_epoch(3, 7)
        forward = [dataset[index]['inputs'] for index in range(NUM_VIDEOS)]
        np.random.rand(5)
        backward = [dataset[index]['inputs'] for index in reversed(range(NUM_VIDEOS))]
        assert all(map(torch.equal, forward, reversed(backward)))
        assert torch.equal(dataset[-1]['inputs'], forward[-1])

    def test_views_of_one_image_differ_and_come_back(self, image_root):
        dataset = images(image_root)
        dataset.set_epoch(0, 0)
        first, second = dataset[0]['inputs']
        assert (first != second).any()
        assert all(map(torch.equal, dataset[0]['inputs'], (first, second)))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        'settings',
        [
            dict(num_workers=2),
            dict(num_workers=2, persistent_workers=True),
            dict(num_workers=1, persistent_workers=True, multiprocessing_context='spawn'),
        ],
        ids=['fork', 'persistent', 'spawn'],
    )
    def test_workers_give_what_the_main_process_gives(self, video_root, settings):
        dataset = videos(video_root)
        expected = []
        for epoch in range(3):
            dataset.set_epoch(epoch, 5)
            expected.append(clips(make_loader(dataset)))
        dataset.set_epoch(9, 9)
        loader = make_loader(dataset, **settings)
        for epoch in range(3):
            dataset.set_epoch(epoch, 5)
            assert torch.equal(clips(loader), expected[epoch])

    def test_all_three_generators_are_seeded_and_restored(self, video_root):
        def draw(results):
            return dict(draw=(random.random(), np.random.rand(), torch.rand(1).item()))

        dataset = videos(video_root, pipeline=[draw])
        dataset.set_epoch(0, 0)
        first, second = dataset[0]['draw'], dataset[1]['draw']
        assert all(a != b for a, b in zip(first, second, strict=True))
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        undisturbed = draw(None)
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        assert dataset[0]['draw'] == first
        assert draw(None) == undisturbed

    def test_generators_are_restored_after_an_error(self, video_root):
        (video_root / 'videos/v0.avi').write_bytes(b'')
        dataset = videos(video_root, wrapper=dict(on_bad='raise'))
        dataset.set_epoch(0, 0)
        np.random.seed(1)
        before = np.random.get_state()[1].copy()
        with pytest.raises(RuntimeError):
            dataset[0]
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_randomness_is_left_alone_until_an_epoch_is_set(self, video_root):
        dataset = videos(video_root)
        assert (dataset[0]['inputs'] != dataset[0]['inputs']).any()
        np.random.seed(1)
        first = dataset[0]['inputs']
        np.random.seed(1)
        assert torch.equal(dataset[0]['inputs'], first)

    def test_repetitions_are_augmented_differently(self, video_root):
        repeated = dict(type='RepeatDataset', times=2, dataset=video_config(video_root))
        dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=repeated))
        dataset.set_epoch(0, 0)
        assert len(dataset) == 2 * NUM_VIDEOS
        assert (dataset[0]['inputs'] != dataset[NUM_VIDEOS]['inputs']).any()


class TestBadFiles:
    @pytest.mark.parametrize('content', [b'', b'no video at all'])
    def test_broken_video_is_replaced_and_reported(self, video_root, content):
        path = video_root / 'videos/v2.avi'
        path.write_bytes(content)
        dataset = videos(video_root)
        dataset.set_epoch(0, 0)
        samples = [dataset[index] for index in range(NUM_VIDEOS)]
        labels = [sample['data_samples'].gt_label.item() for sample in samples]
        assert labels[2] != 2 and labels[:2] + labels[3:] == [0, 1, 3, 4, 5]
        reports = [bad_files(sample) for sample in samples]
        assert [len(report) for report in reports] == [0, 0, 1, 0, 0, 0]
        name, reason = reports[2][0]
        assert name == str(path) and 'empty or no video' in reason

    def test_replacement_is_a_function_of_seed_epoch_and_index(self, video_root):
        (video_root / 'videos/v2.avi').write_bytes(b'')
        dataset = videos(video_root)
        chosen = []
        for epoch in range(12):
            dataset.set_epoch(epoch, 0)
            first, again = dataset[2], dataset[2]
            assert torch.equal(first['inputs'], again['inputs'])
            chosen.append(first['data_samples'].gt_label.item())
        assert len(set(chosen)) > 2

    def test_truncated_avi_is_reported_by_worker_processes(self, video_root):
        path = video_root / 'videos/v4.avi'
        path.write_bytes(path.read_bytes()[:2500])
        dataset = videos(video_root)
        dataset.set_epoch(0, 0)
        loader = make_loader(dataset, num_workers=2)
        found = [x for batch in loader for x in batch['data_samples'] if x.get('bad_files')]
        assert len(found) == 1
        assert 'ends after 2,500 of' in found[0].bad_files[0][1]

    def test_video_that_breaks_while_it_is_decoded(self, video_root):
        path = video_root / 'videos/v1.avi'
        content = bytearray(path.read_bytes())
        # The container stays whole; every picture is destroyed.
        start = content.index(b'movi') + 4
        while content[start : start + 4] == b'00dc':
            size = int.from_bytes(content[start + 4 : start + 8], 'little')
            content[start + 8 : start + 8 + size] = bytes(size)
            start += 8 + size + size % 2
        path.write_bytes(content)
        dataset = videos(video_root)
        dataset.set_epoch(0, 0)
        ((name, reason),) = bad_files(dataset[1])
        assert name == str(path) and '\n' not in reason and not reason.startswith('[')

    def test_truncated_image_is_replaced_and_reported(self, image_root):
        path = image_root / 'images/3.jpg'
        path.write_bytes(path.read_bytes()[:700])
        dataset = images(image_root)
        dataset.set_epoch(0, 0)
        sample = dataset[3]
        assert bad_files(sample)[0][0] == str(path)
        assert sample['data_samples'].img_path != str(path)
        assert [view.shape for view in sample['inputs']] == [(3, 16, 16)] * 2

    def test_single_missing_file_is_a_bad_file(self, image_root):
        (image_root / 'images/0.jpg').unlink()
        dataset = images(image_root)
        assert '0.jpg' in bad_files(dataset[0])[0][0]

    def test_several_broken_files_in_a_row_are_all_reported(self, image_root):
        for index in range(7):
            (image_root / f'images/{index}.jpg').write_bytes(b'')
        dataset = images(image_root)
        reports = 0
        for epoch in range(20):
            dataset.set_epoch(epoch, 0)
            try:
                sample = dataset[0]
            except RuntimeError as error:
                assert '10 files in a row' in str(error)
                continue
            reports = max(reports, len(bad_files(sample)))
            assert sample['data_samples'].img_path.endswith('7.jpg')
        assert reports > 1

    def test_giving_up_names_the_first_file(self, video_root):
        for index in range(NUM_VIDEOS):
            (video_root / f'videos/v{index}.avi').write_bytes(b'')
        with pytest.raises(RuntimeError, match='10 files in a row .*v3.avi.*empty'):
            videos(video_root)[3]

    def test_evaluation_names_the_file_and_replaces_nothing(self, video_root):
        (video_root / 'videos/v2.avi').write_bytes(b'')
        dataset = videos(video_root, test_mode=True)
        assert dataset.on_bad == 'raise'
        assert bad_files(dataset[1]) == []
        with pytest.raises(RuntimeError, match=r'Sample 2, .*v2.avi, cannot be read'):
            dataset[2]

    @pytest.mark.parametrize('error', [KeyError, TypeError, AttributeError])
    def test_slips_of_programmers_are_no_bad_files(self, video_root, error):
        def slip(results):
            raise error('slip')

        message = 'The transform slip fails on sample 0, .*v0.avi .*slip'
        with pytest.raises(RuntimeError, match=message) as caught:
            videos(video_root, pipeline=[slip])[0]
        assert type(caught.value.__cause__) is error

    def test_unpacked_samples_cannot_hide_a_bad_file(self, video_root):
        (video_root / 'videos/v0.avi').write_bytes(b'')
        with pytest.raises(TypeError, match='v0.avi .*end the pipeline with PackActionInputs'):
            videos(video_root, pipeline=VIDEO_PIPELINE[:-1])[0]


class TestWhatIsNoBadFile:
    """Only a file that cannot be read is replaced; all else stops the run."""

    @pytest.mark.parametrize('test_mode', [False, True])
    def test_a_video_without_boxes_stops_the_run(self, video_root, test_mode):
        boxes = video_root / 'boxes.json'
        boxes.write_text('{"version": 1, "videos": {}}')
        load = dict(type='LoadPersonBoxes', box_file=str(boxes), missing='error')
        pipeline = [*VIDEO_PIPELINE[:3], load, *VIDEO_PIPELINE[3:]]
        message = (
            'The transform LoadPersonBoxes fails on sample 1, .*v1.avi .*boxes.json has no boxes'
        )
        with pytest.raises(RuntimeError, match=message):
            videos(video_root, pipeline=pipeline, test_mode=test_mode)[1]

    @pytest.mark.parametrize('error', [ValueError, RuntimeError, OSError, IndexError, MemoryError])
    def test_a_slip_in_a_transform_stops_the_run(self, video_root, error):
        @TRANSFORMS.register_module(force=True)
        class Slip(BaseTransform):
            def transform(self, results):
                raise error('slip')

        pipeline = [*VIDEO_PIPELINE[:4], dict(type='Slip'), *VIDEO_PIPELINE[4:]]
        with pytest.raises(
            RuntimeError, match='The transform Slip fails on sample 0, .*v0.avi .*slip'
        ):
            videos(video_root, pipeline=pipeline)[0]

    def test_a_slip_among_those_of_views_is_named(self, image_root):
        views = dict(type='TwoViews', transforms=[dict(type='ReflectSampleFrames', clip_len=1)])
        pipeline = [IMAGE_PIPELINE[0], views, IMAGE_PIPELINE[2]]
        with pytest.raises(RuntimeError, match='ReflectSampleFrames fails on sample 0, .*0.jpg'):
            images(image_root, pipeline=pipeline)[0]

    def test_a_loader_of_ones_own_says_what_is_unreadable(self, video_root):
        def load(results):
            raise UnreadableFileError('my disk is gone')

        dataset = videos(video_root, pipeline=[load])
        with pytest.raises(RuntimeError, match='10 files in a row cannot be read.*my disk is gone'):
            dataset[0]


def replace_by(kind, path):
    path.unlink()
    if kind == 'folder':
        path.mkdir()
    elif kind == 'pipe':
        os.mkfifo(path)
    else:
        path.symlink_to('/dev/zero')


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'device'])
class TestNoFiles:
    """A pipe would wait for its writer for ever, and a device has no end."""

    def test_in_the_place_of_a_video(self, video_root, kind):
        replace_by(kind, video_root / 'videos/v2.avi')
        dataset = videos(video_root)
        ((name, reason),) = bad_files(dataset[2])
        assert name.endswith('v2.avi') and f'is a {kind} instead of a file' in reason
        assert bad_files(dataset[1]) == bad_files(dataset[3]) == []

    def test_in_the_place_of_an_image(self, image_root, kind):
        replace_by(kind, image_root / 'images/3.jpg')
        dataset = images(image_root)
        ((name, reason),) = bad_files(dataset[3])
        assert name.endswith('3.jpg') and f'is a {kind} instead of a file' in reason
        assert bad_files(dataset[2]) == bad_files(dataset[4]) == []


class TestLoadersOfOthers:
    """MMAction2's and MMCV's have no error of their own."""

    @pytest.mark.parametrize('content', [b'', b'no video at all' * 100])
    @pytest.mark.parametrize('backend', ['Decord', 'OpenCV', 'PyAV'])
    def test_a_broken_video_is_a_bad_file(self, video_root, backend, content):
        (video_root / 'videos/v2.avi').write_bytes(content)
        init, decode = dict(type=f'{backend}Init'), dict(type=f'{backend}Decode')
        pipeline = [init, VIDEO_PIPELINE[1], decode, *VIDEO_PIPELINE[3:]]
        dataset = videos(video_root, pipeline=pipeline)
        dataset.set_epoch(0, 0)
        assert [len(bad_files(dataset[index])) for index in (1, 2, 3)] == [0, 1, 0]
        with pytest.raises(RuntimeError, match='Sample 2, .*v2.avi, cannot be read'):
            videos(video_root, pipeline=pipeline, test_mode=True)[2]

    @pytest.mark.parametrize('kind', ['folder', 'pipe', 'device'])
    def test_what_is_no_file_is_not_opened(self, video_root, kind):
        replace_by(kind, video_root / 'videos/v2.avi')
        pipeline = [dict(type='DecordInit'), *VIDEO_PIPELINE[1:]]
        ((name, reason),) = bad_files(videos(video_root, pipeline=pipeline)[2])
        assert name.endswith('v2.avi') and f'is a {kind} instead of a file' in reason

    def test_a_broken_image_is_a_bad_file(self, image_root):
        (image_root / 'images/3.jpg').write_bytes(b'no image')
        pipeline = [dict(type='LoadImageFromFile'), *IMAGE_PIPELINE[1:]]
        dataset = images(image_root, pipeline=pipeline)
        assert [len(bad_files(dataset[index])) for index in (2, 3, 4)] == [0, 1, 0]

    def test_a_missing_frame_is_a_bad_file(self, image_root):
        for name in 'abc':
            (image_root / name).mkdir()
            for index in range(1, 9):
                shutil.copy(image_root / 'images/0.jpg', image_root / f'{name}/img_{index:05}.jpg')
        (image_root / 'b/img_00003.jpg').unlink()
        (image_root / 'list.txt').write_text('a 8 0\nb 8 1\nc 8 2\n')
        sample = dict(type='SampleFrames', clip_len=8, num_clips=1)
        config = dict(
            type='RawframeDataset',
            ann_file=str(image_root / 'list.txt'),
            data_prefix=dict(img=str(image_root)),
            pipeline=[sample, dict(type='RawFrameDecode'), *VIDEO_PIPELINE[3:]],
        )
        dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
        assert [len(bad_files(dataset[index])) for index in range(3)] == [0, 1, 0]


class TestMissingData:
    def test_missing_list_is_named(self, video_root):
        with pytest.raises(FileNotFoundError, match='absent.txt of VideoDataset does not exist'):
            videos(video_root, ann_file=str(video_root / 'absent.txt'))

    @pytest.mark.parametrize('content', ['', '\n', ' \n\n'])
    def test_empty_list_is_named(self, video_root, content):
        (video_root / 'list.txt').write_text(content)
        with pytest.raises(ValueError, match='list.txt of VideoDataset is empty'):
            videos(video_root)

    def test_list_in_another_format_is_named(self, video_root):
        (video_root / 'list.txt').write_text('v0.avi 20 3\n')
        with pytest.raises(ValueError, match='Line 1 of .*list.txt has 3 columns in place of 2'):
            videos(video_root)

    def test_errors_of_the_data_set_itself_stay_as_they_are(self, image_root):
        with pytest.raises(
            ValueError, match=r"^attributes of VISPRDataset holds the unknown \['b'\]"
        ):
            images(image_root, attributes=['b'])

    def test_missing_folder_is_named(self, video_root):
        with pytest.raises(
            FileNotFoundError, match='elsewhere of VideoDataset .*data_prefix.video'
        ):
            videos(video_root, data_prefix=dict(video=str(video_root / 'elsewhere')))

    def test_empty_folder_is_named_with_an_example(self, video_root):
        for path in (video_root / 'videos').iterdir():
            path.unlink()
        with pytest.raises(FileNotFoundError, match='None of 6 files .*list.txt .*v0.avi'):
            videos(video_root)

    def test_missing_list_below_another_wrapper(self, video_root):
        inner = video_config(video_root, ann_file=str(video_root / 'absent.txt'), lazy_init=True)
        repeated = dict(type='RepeatDataset', times=2, dataset=inner)
        with pytest.raises(FileNotFoundError, match='absent.txt of VideoDataset'):
            DATASETS.build(dict(type='ReproducibleDataset', dataset=repeated))

    def test_unknown_policy_is_refused(self, video_root):
        with pytest.raises(ValueError, match="on_bad .* 'ignore'; choose 'skip' or 'raise'"):
            videos(video_root, wrapper=dict(on_bad='ignore'))

    def test_test_samples_are_never_replaced(self, video_root):
        with pytest.raises(ValueError, match="on_bad='skip' .* would replace test samples"):
            videos(video_root, test_mode=True, wrapper=dict(on_bad='skip'))


def test_annotations_are_those_of_the_wrapped_data_set(video_root, image_root):
    dataset = videos(video_root, wrapper=dict(lazy_init=True), metainfo=dict(classes=('a', 'b')))
    assert dataset.metainfo['classes'] == ('a', 'b')
    assert len(dataset) == NUM_VIDEOS
    assert dataset.get_data_info(4)['label'] == 4
    assert images(image_root, attributes=['a1']).get_cat_ids(0) == []


def test_index_beyond_the_end_ends_iteration(video_root):
    dataset = videos(video_root, pipeline=[lambda results: results])
    assert len(list(dataset)) == NUM_VIDEOS


def test_built_data_set_is_taken(video_root):
    built = DATASETS.build(video_config(video_root))
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=video_config(video_root)))
    wrapped = type(dataset)(built)
    dataset.set_epoch(1, 1), wrapped.set_epoch(1, 1)
    assert torch.equal(dataset[0]['inputs'], wrapped[0]['inputs'])


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_have_a_clock_of_their_own(video_root, duplicate):
    dataset = videos(video_root)
    dataset.set_epoch(1, 1)
    twin = duplicate(dataset)
    assert torch.equal(dataset[0]['inputs'], twin[0]['inputs'])
    twin.set_epoch(2, 1)
    assert (dataset[0]['inputs'] != twin[0]['inputs']).any()
    loader = make_loader(twin, num_workers=1, persistent_workers=True)
    second = clips(loader)
    twin.set_epoch(1, 1)
    assert torch.equal(clips(loader)[0], dataset[0]['inputs'])
    assert (second[0] != dataset[0]['inputs']).any()


# ---- where tools look ----------------------------------------------------------------------------
@pytest.mark.parametrize('name', [dict(dataset='VideoDataset'), dict()])
def test_settings_beside_the_name_are_those_of_the_data_set(video_root, name):
    settings = video_config(video_root, test_mode=True, indices=4)
    flat = DATASETS.build({**settings, **name, 'type': 'ReproducibleDataset'})
    nested = videos(video_root, test_mode=True, indices=4)
    assert type(flat.dataset) is type(nested.dataset) and len(flat) == len(nested) == 4
    assert flat.on_bad == nested.on_bad == 'raise'
    for dataset in (flat, nested):
        dataset.set_epoch(1, 2)
    for index in range(4):
        assert torch.equal(flat[index]['inputs'], nested[index]['inputs'])


def test_settings_beside_a_whole_data_set_are_refused(video_root):
    with pytest.raises(ValueError, match='has ann_file, pipeline beside a whole data set'):
        videos(video_root, dict(ann_file='b.txt', pipeline=[]))


@pytest.mark.parametrize('times', [None, 3])
def test_tools_exchange_the_pipeline_of_the_data_set_inside(video_root, times):
    config = video_config(video_root, pipeline=VIDEO_PIPELINE[:2])
    if times:
        config = dict(type='RepeatDataset', times=times, dataset=config)
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
    assert len(dataset.pipeline.transforms) == 2
    dataset.pipeline = lambda data: data['label']
    assert [dataset[index] for index in range(len(dataset))] == (times or 1) * [*range(NUM_VIDEOS)]


def test_several_pipelines_are_not_one(video_root):
    parts = [video_config(video_root), video_config(video_root)]
    concatenated = dict(type='ConcatDataset', datasets=parts)
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=concatenated))
    with pytest.raises(AttributeError, match='2 data sets'):
        assert dataset.pipeline
