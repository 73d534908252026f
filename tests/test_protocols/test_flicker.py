"""The change between frames of a still scene."""

import math

import pytest
import torch

from spact_mm.models.anonymizers import (
    ConstantAnonymizer,
    GaussianBlurAnonymizer,
    GaussianChannel,
    IdentityAnonymizer,
)
from spact_mm.protocols.flicker import measure_flicker


@pytest.fixture
def clips():
    torch.manual_seed(3)
    # In the middle of the range, so that no noise is cut off. What moves in a clip does not count.
    return list(0.4 + 0.2 * torch.rand(3, 8, 3, 24, 24))


def test_flicker_without_an_anonymizer_is_that_of_the_camera(clips):
    found = measure_flicker(IdentityAnonymizer(), clips)
    # The mean absolute difference of two normal numbers.
    assert found['after'] == found['before'] == pytest.approx(2 * 2 / math.sqrt(math.pi), rel=0.03)
    # Of pictures alone, too.
    single = measure_flicker(IdentityAnonymizer(), [clip[:1] for clip in clips])
    assert single['before'] == pytest.approx(found['before'], rel=0.03)


def test_flicker_behind_an_anonymizer(clips):
    assert measure_flicker(ConstantAnonymizer(), clips)['after'] == 0
    blurred = measure_flicker(GaussianBlurAnonymizer(kernel_size=5, sigma=4.0), clips)
    assert 0 < blurred['after'] < 0.4 * blurred['before']


def test_noise_that_frames_share_does_not_flicker(clips):
    shared, fresh = (
        measure_flicker(GaussianChannel(dict(type=IdentityAnonymizer), **sigmas), clips)
        for sigmas in (
            dict(sigma_shared=0.05, sigma_frame=1e-4),
            dict(sigma_shared=1e-4, sigma_frame=0.05),
        )
    )
    assert shared['after'] == pytest.approx(shared['before'], rel=0.02)
    assert fresh['after'] == pytest.approx(2 * 0.05 * 255 / math.sqrt(math.pi), rel=0.05)


def test_random_numbers_of_others_stay(clips):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = measure_flicker(IdentityAnonymizer(), clips)
    assert torch.rand(1) == expected
    assert measure_flicker(IdentityAnonymizer(), clips) == first
