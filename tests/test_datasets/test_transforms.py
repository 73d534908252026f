import colorsys

import cv2
import numpy as np
import pytest
import torch
from media import draw_frames
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from mmpretrain.structures import DataSample
from PIL import Image

from spact_mm.datasets.transforms import (
    ClipColorJitter,
    DecordInitFromPath,
    FlipOrErase,
    LoadImageRGB,
    LoadVideoFrame,
    ReflectSampleFrames,
    SquareCrop,
    TwoViews,
)
from spact_mm.datasets.transforms.color import adjust_hue
from spact_mm.media.unreadable import UnreadableFileError

FORMATS = [('a.avi', 'MJPG'), ('a.avi', 'XVID'), ('a.mp4', 'mp4v')]
OFF = dict(
    contrast=(0, 1, 1), hue=(0, 0, 0), saturation=(0, 1, 1), brightness=(0, 1, 1), grayscale=0
)


@pytest.fixture(autouse=True)
def numpy_seed():
    np.random.seed(0)


def make_frames(num_frames=3, height=24, width=32):
    return list(
        np.random.RandomState(1).randint(0, 256, (num_frames, height, width, 3), dtype=np.uint8)
    )


def write_video(path, num_frames=40, size=(64, 48), fourcc='MJPG'):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), 25, size)
    for index in range(num_frames):
        writer.write(np.full((size[1], size[0], 3), index * 5, np.uint8))
    writer.release()
    return path


def luma(image):
    return image.astype(float) @ [0.299, 0.587, 0.114]


def assert_binomial(count, trials, probability):
    """Four standard deviations, at a fixed seed."""
    tolerance = 4 * np.sqrt(probability * (1 - probability) / trials)
    assert abs(count / trials - probability) < tolerance


class TestLoadImageRGB:
    def load(self, path):
        return LoadImageRGB()(dict(img_path=str(path)))

    @pytest.mark.parametrize('ending', ['png', 'webp', 'tiff', 'jpg'])
    @pytest.mark.parametrize('min_size', [None, 8])
    def test_turned_as_orientation_says(self, tmp_path, ending, min_size):
        picture = Image.fromarray(draw_frames(1, 32, 48)[0])
        exif = Image.Exif()
        exif[0x0112] = 6
        path = tmp_path / f'a.{ending}'
        picture.save(path, exif=exif, **(dict(lossless=True) if ending == 'webp' else {}))
        found = LoadImageRGB(min_size)(dict(img_path=str(path)))['img']
        upright = np.rot90(np.array(picture), -1)
        step = len(upright) // len(found)
        assert found.shape[0] * 2 == found.shape[1] * 3
        assert np.abs(found.astype(int) - upright[::step, ::step]).mean() < 8

    @pytest.mark.parametrize('ending', ['png', 'webp', 'tiff', 'gif'])
    def test_several_pictures_are_refused(self, tmp_path, ending):
        pages = [Image.fromarray(frame) for frame in draw_frames(3)]
        path = tmp_path / f'a.{ending}'
        pages[0].save(path, save_all=True, append_images=pages[1:])
        with pytest.raises(UnreadableFileError, match=f'a.{ending} has 3 pictures: save the one'):
            LoadImageRGB()(dict(img_path=str(path)))

    def test_colours_are_rgb(self, tmp_path):
        Image.new('RGB', (6, 4), (200, 100, 0)).save(tmp_path / 'a.png')
        results = self.load(tmp_path / 'a.png')
        assert results['img'].dtype == np.uint8
        assert results['img_shape'] == results['ori_shape'] == (4, 6)
        assert (results['img'] == [200, 100, 0]).all()

    @pytest.mark.parametrize(
        'mode, color, suffix, expected',
        [
            ('L', 90, 'png', (90, 90, 90)),
            ('L', 90, 'jpg', (90, 90, 90)),
            ('RGBA', (10, 20, 30, 128), 'png', (10, 20, 30)),
            ('CMYK', (0, 255, 255, 0), 'jpg', (255, 0, 0)),
        ],
    )
    def test_any_number_of_channels_gives_three(self, tmp_path, mode, color, suffix, expected):
        path = tmp_path / f'a.{suffix}'
        Image.new(mode, (16, 8), color).save(path)
        image = self.load(path)['img']
        assert image.shape == (8, 16, 3)
        assert np.abs(image.astype(int) - expected).max() <= 3

    @pytest.mark.parametrize('min_size', [None, 30])
    @pytest.mark.parametrize('fraction', [0, 0.5, 0.95])
    def test_truncated_file_is_named(self, tmp_path, fraction, min_size):
        path = tmp_path / 'broken.jpg'
        Image.fromarray(make_frames(1, 64, 64)[0]).save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(fraction * len(content))])
        with pytest.raises(OSError, match='broken.jpg'):
            LoadImageRGB(min_size)(dict(img_path=str(path)))

    @pytest.mark.parametrize(
        'min_size, size', [(None, 800), (401, 800), (400, 400), (187, 200), (12, 100)]
    )
    def test_large_jpeg_is_decoded_at_reduced_size(self, tmp_path, min_size, size):
        small = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
        whole = cv2.resize(small, (1000, 800), interpolation=cv2.INTER_CUBIC)
        for name in ('a.jpg', 'a.png'):
            Image.fromarray(whole).save(tmp_path / name, quality=95)
        results = LoadImageRGB(min_size)(dict(img_path=str(tmp_path / 'a.jpg')))
        assert results['ori_shape'] == results['img'].shape[:2] == (size, size * 5 // 4)
        expected = cv2.resize(whole, (size * 5 // 4, size), interpolation=cv2.INTER_AREA)
        assert np.abs(results['img'].astype(int) - expected).mean() < 2
        # Other formats cannot, and are not.
        other = LoadImageRGB(min_size)(dict(img_path=str(tmp_path / 'a.png')))
        assert other['ori_shape'] == (800, 1000)

    def test_size_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match='min_size of LoadImageRGB .* is 0'):
            LoadImageRGB(0)

    def test_an_image_of_too_many_pixels_is_refused_by_its_header(self, tmp_path):
        path = str(tmp_path / 'a.png')
        Image.new('RGB', (60, 40)).save(path)
        assert LoadImageRGB(max_pixels=2400)(dict(img_path=path))['img_shape'] == (40, 60)
        message = 'a.png has 60 x 40 pixels, more than max_pixels = 2,399'
        with pytest.raises(UnreadableFileError, match=message):
            LoadImageRGB(max_pixels=2399)(dict(img_path=path))

    @pytest.mark.parametrize('number', [0, 10**9])
    def test_a_limit_that_cannot_be_held_is_refused(self, number):
        with pytest.raises(ValueError, match='max_pixels of LoadImageRGB must be in'):
            LoadImageRGB(max_pixels=number)

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(OSError, match='absent.jpg'):
            self.load(tmp_path / 'absent.jpg')


class TestDecordInitFromPath:
    @pytest.mark.parametrize('name, fourcc', FORMATS)
    def test_frames_are_those_of_mmaction(self, tmp_path, name, fourcc):
        filename = str(write_video(tmp_path / name, fourcc=fourcc))
        ours, theirs = (cls()(dict(filename=filename)) for cls in (DecordInitFromPath, DecordInit))
        assert ours['total_frames'] == theirs['total_frames'] == 40
        assert ours['avg_fps'] == theirs['avg_fps']
        frames = [x['video_reader'].get_batch([0, 7, 39]).asnumpy() for x in (ours, theirs)]
        np.testing.assert_array_equal(*frames)

    @pytest.mark.parametrize('fraction', [0, 0.01, 0.3, 0.6, 0.95])
    @pytest.mark.parametrize('name, fourcc', FORMATS)
    def test_truncated_video_is_named(self, tmp_path, name, fourcc, fraction):
        path = write_video(tmp_path / name, fourcc=fourcc)
        content = path.read_bytes()
        path.write_bytes(content[: int(fraction * len(content))])
        with pytest.raises(OSError, match=name):
            DecordInitFromPath()(dict(filename=str(path)))

    def test_avi_of_unknown_length_is_opened(self, tmp_path):
        path = write_video(tmp_path / 'a.avi')
        content = bytearray(path.read_bytes())
        content[4:8] = b'\xff' * 4
        path.write_bytes(content)
        assert DecordInitFromPath()(dict(filename=str(path)))['total_frames'] == 40

    def test_missing_video_is_named(self, tmp_path):
        with pytest.raises(UnreadableFileError, match='absent.avi'):
            DecordInitFromPath()(dict(filename=str(tmp_path / 'absent.avi')))

    def test_cached_video_gives_the_same_frames_without_its_file(self, tmp_path):
        path = write_video(tmp_path / 'a.avi')
        cached = DecordInitFromPath(cache=dict())
        decode = Compose([dict(type='DecordDecode')])

        def frames(init):
            results = init(dict(filename=str(path)))
            assert results['total_frames'] == 40 and results['avg_fps'] > 0
            return decode(dict(results, frame_inds=np.array([7, 39, 7])))['imgs']

        expected = frames(DecordInitFromPath())
        for frame in frames(cached):
            frame[:] = 0  # A pipeline may write into its frames.
        path.unlink()
        np.testing.assert_array_equal(frames(cached), expected)

    @pytest.mark.parametrize('loader', [DecordInitFromPath, LoadVideoFrame])
    def test_cache_hides_no_transforms(self, loader):
        crop = [dict(type='SquareCrop', scale=0.5, random=False)]
        with pytest.raises(ValueError, match='has transforms, .* after decoding'):
            loader(cache=dict(transforms=crop))

    def test_cache_keeps_what_there_is_room_for(self, tmp_path):
        paths = [write_video(tmp_path / name) for name in ('a.avi', 'b.avi')]
        init = DecordInitFromPath()
        frame = init(dict(filename=str(paths[0])))['video_reader'].get_batch([0]).asnumpy()
        room = 1.5 * 40 * frame.nbytes / 2**30
        init = DecordInitFromPath(cache=dict(max_gib=room))
        for path in paths:
            assert init(dict(filename=str(path)))['total_frames'] == 40
            path.unlink()
        init(dict(filename=str(paths[0])))
        with pytest.raises(UnreadableFileError, match='b.avi'):
            init(dict(filename=str(paths[1])))

    def test_cache_without_room_is_refused(self):
        with pytest.raises(ValueError, match='max_gib .* is 0'):
            DecordInitFromPath(cache=dict(max_gib=0))


def test_image_that_an_inferencer_has_read_is_turned_to_rgb(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    read = cv2.imread(str(path))
    given = dict(img=read.copy(), img_shape=(6, 8), ori_shape=(6, 8))
    expected = LoadImageRGB()(dict(img_path=str(path)))['img']
    np.testing.assert_array_equal(LoadImageRGB()(given)['img'], expected)
    assert (expected != read).any()


class TestReflectSampleFrames:
    def sample(self, total, start_index=0, **settings):
        settings = dict(dict(clip_len=16, frame_interval=2), **settings)
        results = dict(total_frames=total, start_index=start_index)
        return ReflectSampleFrames(**settings)(results)

    @pytest.mark.parametrize(
        'total, clip_len, interval, expected',
        [
            (1, 4, 2, [0, 0, 0, 0]),
            (2, 5, 1, [0, 1, 0, 1, 0]),
            (4, 8, 1, [0, 1, 2, 3, 2, 1, 0, 1]),
            (5, 6, 2, [0, 2, 4, 2, 0, 2]),
            (4, 6, 2, [0, 2, 2, 0, 2, 2]),
        ],
    )
    def test_short_video_is_reflected(self, total, clip_len, interval, expected):
        for test_mode in (False, True):
            results = self.sample(
                total, clip_len=clip_len, frame_interval=interval, test_mode=test_mode
            )
            assert results['frame_inds'].tolist() == expected
            assert results['frame_inds'].dtype == np.int32

    @pytest.mark.parametrize('total', [31, 32])
    def test_video_of_exactly_one_clip(self, total):
        assert self.sample(total)['frame_inds'].tolist() == list(range(0, 32, 2))

    def test_training_start_is_uniform_and_stays_inside(self):
        total, trials = 40, 3600
        starts = np.zeros(total)
        for _ in range(trials):
            indices = self.sample(total)['frame_inds']
            assert (np.diff(indices) == 2).all() and indices[-1] < total
            starts[indices[0]] += 1
        assert (starts[9:] == 0).all()
        for count in starts[:9]:
            assert_binomial(count, trials, 1 / 9)

    def test_test_clips_are_spread_over_the_video(self):
        results = self.sample(131, num_clips=5, test_mode=True)
        clips = results['frame_inds'].reshape(5, 16)
        assert clips[:, 0].tolist() == [0, 25, 50, 75, 100]
        assert clips[-1, -1] == 130
        assert results['num_clips'] == 5 and results['clip_len'] == 16

    def test_start_index_is_added(self):
        assert self.sample(1, start_index=1)['frame_inds'].tolist() == [1] * 16

    def test_video_without_frames_is_refused(self):
        with pytest.raises(UnreadableFileError, match='no frame'):
            self.sample(0)


class TestSquareCrop:
    def positions(self, crop, height, width):
        """Return top, left and side of one crop, read off an image of coordinates."""
        y, x = np.mgrid[:height, :width]
        image = np.stack([y, x, y], axis=-1).astype(np.uint8)
        results = crop(dict(imgs=[image, image]))
        first, second = results['imgs']
        np.testing.assert_array_equal(first, second)
        side = first.shape[0]
        assert first.shape == (side, side, 3) and results['img_shape'] == (side, side)
        top, left = first[0, 0, :2].tolist()
        np.testing.assert_array_equal(first, image[top : top + side, left : left + side])
        return top, left, side

    def test_random_crop_covers_the_whole_frame(self):
        crop = SquareCrop(scale=(0.6, 1.0))
        draws = np.array([self.positions(crop, 20, 40) for _ in range(2000)])
        top, left, side = draws.T
        assert set(side) == set(range(12, 21))
        assert (top + side).max() == 20 and (left + side).max() == 40
        assert top.min() == left.min() == 0
        # Uniform over [0, 40 - side]: in the mean the crop is central.
        assert abs(((left + side / 2) / 40).mean() - 0.5) < 0.02

    def test_central_crop(self):
        assert self.positions(SquareCrop(0.8, random=False), 20, 40) == (2, 12, 16)
        assert self.positions(SquareCrop(1.0, random=False), 21, 11) == (5, 0, 11)

    def test_fixed_size_at_a_random_position(self):
        draws = [self.positions(SquareCrop(0.5), 8, 8) for _ in range(200)]
        assert {side for *_, side in draws} == {4}
        assert {left for _, left, _ in draws} == set(range(5))

    def test_image(self):
        results = SquareCrop(0.5, random=False)(dict(img=make_frames(1)[0]))
        assert results['img'].shape == (12, 12, 3)
        assert 'imgs' not in results

    @pytest.mark.parametrize('scale', [0, 1.2, (0.9, 0.6), (0, 1)])
    def test_bad_scale_is_refused(self, scale):
        with pytest.raises(ValueError, match='scale of SquareCrop'):
            SquareCrop(scale)

    def test_range_of_a_central_crop_is_refused(self):
        with pytest.raises(ValueError, match='random=False'):
            SquareCrop((0.6, 1.0), random=False)


class TestClipColorJitter:
    def apply(self, frames, **settings):
        return ClipColorJitter(**dict(OFF, **settings))(dict(imgs=frames))['imgs']

    def assert_close(self, got, expected, tolerance=0.51):
        assert got[0].dtype == np.uint8
        assert np.abs(np.stack(got) - np.clip(expected, 0, 255)).max() <= tolerance

    @pytest.mark.parametrize('factor', [0.5, 0.9, 1.1, 1.8])
    def test_brightness(self, factor):
        frames = make_frames()
        got = self.apply(frames, brightness=(1, factor, factor))
        self.assert_close(got, factor * np.stack(frames).astype(float))

    @pytest.mark.parametrize('factor', [0.5, 0.9, 1.1, 1.8])
    def test_contrast_is_about_the_mean_luma_of_the_clip(self, factor):
        frames = make_frames()
        clip = np.stack(frames).astype(float)
        got = self.apply(frames, contrast=(1, factor, factor))
        self.assert_close(got, factor * clip + (1 - factor) * luma(clip).mean())

    @pytest.mark.parametrize('factor', [0.5, 0.9, 1.1, 1.8])
    def test_saturation(self, factor):
        frames = make_frames()
        clip = np.stack(frames).astype(float)
        got = self.apply(frames, saturation=(1, factor, factor))
        # The luma is rounded once more.
        self.assert_close(
            got, factor * clip + (1 - factor) * luma(clip)[..., None], 0.51 + abs(1 - factor) / 2
        )

    @pytest.mark.parametrize('factor', [0.85, 1.15])
    def test_gamma_of_a_grey_clip(self, factor):
        frames = make_frames()
        grey = np.stack(self.apply(frames, grayscale=1, gamma=(0, 1, 1))).astype(float)
        got = self.apply(frames, grayscale=1, gamma=(1, factor, factor))
        self.assert_close(got, 255 * (grey / 255) ** factor)

    def test_grayscale(self):
        frames = make_frames()
        got = self.apply(frames, grayscale=1, gamma=(0, 1, 1))
        self.assert_close(got, np.repeat(luma(np.stack(frames))[..., None], 3, axis=-1))

    def test_gamma_needs_a_grey_clip(self):
        frames = make_frames()
        got = self.apply(frames, grayscale=0, gamma=(1, 0.5, 0.5))
        np.testing.assert_array_equal(got, frames)

    @pytest.mark.parametrize('turns', [-0.05, 0.05, 0.25, 0.5])
    def test_hue_turns_the_colour_circle(self, turns):
        frames = make_frames(1, 12, 12)
        got = self.apply(frames, hue=(1, turns, turns))[0]
        expected = []
        for pixel in frames[0].reshape(-1, 3) / 255:
            h, s, v = colorsys.rgb_to_hsv(*pixel)
            expected.append(colorsys.hsv_to_rgb((h + turns) % 1, s, v))
        error = np.abs(got.reshape(-1, 3) - 255 * np.array(expected))
        # OpenCV keeps hue and saturation in 8 bits.
        assert error.mean() < 1 and error.max() < 10

    def test_hue_of_pure_colours(self):
        red = np.array([[[255, 0, 0]]], np.uint8)
        np.testing.assert_allclose(adjust_hue(red, 1 / 3), [[[0, 255, 0]]], atol=6)
        np.testing.assert_allclose(adjust_hue(red, -1 / 3), [[[0, 0, 255]]], atol=6)
        np.testing.assert_array_equal(adjust_hue(red, 0), red)

    @pytest.mark.parametrize(
        'name, default, strong',
        [
            ('contrast', (0.125, 0.9, 1.1), (0.3, 0.4)),
            ('hue', (0.15, -0.05, 0.05), (0.2, 0.3)),
            ('saturation', (0.15, 0.9, 1.1), (0.3, 0.4)),
            ('brightness', (0.15, 0.9, 1.1), (0.3, 0.4)),
        ],
    )
    def test_default_probability(self, name, default, strong):
        assert getattr(ClipColorJitter(), name) == default
        jitter = ClipColorJitter(**dict(OFF, **{name: (default[0], *strong)}))
        frame = make_frames(1, 4, 4)[0]
        trials = 3000
        changed = sum((jitter(dict(img=frame))['img'] != frame).any() for _ in range(trials))
        assert_binomial(changed, trials, default[0])

    def test_default_grayscale_and_gamma_probability(self):
        jitter = ClipColorJitter(**dict(OFF, grayscale=0.1, gamma=(0.75, 0.3, 0.4)))
        assert (ClipColorJitter().grayscale, ClipColorJitter().gamma) == (0.1, (0.75, 0.85, 1.15))
        frame = make_frames(1, 4, 4)[0]
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        trials, greyed, powered = 5000, 0, 0
        for _ in range(trials):
            got = jitter(dict(img=frame))['img']
            if (got == frame).all():
                continue
            assert (got == got[..., :1]).all()
            greyed += 1
            powered += (got[..., 0] != grey).any()
        assert_binomial(greyed, trials, 0.1)
        assert_binomial(powered, greyed, 0.75)

    def test_value_is_uniform_in_its_range(self):
        frame = np.full((1, 1, 3), 200, np.uint8)
        jitter = ClipColorJitter(**dict(OFF, brightness=(1, 0.9, 1.1)))
        values = [jitter(dict(img=frame))['img'][0, 0, 0] for _ in range(2000)]
        assert min(values) == 180 and max(values) == 220
        assert abs(np.mean(values) - 200) < 1.2

    def test_constant_clip_stays_constant_in_time(self):
        jitter = ClipColorJitter(
            contrast=(0.5, 0.5, 1.5),
            hue=(0.5, -0.5, 0.5),
            saturation=(0.5, 0.5, 1.5),
            brightness=(0.5, 0.5, 1.5),
            grayscale=0.5,
            gamma=(0.5, 0.5, 1.5),
        )
        frame = make_frames(1)[0]
        original = frame.copy()
        for _ in range(50):
            clip = jitter(dict(imgs=[frame] * 4))['imgs']
            assert len(clip) == 4 and all((x == clip[0]).all() for x in clip)
        np.testing.assert_array_equal(frame, original)

    @pytest.mark.parametrize(
        'settings',
        [
            dict(hue=(1.5, 0, 0)),
            dict(contrast=(0.5, 1.1, 0.9)),
            dict(gamma=(1, 2)),
            dict(grayscale=2),
        ],
    )
    def test_bad_setting_is_named(self, settings):
        with pytest.raises(ValueError, match=f'{next(iter(settings))} of ClipColorJitter'):
            ClipColorJitter(**settings)


class TestFlipOrErase:
    def test_flip_mirrors_every_frame(self):
        frames = make_frames()
        got = FlipOrErase(flip=1, erase=0)(dict(imgs=frames))['imgs']
        np.testing.assert_array_equal(got, np.stack(frames)[:, :, ::-1])

    def erased(self, frame, **settings):
        """Erase a white frame; return top, left, height and width of what is black."""
        got = FlipOrErase(flip=0, erase=1, **settings)(dict(img=frame))['img']
        rows, columns = np.nonzero((got == 0).all(-1))
        top, left = rows.min(), columns.min()
        height, width = rows.max() - top + 1, columns.max() - left + 1
        assert (got == 0).all(-1).sum() == height * width
        return top, left, height, width

    def test_erased_rectangle(self):
        frame = np.full((112, 112, 3), 255, np.uint8)
        draws = np.array([self.erased(frame) for _ in range(1000)])
        top, left, height, width = draws.T
        assert set(height) == set(width) == set(range(9, 19))
        assert (height != width).any()
        assert top.min() == left.min() == 0
        assert (top + height).max() == (left + width).max() == 112
        assert (frame == 255).all()

    def test_relative_size(self):
        frame = np.full((40, 60, 3), 255, np.uint8)
        draws = np.array([self.erased(frame, erase_size=(0.1, 0.2)) for _ in range(200)])
        assert set(draws[:, 2]) == set(draws[:, 3]) == set(range(4, 9))

    def test_rectangle_never_exceeds_the_frame(self):
        assert self.erased(np.full((5, 30, 3), 255, np.uint8), erase_size=(8, 8))[2:] == (5, 8)

    def test_probabilities_and_exclusion(self):
        transform = FlipOrErase()
        frame = np.full((32, 32, 3), 100, np.uint8)
        frame[:, :16] = 50
        trials, flipped, erased = 4000, 0, 0
        for _ in range(trials):
            got = transform(dict(imgs=[frame, frame]))['imgs']
            np.testing.assert_array_equal(got[0], got[1])
            is_erased = (got[0] == 0).any()
            is_flipped = (got[0][got[0][:, :, 0] > 0][:, 0][0]) == 100 and (
                np.median(got[0][:, :16]) == 100
            )
            assert not (is_erased and is_flipped)
            flipped += is_flipped
            erased += is_erased
        assert_binomial(flipped, trials, 0.5)
        assert_binomial(erased, trials, 0.25)

    @pytest.mark.parametrize(
        'settings',
        [
            dict(flip=0.8, erase=0.3),
            dict(erase_size=(18, 9)),
            dict(erase_size=(0.1, 9)),
            dict(erase_size=(0, 5)),
        ],
    )
    def test_bad_setting_is_refused(self, settings):
        with pytest.raises(ValueError, match='FlipOrErase'):
            FlipOrErase(**settings)


VIEW = [
    dict(type='SquareCrop', scale=(0.6, 1.0)),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
]


class TestTwoViews:
    def test_views_are_independent_and_the_image_is_untouched(self):
        image = make_frames(1, 200, 300)[0]
        original = image.copy()
        results = TwoViews(VIEW)(dict(img=image, img_path='a.jpg', img_shape=(200, 300)))
        first, second = results['img']
        assert first.shape == second.shape == (112, 112, 3)
        assert results['img_shape'] == (112, 112)
        assert (first != second).any()
        np.testing.assert_array_equal(image, original)
        assert results['img_path'] == 'a.jpg' and 'imgs' not in results

    def test_two_frames_give_a_view_each(self):
        frames = [np.full((40, 60, 3), value, np.uint8) for value in (10, 200)]
        resize = dict(type='Resize', scale=(16, 12), keep_ratio=False)
        results = TwoViews([resize])(dict(imgs=frames, img_shape=(40, 60)))
        assert [(x.shape, int(x.min()), int(x.max())) for x in results['img']] == [
            ((12, 16, 3), 10, 10),
            ((12, 16, 3), 200, 200),
        ]
        assert 'imgs' not in results

    def test_other_than_two_frames_are_refused(self):
        results = dict(imgs=make_frames(3), filename='a.avi')
        with pytest.raises(ValueError, match='got 3 frames of a.avi; sample two'):
            TwoViews(VIEW)(results)

    def test_views_of_different_sizes_are_refused(self):
        # MMPretrain's Resize looks for `img` and says nothing.
        view = [dict(type='SquareCrop'), dict(type='mmpretrain.Resize', scale=(8, 8))]
        results = dict(img=make_frames(1, 200, 300)[0], img_shape=(200, 300))
        with pytest.raises(ValueError, match="MMAction2's Resize"):
            TwoViews(view)(results)

    def test_multi_view_of_mmpretrain_takes_our_transforms(self):
        view = [
            dict(type='SquareCrop', scale=(0.6, 1.0)),
            dict(type='mmpretrain.Resize', scale=(16, 16)),
            dict(type='ClipColorJitter'),
        ]
        config = dict(type='mmpretrain.MultiView', num_views=2, transforms=[view])
        results = TRANSFORMS.build(config)(dict(img=make_frames(1)[0]))
        assert [x.shape for x in results['img']] == [(16, 16, 3)] * 2


class TestPipelines:
    decode = [
        dict(type='DecordInitFromPath', num_threads=1),
        dict(type='ReflectSampleFrames', clip_len=16, frame_interval=2, num_clips=1),
        dict(type='DecordDecode'),
    ]
    pack = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]

    def video(self, tmp_path, **settings):
        path = write_video(tmp_path / 'a.avi', **settings)
        return dict(filename=str(path), label=3, start_index=0, modality='RGB')

    @pytest.mark.parametrize('num_frames', [1, 20, 40])
    def test_training_clip(self, tmp_path, num_frames):
        sample = Compose(self.decode + VIEW + self.pack)(
            self.video(tmp_path, num_frames=num_frames)
        )
        assert sample['inputs'].shape == (1, 3, 16, 112, 112)
        assert sample['inputs'].dtype == torch.uint8
        assert sample['data_samples'].gt_label.tolist() == [3]

    def test_clip_of_one_repeated_frame_stays_constant_in_time(self, tmp_path):
        pipeline = Compose(self.decode + VIEW + self.pack)
        video = self.video(tmp_path, num_frames=1)
        for _ in range(20):
            clip = pipeline(dict(video))['inputs']
            assert torch.equal(clip, clip[:, :, :1].expand_as(clip))

    def test_test_clips(self, tmp_path):
        decode = [dict(x) for x in self.decode]
        decode[1].update(num_clips=5, test_mode=True)
        view = [dict(type='SquareCrop', scale=0.8, random=False), VIEW[1]]
        sample = Compose(decode + view + self.pack)(self.video(tmp_path, num_frames=51))
        assert sample['inputs'].shape == (5, 3, 16, 112, 112)
        # Frame t of the video has the grey value 5 t.
        starts = sample['inputs'][:, :, 0].float().mean((1, 2, 3)) / 5
        assert torch.allclose(starts, torch.tensor([0.0, 5, 10, 15, 20]), atol=0.5)

    def test_two_views_of_an_image(self, tmp_path):
        path = tmp_path / 'a.jpg'
        Image.fromarray(make_frames(1, 150, 200)[0]).save(path)
        pipeline = Compose(
            [
                dict(type='LoadImageRGB'),
                dict(type='TwoViews', transforms=VIEW),
                dict(type='mmpretrain.PackInputs'),
            ]
        )
        sample = pipeline(dict(img_path=str(path)))
        assert [x.shape for x in sample['inputs']] == [(3, 112, 112)] * 2
        assert all(x.dtype == torch.uint8 for x in sample['inputs'])
        assert isinstance(sample['data_samples'], DataSample)
        assert sample['data_samples'].img_path == str(path)
        assert 'gt_label' not in sample['data_samples']

    def test_one_view_with_labels(self, tmp_path):
        path = tmp_path / 'a.png'
        Image.new('RGB', (200, 150), (200, 100, 0)).save(path)
        pipeline = Compose(
            [
                dict(type='LoadImageRGB'),
                dict(type='SquareCrop', scale=0.8, random=False),
                dict(type='mmpretrain.Resize', scale=(64, 64)),
                dict(type='mmpretrain.PackInputs'),
            ]
        )
        sample = pipeline(dict(img_path=str(path), gt_label=[0, 2], gt_score=np.float32([1, 0, 1])))
        assert sample['inputs'].shape == (3, 64, 64)
        assert sample['inputs'][:, 10, 10].tolist() == [200, 100, 0]
        assert sample['data_samples'].gt_score.tolist() == [1, 0, 1]
