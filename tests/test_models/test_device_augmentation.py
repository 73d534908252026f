import numpy as np
import pytest
import torch
from tiny import action_batch, batch, build_model, build_optimizers, privacy_batch

from spact_mm.datasets.transforms import ClipColorJitter, FlipOrErase, SquareCrop
from spact_mm.models import DeviceAugmentation, MinimaxDataPreprocessor

SURE = dict(
    contrast=(1, 0.6, 1.4),
    hue=(1, -0.3, 0.3),
    saturation=(1, 0.5, 1.5),
    brightness=(1, 0.6, 1.4),
    grayscale=0,
)


def clip(length=4, height=30, width=40):
    """Smooth frames: the effect of rounding in between stays small."""
    corners = torch.randint(0, 256, (length, 3, 4, 5)).float()
    frames = torch.nn.functional.interpolate(corners, (height, width), mode='bilinear')
    return frames.round().byte()


def both(transform, frames, seed):
    """Return what the transform makes of frames in a data worker and on a device, in [0, 255]."""
    np.random.seed(seed)
    arrays = [frame.permute(1, 2, 0).numpy() for frame in frames]
    worker = transform(dict(imgs=arrays))['imgs']
    np.random.seed(seed)
    device = transform.augment(frames.float() / 255) * 255
    return torch.from_numpy(np.stack(worker)).permute(0, 3, 1, 2).float(), device


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize(
    'transform',
    [SquareCrop(), SquareCrop(0.7, random=False), FlipOrErase(), FlipOrErase(0, 1, (0.2, 0.5))],
    ids=repr,
)
def test_geometry_is_that_of_the_workers(transform, seed):
    worker, device = both(transform, clip(), seed)
    torch.testing.assert_close(device, worker)


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize(
    'settings', [SURE, dict(SURE, grayscale=1, gamma=(1, 0.8, 1.2)), {}], ids=['all', 'gray', '']
)
def test_colours_are_those_of_the_workers_but_for_rounding(settings, seed):
    frames = clip()
    worker, device = both(ClipColorJitter(**settings), frames, seed)
    difference = (worker - device).abs()
    assert difference.mean() < 1.5 and difference.max() < 12
    if settings:
        assert (device - frames).abs().mean() > 5


@pytest.mark.parametrize('turns', [-0.5, -0.05, 0.0, 0.05, 0.4])
def test_hue_on_a_cpu_is_that_of_torchvision(turns):
    from torchvision.transforms.functional import adjust_hue

    # Greys, pure colours and random ones, in a view that is not contiguous.
    pure = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]]).float()
    frames = torch.cat([pure, torch.rand(14, 3)]).T.reshape(1, 3, 4, 5).repeat(2, 1, 1, 1).flip(-1)
    off = dict.fromkeys(('contrast', 'saturation', 'brightness'), (0, 1, 1))
    jitter = ClipColorJitter(**off, hue=(1, turns, turns), grayscale=0)
    torch.testing.assert_close(jitter.augment(frames), adjust_hue(frames, turns))


def test_frames_of_a_clip_are_augmented_alike_and_clips_differently():
    augment = DeviceAugmentation((16, 16), dict(), SURE, dict(erase_size=(2, 4)))
    frame = clip(1).float() / 255
    first, second = augment(frame.repeat(3, 1, 1, 1)), augment(frame.repeat(3, 1, 1, 1))
    assert first.shape == (3, 3, 16, 16) and 0 <= first.min() and first.max() <= 1
    assert torch.equal(first[0], first[2])
    assert (first - second).abs().mean() > 0.01


@pytest.mark.parametrize('shape, layout', [((1, 3, 6, 30, 40), 'NCTHW'), ((5, 3, 30, 40), 'NCHW')])
def test_preprocessor_resizes_training_batches_and_leaves_test_batches(shape, layout):
    settings = dict(size=(16, 20))
    preprocessor = MinimaxDataPreprocessor(layout, settings)
    data = dict(action=action_batch(2, shape), privacy=privacy_batch(4, size=24))
    data['action']['inputs'][1] = data['action']['inputs'][1].repeat_interleave(2, -1)
    raw = data['action']['inputs'][0]
    out = preprocessor(data, True)
    clips = out['action']['inputs']
    assert clips.shape == (2, *shape[:-2], 16, 20)
    assert [view.shape for view in out['privacy']['inputs']] == [(4, 3, 16, 20)] * 2
    frame = raw.transpose(-4, -3)[0, 2] if layout == 'NCTHW' else raw[2]
    ours = clips[0].transpose(-4, -3)[0, 2] if layout == 'NCTHW' else clips[0][2]
    expected = torch.nn.functional.interpolate(frame[None].float() / 255, (16, 20), mode='bilinear')
    torch.testing.assert_close(ours, expected[0])
    test = preprocessor(dict(inputs=[raw], data_samples=action_batch(1)['data_samples']))
    assert test['inputs'].shape[1:] == shape


def test_training_step_with_it_updates_the_anonymizer():
    model = build_model(augmentation=dict(size=(32, 32), crop={}, color={}, flip_or_erase={}))
    model.set_phase('anonymizer')
    before = [p.clone() for p in model.anonymizer.parameters()]
    logged = model.train_step(batch(size=48), build_optimizers(model))
    assert torch.isfinite(logged['anonymizer/loss'])
    changed = [
        not torch.equal(a, b) for a, b in zip(before, model.anonymizer.parameters(), strict=True)
    ]
    assert all(changed)


def test_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match='size of DeviceAugmentation'):
        DeviceAugmentation((0, 16))
