import multiprocessing

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from spact_mm.apis import METHODS, FrameAnonymizer, byte_blur
from spact_mm.apis import byte_obfuscations as module
from spact_mm.models.anonymizers import (
    ConstantAnonymizer,
    DownsampleAnonymizer,
    GaussianBlurAnonymizer,
    IdentityAnonymizer,
    PixelateAnonymizer,
)

NETWORKS = [
    ConstantAnonymizer(0.3),
    DownsampleAnonymizer(1),
    DownsampleAnonymizer(2.7),
    DownsampleAnonymizer(100),
    GaussianBlurAnonymizer(13, 10),
    GaussianBlurAnonymizer(121, 40),
    GaussianBlurAnonymizer(129, 64.3),
    GaussianBlurAnonymizer(201, 130),
    PixelateAnonymizer(1),
    PixelateAnonymizer(7),
    PixelateAnonymizer(103),
]


def rewrite_floats(network, frames):
    """Do what an obfuscation does to numbers."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).double() / 255
    return (network(x) * 255).round().permute(0, 2, 3, 1).numpy()


def draw(*shape):
    """Draw frames of coarse and fine structure, black and white among them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (shape[0], 3, 4, 3)).repeat(shape[1] // 3 + 1, 1)
    coarse = coarse.repeat(shape[2] // 4 + 1, 2)[:, : shape[1], : shape[2]]
    return np.clip(coarse + rng.integers(-60, 60, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize('network', NETWORKS, ids=str)
@pytest.mark.parametrize('size', [(1, 1), (5, 9), (64, 47), (210, 331)])
def test_bytes_are_within_a_level_of_the_numbers(network, size):
    frames = draw(2, *size, 3)
    done = FrameAnonymizer(network)(frames)
    assert done.dtype == np.uint8 and done.shape == frames.shape
    assert np.abs(done - rewrite_floats(network, frames)).max() <= 1


@pytest.mark.parametrize('sigma', [64.0, 96.4, 193.0])
def test_wide_blur_of_black_and_white_is_within_a_level(sigma, monkeypatch):
    size = 2 * round(sigma) + 1
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 2, (6, 8, 3)).repeat(70, 0).repeat(70, 1)
    for frame in (coarse, rng.integers(0, 2, coarse.shape)):
        frame = (255 * frame).astype(np.uint8)
        kernel = byte_blur.cv2.getGaussianKernel(size, sigma)
        exact = frame.astype(np.float64)
        expected = byte_blur.cv2.sepFilter2D(exact, -1, kernel, kernel, borderType=4)
        assert np.abs(byte_blur.blur(frame, size, sigma) - expected).max() < 0.8
    calls = []
    monkeypatch.setattr(byte_blur, '_blur_wide', lambda x, *_: calls.append(1) or x)
    byte_blur.blur(frame, size, sigma)
    byte_blur.blur(frame[: size // 2], size, sigma)  # too short to be mirrored
    byte_blur.blur(frame, size, 63.9)
    assert len(calls) == 2


@pytest.mark.parametrize('method', METHODS)
def test_methods_never_become_numbers(method, monkeypatch):
    network = MODELS.build(METHODS[method](120))
    anonymize = FrameAnonymizer(network)
    monkeypatch.setattr(anonymize, '_anonymize_floats', None)
    frames = draw(3, 120, 160, 3)
    done = anonymize(frames)
    assert np.abs(done - rewrite_floats(network, frames)).max() <= 1
    tensor = torch.from_numpy(frames).permute(0, 3, 1, 2)
    assert np.array_equal(anonymize.anonymize_tensor(tensor).permute(0, 2, 3, 1).numpy(), done)


def test_sums_of_large_frames_do_not_overflow(monkeypatch):
    frame = np.full((60, 50, 3), 255, np.uint8)
    monkeypatch.setattr(module, '_MOST_PIXELS', 2999)
    kinds = []
    integral = module.cv2.integral
    monkeypatch.setattr(
        module.cv2,
        'integral',
        lambda frame, sdepth: kinds.append(sdepth) or integral(frame, sdepth=sdepth),
    )
    assert (FrameAnonymizer(PixelateAnonymizer(7))(frame[None]) == 255).all()
    assert kinds == [module.cv2.CV_64F] and 3000 * 255 < 2**31 <= 256 * (2**31 // 256)


def test_networks_of_other_classes_have_none():
    class Own(PixelateAnonymizer):
        pass

    assert FrameAnonymizer(IdentityAnonymizer())._rewrite_bytes is None
    assert FrameAnonymizer(Own(3))._rewrite_bytes is None


def test_a_forked_process_has_threads_of_its_own():
    frames = draw(3, 20, 30, 3)
    anonymize = FrameAnonymizer(PixelateAnonymizer(7))
    expected = anonymize(frames)
    with multiprocessing.get_context('fork').Pool(1) as pool:
        done = pool.apply_async(anonymize.__call__, (frames,)).get(timeout=60)
    assert np.array_equal(done, expected)
