import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from spact_mm.models import (
    BlackenAnonymizer,
    ConstantAnonymizer,
    DownsampleAnonymizer,
    GaussianBlurAnonymizer,
    IdentityAnonymizer,
    NoiseAnonymizer,
    PixelateAnonymizer,
    RecolorAnonymizer,
    SequentialAnonymizer,
    UNetAnonymizer,
)

SIZES = [(24, 32), (17, 31), (5, 7), (1, 1)]


def as_images(frames):
    return frames.permute(0, 2, 3, 1).contiguous().numpy()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    'anonymizer',
    [
        DownsampleAnonymizer(4),
        DownsampleAnonymizer(2.5),
        GaussianBlurAnonymizer(13, 10),
        PixelateAnonymizer(4),
        ConstantAnonymizer(),
        RecolorAnonymizer(),
        NoiseAnonymizer(),
        SequentialAnonymizer([dict(type='PixelateAnonymizer', block=3)]),
    ],
    ids=lambda x: repr(x).splitlines()[0],
)
def test_any_size_keeps_shape_and_range_and_input(anonymizer, size):
    frames = torch.rand(2, 3, *size)
    frames[0] = 1
    before = frames.clone()
    out = anonymizer(frames)
    assert out.shape == frames.shape
    assert out.dtype == frames.dtype
    assert 0 <= out.min() and out.max() <= 1
    assert torch.equal(frames, before)
    assert not anonymizer.state_dict()


class TestDownsample:
    def test_known_values(self):
        rows = torch.tensor([0.0, 0.2, 0.6, 1.0])
        frames = rows[None, None, :, None].expand(1, 3, 4, 4)
        out = DownsampleAnonymizer(2)(frames)
        # Means 0.1 and 0.8 at the rows 0.5 and 2.5; in between bilinear.
        expected = torch.tensor([0.1, 0.275, 0.625, 0.8])
        torch.testing.assert_close(out, expected[None, None, :, None].expand(1, 3, 4, 4))

    def test_equals_opencv_where_the_factor_divides(self):
        frames = torch.rand(2, 3, 24, 32)
        for out, image in zip(
            as_images(DownsampleAnonymizer(4)(frames)), as_images(frames), strict=True
        ):
            small = cv2.resize(image, (8, 6), interpolation=cv2.INTER_AREA)
            np.testing.assert_allclose(
                out, cv2.resize(small, (32, 24), interpolation=cv2.INTER_LINEAR), atol=1e-5
            )

    def test_factor_one_changes_nothing(self):
        frames = torch.rand(1, 3, 9, 7)
        torch.testing.assert_close(DownsampleAnonymizer(1)(frames), frames)

    def test_factor_below_one_is_refused(self):
        with pytest.raises(ValueError, match='must be 1 or more, but is 0.5'):
            DownsampleAnonymizer(0.5)


class TestGaussianBlur:
    @pytest.mark.parametrize('kernel_size, sigma', [(13, 10), (21, 10), (5, 0.7), (1, 3)])
    @pytest.mark.parametrize('size', [(24, 32), (11, 40), (150, 65)])
    def test_equals_opencv(self, kernel_size, sigma, size):
        frames = torch.rand(2, 3, *size)
        out = GaussianBlurAnonymizer(kernel_size, sigma)(frames)
        for ours, image in zip(as_images(out), as_images(frames), strict=True):
            theirs = cv2.GaussianBlur(
                image, (kernel_size, kernel_size), sigma, borderType=cv2.BORDER_REFLECT_101
            )
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)

    def test_axis_shorter_than_the_pad_repeats_its_border(self):
        frames = torch.rand(1, 3, 3, 40)
        out = GaussianBlurAnonymizer(13, 10)(frames)
        image = cv2.copyMakeBorder(as_images(frames)[0], 6, 6, 0, 0, cv2.BORDER_REPLICATE)
        blurred = cv2.GaussianBlur(image, (13, 13), 10, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(as_images(out)[0], blurred[6:-6], rtol=0, atol=1e-5)

    def test_works_in_double_precision(self):
        frames = torch.rand(1, 3, 9, 9, dtype=torch.float64)
        assert GaussianBlurAnonymizer(3, 1)(frames).dtype == torch.float64

    @pytest.mark.parametrize('kernel_size, sigma', [(4, 1), (0, 1), (3, 0)])
    def test_wrong_kernel_is_refused(self, kernel_size, sigma):
        with pytest.raises(ValueError, match='odd kernel_size >= 1 and a sigma > 0'):
            GaussianBlurAnonymizer(kernel_size, sigma)


class TestPixelate:
    @pytest.mark.parametrize('size', [(12, 16), (10, 9), (3, 2)])
    def test_blocks_are_their_means_also_at_the_edges(self, size):
        frames = torch.rand(2, 3, *size)
        out = PixelateAnonymizer(4)(frames)
        for top in range(0, size[0], 4):
            for left in range(0, size[1], 4):
                block = (..., slice(top, top + 4), slice(left, left + 4))
                mean = frames[block].mean((2, 3), keepdim=True)
                torch.testing.assert_close(out[block], mean.expand_as(out[block]))

    def test_block_below_one_is_refused(self):
        with pytest.raises(ValueError, match='must be 1 or more, but is 0'):
            PixelateAnonymizer(0)


class TestBlacken:
    def test_every_touched_pixel_is_covered_and_no_other(self):
        frames = torch.rand(3, 3, 8, 10) + 0.1
        before = frames.clone()
        boxes = [
            # Columns 3.5 to 6.1 and rows 2 to 4: on pixel edges above and below.
            torch.tensor([[0.35, 0.25, 0.61, 0.5]]),
            torch.zeros(0, 4),
            torch.tensor([[0, 0, 0.1, 0.125], [0.9, 0.9, 1, 1]]),
        ]
        out = BlackenAnonymizer(0.25)(frames, boxes)
        expected = frames.clone()
        expected[0, :, 2:4, 3:7] = 0.25
        expected[2, :, :1, :1] = 0.25
        expected[2, :, 7:, 9:] = 0.25
        assert torch.equal(out, expected)
        assert torch.equal(frames, before)

    @pytest.mark.parametrize('size', [7, 112, 171, 340])
    def test_rounded_fractions_of_pixel_edges_cover_exactly_these_pixels(self, size):
        for left, right in [(0, 1), (size // 3, size // 2), (size - 1, size)]:
            edges = np.array([left, left, right, right], np.float32) / np.float32(size)
            frames = torch.ones(1, 3, size, size)
            out = BlackenAnonymizer()(frames, [torch.from_numpy(edges)[None]])
            assert (out == 0).sum() == 3 * (right - left) ** 2
            assert (out[..., left:right, left:right] == 0).all()

    def test_without_boxes_the_remedy_is_told(self):
        with pytest.raises(ValueError, match='a box_file .*, or add LoadPersonBoxes'):
            BlackenAnonymizer()(torch.rand(1, 3, 4, 4))

    def test_another_number_of_boxes_is_refused(self):
        with pytest.raises(ValueError, match='2 frames, but boxes for 1'):
            BlackenAnonymizer()(torch.rand(2, 3, 4, 4), [torch.zeros(0, 4)])

    def test_only_it_and_rows_with_it_need_boxes(self):
        assert BlackenAnonymizer.needs_boxes
        row = [dict(type='IdentityAnonymizer'), dict(type='BlackenAnonymizer')]
        assert SequentialAnonymizer(row).needs_boxes
        assert not SequentialAnonymizer(row[:1]).needs_boxes
        assert not getattr(IdentityAnonymizer(), 'needs_boxes', False)

    @pytest.mark.parametrize('kind', [BlackenAnonymizer, ConstantAnonymizer])
    def test_value_out_of_range_is_refused(self, kind):
        with pytest.raises(ValueError, match=r'in \[0, 1\], but is 255'):
            kind(255)


def test_constant_is_grey():
    assert (ConstantAnonymizer(0.3)(torch.rand(2, 3, 4, 5)) == 0.3).all()


def ramps():
    """All 256 grey levels in each channel, (1, 3, 1, 256)."""
    return (torch.arange(256) / 255).expand(1, 3, 1, 256).clone()


class TestRecolor:
    @pytest.mark.parametrize('seed', range(12))
    def test_looks_different_and_is_undone_in_8_bits(self, seed):
        recolor = RecolorAnonymizer(seed)
        frames = torch.rand(2, 3, 32, 32)
        assert (recolor(frames) - frames).abs().mean() > 0.25
        torch.testing.assert_close(recolor.inverse(recolor(frames)), frames)
        written = (recolor(ramps()) * 255).round() / 255
        lost = (recolor.inverse(written) - ramps()).abs() * 255
        assert lost.max() < 3 and lost.mean() < 0.6

    @pytest.mark.parametrize('seed', range(12))
    def test_each_channel_becomes_another_by_a_monotone_curve_onto_all_values(self, seed):
        recolor = RecolorAnonymizer(seed)
        out = recolor(ramps())[0, :, 0]
        steps = out.diff(dim=1) * 255
        for channel in steps:
            # Strictly monotone; six neighbouring levels are one level at least.
            assert (channel > 1 / 6).all() or (channel < -1 / 6).all()
        assert (steps[:, 0] < 0).any()
        assert out.min(1).values.tolist() == [0] * 3 and out.max(1).values.tolist() == [1] * 3
        source = []
        for channel in range(3):
            frames = torch.full((1, 3, 1, 1), 0.5)
            before = recolor(frames)
            frames[0, channel] = 0.75
            (changed,) = (recolor(frames) != before)[0, :, 0, 0].nonzero().flatten().tolist()
            source.append(changed)
        assert sorted(source) == [0, 1, 2] != source

    def test_seed_alone_decides_and_the_global_generator_is_left_alone(self):
        frames = torch.rand(1, 3, 8, 8)
        state = torch.get_rng_state()
        first = RecolorAnonymizer(5)(frames)
        assert torch.equal(torch.get_rng_state(), state)
        torch.manual_seed(1)
        assert torch.equal(MODELS.build(dict(type='RecolorAnonymizer', seed=5))(frames), first)
        others = [RecolorAnonymizer(seed)(frames) for seed in range(5)]
        assert all((other - first).abs().mean() > 0.03 for other in others)
        assert not getattr(RecolorAnonymizer(), 'is_random', False)

    def test_gradients_are_finite_at_the_ends(self):
        frames = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2).clone().requires_grad_()
        RecolorAnonymizer()(frames).sum().backward()
        assert torch.isfinite(frames.grad).all()

    @pytest.mark.parametrize('seed', [-1, 4097, 1.5, True, '0', None])
    def test_wrong_seed_is_refused(self, seed):
        with pytest.raises(ValueError, match='seed of RecolorAnonymizer must be a whole number'):
            RecolorAnonymizer(seed)


class TestNoise:
    def test_has_the_stated_strength_and_is_new_in_each_frame_and_call(self):
        frames = torch.full((64, 3, 16, 16), 0.5)
        noise = NoiseAnonymizer(0.1).eval()
        outs = [noise(frames) - frames for _ in range(2)]
        for out in outs:
            assert abs(out.mean()) < 0.003 and abs(out.std() - 0.1) < 0.003
        for first, second in [outs, (outs[0][1:], outs[0][:-1])]:
            assert abs((first * second).mean()) < 0.1 * 0.1**2

    def test_the_mean_over_frames_takes_it_away(self):
        frames = 0.3 + 0.4 * torch.rand(1, 3, 16, 16)
        left = NoiseAnonymizer(0.1)(frames.expand(400, -1, -1, -1)).mean(0) - frames[0]
        assert left.std() < 0.1 / 400**0.5 * 1.1

    def test_comes_from_the_global_generator(self):
        frames = torch.rand(2, 3, 4, 4)
        outs = []
        for _ in range(2):
            torch.manual_seed(3)
            outs.append(NoiseAnonymizer()(frames))
        assert torch.equal(*outs)

    @pytest.mark.parametrize('std', [0, -0.1, 1.1, float('nan')])
    def test_wrong_std_is_refused(self, std):
        with pytest.raises(ValueError, match=r'must be in \(0, 1\]'):
            NoiseAnonymizer(std)

    def test_only_it_and_rows_with_it_are_random(self):
        assert NoiseAnonymizer.is_random
        row = [dict(type='IdentityAnonymizer'), dict(type='NoiseAnonymizer')]
        assert SequentialAnonymizer(row).is_random
        assert SequentialAnonymizer([dict(type='SequentialAnonymizer', stages=row)]).is_random
        assert not SequentialAnonymizer(row[:1]).is_random
        assert not getattr(UNetAnonymizer(2, 1), 'is_random', False)


class TestSequential:
    def test_stages_are_applied_in_order(self):
        stages = [dict(type='BlackenAnonymizer'), dict(type='DownsampleAnonymizer', factor=4)]
        frames = torch.rand(1, 3, 8, 8)
        boxes = [torch.tensor([[0, 0, 0.5, 1]])]
        expected = DownsampleAnonymizer(4)(BlackenAnonymizer()(frames, boxes))
        assert torch.equal(SequentialAnonymizer(stages)(frames, boxes), expected)
        other = SequentialAnonymizer(stages[::-1])(frames, boxes)
        assert (other[..., :4] == 0).all() and (expected[..., 3] > 0).all()

    def test_stages_take_weights_of_their_own(self, tmp_path):
        network = UNetAnonymizer(base_channels=2, num_levels=1)
        torch.save({f'anonymizer.{k}': v for k, v in network.state_dict().items()}, tmp_path / 'a')
        source = dict(type='Pretrained', checkpoint=str(tmp_path / 'a'), prefix='anonymizer.')
        unet = dict(type='UNetAnonymizer', base_channels=2, num_levels=1, init_cfg=source)
        blur = dict(type='GaussianBlurAnonymizer', kernel_size=3, sigma=1)
        row = MODELS.build(dict(type='SequentialAnonymizer', stages=[blur, unet]))
        row.init_weights()
        frames = torch.rand(1, 3, 8, 8)
        row.eval(), network.eval()
        expected = network(GaussianBlurAnonymizer(3, 1)(frames))
        assert torch.equal(row(frames), expected)

    def test_an_empty_row_is_refused(self):
        with pytest.raises(ValueError, match='no stages'):
            SequentialAnonymizer([])
