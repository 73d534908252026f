import numpy as np
import pytest
import torch

from spact_mm.models import (
    AnonymizedClipPreprocessor,
    AnonymizedImagePreprocessor,
    ClipAugmentation,
)

IDENTITY = dict(type='IdentityAnonymizer')


def clips(count=1, length=3, size=(4, 5)):
    shape = (count, length, 3, *size)
    return torch.arange(count * length * 3 * size[0] * size[1]).view(shape).float() % 256


def draw(monkeypatch, flip, top_left):
    monkeypatch.setattr(np.random, 'rand', lambda: 0.0 if flip else 1.0)
    monkeypatch.setattr(np.random, 'randint', lambda n, size: np.array(top_left))


def test_flip_mirrors_every_frame():
    x = clips(4)
    assert torch.equal(ClipAugmentation(flip=1.0)(x), x.flip(-1))


def test_shift_repeats_the_border(monkeypatch):
    x = torch.arange(12.0).view(1, 1, 1, 3, 4).repeat(1, 2, 3, 1, 1)
    # One pixel down and two to the left.
    draw(monkeypatch, False, (1, 4))
    out = ClipAugmentation(shift=2)(x)
    expected = [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]]
    assert out[0, 0, 0].tolist() == expected
    assert (out == out[:, :1, :1]).all()
    draw(monkeypatch, True, (1, 4))
    flipped = ClipAugmentation(flip=0.5, shift=2)(x)
    assert torch.equal(flipped, out.flip(-1))


def test_shifts_reach_both_ends_and_flips_have_their_probability():
    np.random.seed(0)
    x = clips(1, 1, (9, 9)) * 0
    x[..., 4, 4] = 1
    found = {tuple(ClipAugmentation(shift=2)(x)[0, 0, 0].nonzero()[0].tolist()) for _ in range(500)}
    assert found == {(row, column) for row in range(2, 7) for column in range(2, 7)}
    x = clips(400)
    out = ClipAugmentation(flip=0.3)(x)
    flipped = (out != x).flatten(1).any(1).float().mean().item()
    assert flipped == pytest.approx(0.3, abs=0.08)


def test_each_clip_has_one_draw_for_all_its_frames():
    np.random.seed(3)
    x = torch.rand(6, 1, 3, 8, 8).mul(255).expand(6, 5, 3, 8, 8)
    augmentation = ClipAugmentation(
        flip=0.5, shift=3, color=dict(brightness=(1.0, 0.5, 0.9), contrast=(1.0, 0.5, 0.9))
    )
    out = augmentation(x)
    assert torch.equal(out, out[:, :1].expand_as(out))
    same = augmentation(x[:1].repeat(20, 1, 1, 1, 1))
    assert len({clip.sum().item() for clip in same}) == 20


def test_color_is_that_of_clip_color_jitter():
    x = clips(2, size=(4, 4))
    off = dict.fromkeys(('contrast', 'hue', 'saturation'), (0.0, 1.0, 1.0))
    color = dict(off, brightness=(1.0, 0.5, 0.5), grayscale=0.0)
    torch.testing.assert_close(ClipAugmentation(color=color)(x), x / 2)


def test_draws_are_numpys():
    outs = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        outs.append(ClipAugmentation(flip=0.5, shift=2, color={})(clips(8)))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({}, 'augment has no effect: give flip, shift or color'),
        (dict(flip=1.5), 'flip of augment must be a probability, but is 1.5'),
        (dict(shift=-1), 'shift of augment must be whole pixels, 0 or more, but is -1'),
        (dict(shift=1.5), 'shift of augment must be whole pixels'),
        (dict(color=dict(hue=(2, 0, 0))), 'hue of ClipColorJitter'),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AnonymizedImagePreprocessor(IDENTITY, augment=settings)


@pytest.mark.parametrize('stacked', [True, False])
def test_images_are_augmented_in_training_alone(stacked):
    images = torch.randint(0, 256, (5, 3, 6, 8), dtype=torch.uint8)
    inputs = images if stacked else list(images)
    preprocessor = AnonymizedImagePreprocessor(IDENTITY, augment=dict(flip=1.0))
    out = preprocessor(dict(inputs=inputs), True)['inputs']
    torch.testing.assert_close(out, images.flip(-1).float())
    out = preprocessor(dict(inputs=inputs), False)['inputs']
    torch.testing.assert_close(out, images.float())


def test_bgr_images_have_the_colors_of_rgb_ones():
    off = dict.fromkeys(('contrast', 'hue', 'brightness'), (0.0, 1.0, 1.0))
    color = dict(off, saturation=(1.0, 0.5, 0.5), grayscale=0.0)
    images = torch.randint(0, 256, (2, 3, 6, 8), dtype=torch.uint8)
    rgb = AnonymizedImagePreprocessor(IDENTITY, augment=dict(color=color))
    bgr = AnonymizedImagePreprocessor(IDENTITY, augment=dict(color=color), to_rgb=True)
    expected = rgb(dict(inputs=images), True)['inputs']
    torch.testing.assert_close(bgr(dict(inputs=images.flip(1)), True)['inputs'], expected)


def test_clips_are_augmented_in_training_alone_and_before_the_view_is_made():
    preprocessor = AnonymizedClipPreprocessor(
        'mean', anonymizer=IDENTITY, mean=(0,) * 3, std=(1,) * 3, augment=dict(flip=1.0)
    )
    inputs = [torch.randint(0, 256, (1, 3, 4, 6, 8), dtype=torch.uint8) for _ in range(3)]
    raw = preprocessor(dict(inputs=inputs), False)['inputs']
    torch.testing.assert_close(raw[1, :3], inputs[1][0].float().mean(1))
    torch.testing.assert_close(preprocessor(dict(inputs=inputs), True)['inputs'], raw.flip(-1))
