"""Noise that a video's frames share, and the bound on what is known through it."""

import math

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import nn

from spact_mm.models import GaussianChannel, is_cacheable, is_random
from spact_mm.models.anonymizers import SequentialAnonymizer
from spact_mm.models.rewrite import rewrite

IDENTITY = dict(type='IdentityAnonymizer')


def channel(**settings):
    return GaussianChannel(dict(settings.pop('anonymizer', IDENTITY)), **settings).eval()


def dense_kl(signal, mean, noise, power):
    """Return the KL of two Gaussians by their covariance matrices over the frames, in float64."""
    total = noise + power
    offset = signal - mean.view(3, 1, 1)
    inverse = torch.linalg.inv(total)
    quadratic = torch.einsum('ntchw,cts,nschw->n', offset, inverse, offset)
    trace = torch.einsum('cts,cst->', inverse, noise)
    length = signal.shape[1]
    logs = (torch.logdet(total) - torch.logdet(noise)).sum()
    places = signal.shape[-2:].numel()
    return (quadratic + places * (trace - 3 * length + logs)) / 2


@pytest.mark.parametrize('prior', ['point', 'gaussian'])
@pytest.mark.parametrize('length', [1, 5])
@pytest.mark.parametrize('shared', [0.0, 0.15])
def test_rate_and_its_gradient_are_those_of_the_dense_gaussians(prior, length, shared):
    network = channel(sigma_shared=shared, sigma_frame=0.05, prior=prior).double()
    torch.manual_seed(0)
    network.mean.copy_(torch.rand(3)), network.still_power.copy_(torch.rand(3))
    network.moving_power.copy_(torch.rand(3))
    signal = torch.rand(2, length, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    rate = network.rate(signal)
    eye = torch.eye(length, dtype=torch.float64).expand(3, -1, -1)
    ones = torch.ones_like(eye) / length
    noise = 0.05**2 * eye + shared**2 * length * ones
    still, moving = (p.view(3, 1, 1) for p in (network.still_power, network.moving_power))
    power = length * still * ones + moving * (eye - ones) if prior == 'gaussian' else 0 * eye
    expected = dense_kl(signal, network.mean, noise, power)
    torch.testing.assert_close(rate, expected, rtol=1e-10, atol=1e-8)
    weights = torch.tensor([1.0, 2.0], dtype=torch.float64)
    gradients = [torch.autograd.grad((x * weights).sum(), signal)[0] for x in (rate, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize('scale, is_tight', [(0.002, True), (0.05, False)])
def test_what_is_known_of_a_bit_is_below_the_bound_and_near_it_where_it_is_tight(scale, is_tight):
    """f_A sends one of two pictures; the mutual information is that of a binary input."""
    network = channel(sigma_shared=0.1, sigma_frame=0.05).double()
    length, places = 4, 3 * 2 * 2
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64).view(2, 1, 1, 1, 1)
    signal = (0.5 + scale * sign).expand(2, length, 3, 2, 2)
    bound = network.rate(signal).mean().item()
    # Along the one direction in which the pictures differ, of unit noise.
    amplitude = scale * math.sqrt(places * length / (length * 0.1**2 + 0.05**2))
    y = np.linspace(-40, 40, 200001)
    densities = [np.exp(-((y - s * amplitude) ** 2) / 2) / math.sqrt(2 * math.pi) for s in (1, -1)]
    mixture = sum(densities) / 2
    entropy = -np.trapz(mixture * np.log(mixture + 1e-300), y)
    known = entropy - 0.5 * math.log(2 * math.pi * math.e)
    assert 0 < known <= bound + 1e-9
    assert (known > 0.98 * bound) == is_tight
    assert known <= math.log(2)


def test_gaussian_prior_is_never_above_the_point_in_expectation():
    torch.manual_seed(0)
    signal = 0.5 + 0.2 * torch.randn(64, 6, 3, 4, 4) * torch.tensor([1.0, 0.2, 0.01]).view(3, 1, 1)
    rates = {}
    for prior in ('point', 'gaussian'):
        network = channel(prior=prior, momentum=1.0)
        network._measure(signal)
        rates[prior] = network.rate(signal).mean().item()
    assert 0 < rates['gaussian'] < 0.6 * rates['point']


def test_averaging_frames_keeps_the_shared_noise_and_loses_the_other():
    torch.manual_seed(0)
    network = channel(sigma_shared=0.1, sigma_frame=0.1)
    still = torch.full((2, 400, 3, 16, 16), 0.5)
    mean = network(still).mean(1) - 0.5
    assert mean.std().item() == pytest.approx(0.1, rel=0.05)
    # Two clips of one video share it: together they tell no more of what stands still.
    (shared,) = rewrite(network, [still], clips_per_video=2)
    (apart,) = rewrite(network, [still], clips_per_video=1)
    assert (shared.mean((0, 1)) - 0.5).std().item() == pytest.approx(0.1, rel=0.06)
    assert (apart.mean((0, 1)) - 0.5).std().item() == pytest.approx(0.1 / 2**0.5, rel=0.06)


@pytest.mark.parametrize('stride', [1, 2])
def test_who_knows_the_noise_sees_all_that_is_sent(stride):
    network = channel(stride=stride, sigma_shared=1.0, known_noise=True)
    clips = torch.rand(2, 3, 3, 4, 4).repeat_interleave(2, 3).repeat_interleave(2, 4)
    sent = network._draw(network._reduce(clips), clips.shape[-2:])
    assert (network(clips) - sent).abs().max() <= 0.5 / 255 + 1e-6
    # What is charged is what those know who do not.
    assert torch.equal(network.rate(clips), channel(sigma_shared=1.0).rate(clips))


def test_pieces_of_a_video_are_as_many_looks():
    """The bounds of N pieces with noise of their own add up to more than that of the whole."""
    network = channel(sigma_shared=0.15, sigma_frame=0.05)
    still = torch.full((1, 16, 3, 4, 4), 0.8)
    whole = network.rate(still).item()
    pieces = sum(network.rate(part).item() for part in still.split(4, 1))
    assert pieces == pytest.approx(3.8, abs=0.2) if whole == 0 else 3.5 < pieces / whole < 4


def test_output_is_of_whole_grey_levels_and_gradients_pass():
    network = channel()
    clips = torch.rand(2, 3, 3, 8, 8, requires_grad=True)
    done = network(clips)
    levels = done * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert 0 <= done.min() and done.max() <= 1
    done.sum().backward()
    inside = (done > 0) & (done < 1)
    assert torch.equal(clips.grad[inside], torch.ones_like(clips.grad[inside]))


@pytest.mark.parametrize('size', [(8, 12), (9, 14)])
def test_with_a_stride_only_means_are_sent(size):
    """What differs within a square of pixels leaves no trace, and costs nothing."""
    torch.manual_seed(0)
    network = channel(stride=4, sigma_shared=0.1, sigma_frame=1e-4)
    clips = torch.full((2, 3, 3, *size), 0.6)
    rows, columns = (torch.arange(side) % 2 * 2.0 - 1 for side in size)
    checked = clips + 0.2 * rows[:, None] * columns
    zero = torch.zeros_like(clips)
    plain, same = (network(x, shared=zero[:, 0], fresh=zero) for x in (clips, checked))
    if size == (8, 12):
        assert torch.equal(plain, same)
    assert plain.shape == clips.shape
    torch.testing.assert_close(plain, torch.full_like(clips, 0.6))
    noise = torch.randn(2, 3, *size)
    sent = network(clips, shared=noise, fresh=zero)
    places = -(-size[0] // 4), -(-size[1] // 4)
    by_hand = (0.6 + 0.1 * noise[..., : places[0], : places[1]]).clamp(0, 1)
    by_hand = nn.functional.interpolate(by_hand, size, mode='bilinear')[:, None].expand_as(clips)
    torch.testing.assert_close(sent, by_hand, atol=0.5 / 255 + 1e-6, rtol=0)


def test_a_stride_divides_what_is_paid():
    """Of an even picture each number costs the same, and there are stride^2 times fewer."""
    even = torch.full((1, 4, 3, 8, 8), 0.7)
    rates = {}
    for stride in (1, 4):
        network = channel(stride=stride).train()
        network(even.requires_grad_())
        rates[stride] = network.take_rates()[0].item()
    assert rates[1] == pytest.approx(16 * rates[4], rel=1e-5)


def test_chunks_see_the_noise_of_their_video():
    network = channel(sigma_frame=1e-6)
    still = torch.full((6, 4, 3, 4, 4), 0.5)
    with torch.no_grad():
        (done,) = rewrite(network, [still], max_frames=4, clips_per_video=3)
    for video in (done[:3], done[3:]):
        assert (video - video[0, 0]).abs().max() <= 1 / 255 + 1e-6
    assert (done[0] - done[3]).abs().mean() > 0.05


def test_traits_and_a_row_of_anonymizers():
    config = dict(type='GaussianChannel', anonymizer=IDENTITY)
    assert is_random(config) and not is_cacheable(config)
    network = SequentialAnonymizer([config, dict(type='DownsampleAnonymizer', factor=2)])
    assert network.takes_clips and network.shares_noise and network.is_random
    clips, shared = torch.full((2, 3, 3, 8, 8), 0.5), torch.zeros(2, 3, 8, 8)
    fresh = torch.zeros_like(clips)
    done = network(clips, shared=shared, fresh=fresh)
    torch.testing.assert_close(done, torch.full_like(clips, 128 / 255), atol=1e-6, rtol=0)


@MODELS.register_module()
class ScaleAnonymizer(BaseModule):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, frames):
        return frames * self.scale


def test_rates_are_kept_in_training_alone_and_only_with_noise():
    network = channel(anonymizer=dict(type='ScaleAnonymizer'))
    clips = torch.rand(2, 3, 3, 4, 4)
    network(clips)
    network.train()
    with torch.no_grad():
        network(clips)
    network.is_silent = True
    assert torch.equal(network(clips), clips) and not network.rates
    network.is_silent = False
    network(clips)
    (rate,) = network.take_rates()
    assert rate.shape == (2,) and rate.requires_grad and not network.rates
    assert (network.mean != 0.5).all() and (network.moving_power > 0).all()


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(sigma_frame=0.0), '0 < sigma_frame'),
        (dict(stride=0), 'stride of GaussianChannel must be 1 or more'),
        (dict(sigma_shared=-0.1), '0 <= sigma_shared'),
        (dict(prior='flat'), "no prior 'flat'"),
        (dict(anonymizer=dict(type='BlackenAnonymizer')), 'needs boxes'),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        channel(**settings)


def looks(preprocessor, frames, video, training=False):
    """Return the anonymized mean of frames, in [0, 1], where each call is a batch of its own."""
    sample = DataSample(metainfo=dict(video_id=video) if video else {})
    done = [
        preprocessor(dict(inputs=[frame], data_samples=[sample]), training)['inputs']
        for frame in frames
    ]
    return torch.stack(done).mean(0) / 255


@pytest.mark.parametrize(
    'video, training, shares', [('a', False, True), ('a', True, False), (None, False, False)]
)
def test_frames_of_a_video_share_its_noise_in_tests_and_new_noise_in_training(
    video, training, shares
):
    config = dict(type='GaussianChannel', anonymizer=IDENTITY, sigma_shared=0.1, sigma_frame=1e-3)
    preprocessor = MODELS.build(
        dict(type='AnonymizedImagePreprocessor', anonymizer=config, num_classes=2)
    )
    frames = [torch.full((3, 12, 16), 128, dtype=torch.uint8)] * 16
    spread = looks(preprocessor, frames, video, training).std().item()
    assert spread == pytest.approx(0.1 if shares else 0.025, rel=0.15)
    if shares:
        first, again = (looks(preprocessor, frames[:1], video) for _ in range(2))
        assert (first - again).abs().max() < 0.02
        assert (looks(preprocessor, frames[:1], 'b') - first).abs().mean() > 0.05


def test_clips_and_crops_of_a_sample_share_its_noise():
    config = dict(type='GaussianChannel', anonymizer=IDENTITY, sigma_shared=0.1, sigma_frame=1e-3)
    preprocessor = MODELS.build(
        dict(
            type='AnonymizedActionPreprocessor', anonymizer=config, format_shape='NCTHW',
            mean=[0.0] * 3, std=[255.0] * 3, max_frames_per_pass=4,
        )
    )  # fmt: skip
    clips = torch.full((2, 5, 3, 4, 12, 16), 128, dtype=torch.uint8)
    done = preprocessor(dict(inputs=list(clips), data_samples=None))['inputs']
    means = done.mean((1, 3))
    assert means.std().item() == pytest.approx(0.1, rel=0.15)
    assert (means[0] - means[1]).abs().mean() > 0.05
