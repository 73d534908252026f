"""What is left of the input is measured, and too much of it is not written."""

import re

import cv2
import numpy as np
import pytest
import torch
from e2e import ROOT
from media import write_video
from mmaction.registry import MODELS

from spact_mm.apis import METHODS, AnonymizeInferencer, publish
from spact_mm.apis.leftover import MAX_DETAIL_LEFT, MAX_LEFT, LeftoverCheck, measure
from spact_mm.models.anonymizers import UNetAnonymizer


def picture(side=96, seed=0):
    """Return a picture with coarse and fine structure, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side, 3))
    for scale in (4, 8, 16, 32, 64):
        # Mostly brightness, as in nature.
        noise = rng.normal(size=(scale, scale, 1)) + 0.3 * rng.normal(size=(scale, scale, 3))
        image += cv2.resize(noise, (side, side), interpolation=cv2.INTER_LINEAR) * 30
    return np.clip(image + 128, 0, 255).astype(np.uint8)


def frames(count=3):
    return np.stack([picture(seed=i) for i in range(count)])


@pytest.mark.parametrize(
    'change',
    [
        lambda x: x,
        lambda x: 255 - x,
        lambda x: x[..., ::-1],
        lambda x: (x * 0.3 + 20).astype(np.uint8),
        lambda x: (x @ np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8]])).astype(
            np.uint8
        ),
        # Only one channel still has it.
        lambda x: np.stack([x[..., 1], x[..., 1] * 0 + 9, np.roll(x[..., 0], 30, 0)], -1),
    ],
)
def test_colour_maps_hide_nothing(change):
    found = measure(picture(), change(picture()))
    assert found.left > 0.95 and found.detail_left > 0.9


def test_numbers_are_those_of_known_pictures():
    raw = picture()
    same = measure(raw, raw)
    assert same.left == pytest.approx(1, abs=1e-6) and same.change == 0 and same.is_same
    negative = measure(raw, 255 - raw)
    assert negative.change == pytest.approx(np.abs(255 - 2.0 * raw).mean() / 255)
    assert not negative.is_same and not negative.is_constant
    other = measure(raw, picture(seed=9))
    assert other.left < 0.4 and other.detail_left < 0.15
    grey = measure(raw, np.full_like(raw, 7))
    assert (grey.left, grey.detail_left, grey.is_constant) == (0, 0, True)
    smooth = measure(raw, cv2.GaussianBlur(raw, (0, 0), 8))
    assert smooth.left > 0.6 and smooth.detail_left < 0.5
    speckled = (np.indices(raw.shape).sum(0) % 2).astype(np.uint8)
    assert measure(raw, speckled).left < 0.1
    tiny = raw[:5, :3]
    assert measure(tiny, tiny).left == pytest.approx(1, abs=1e-6)


def test_bounds_are_documented():
    page = (ROOT / 'docs' / 'anonymize.md').read_text()
    for name, bound in (('left', MAX_LEFT), ('detail_left', MAX_DETAIL_LEFT)):
        found = re.findall(rf'^\| `{name}` \|.*\| above ([\d.]+) \|$', page, re.MULTILINE)
        assert [float(number) for number in found] == [bound]


def check(function, is_trained=True, **kwargs):
    return LeftoverCheck(
        lambda x: np.stack([function(f) for f in x]), 'a.mp4', is_trained, **kwargs
    )


@pytest.mark.parametrize(
    ('function', 'sentence'),
    [
        (lambda x: x, 'its frames come out as they went in'),
        (lambda x: x ^ 1, 'its frames come out as they went in'),
        (lambda x: 255 - x, 'much of the input is left in what comes out, a correlation of 1.00'),
        (lambda x: x * 0 + 3, 'its frames come out in one colour'),
        # Coarse structure is another's, detail is there.
        (
            lambda x: np.clip(
                (x * 1.0 - cv2.GaussianBlur(x, (0, 0), 4)) * 0.5
                + cv2.GaussianBlur(picture(seed=5), (0, 0), 12),
                0,
                255,
            ).astype(np.uint8),
            "much of the input's detail is left",
        ),
    ],
)
def test_what_leaves_too_much_is_refused_or_told(function, sentence):
    with pytest.raises(ValueError, match=f'a.mp4 is not written: {sentence}.*--force'):
        check(function)(frames())
    forced = check(function, force=True)
    assert forced(frames()).shape == frames().shape
    assert sentence in forced.warning and 'WARNING' in str(forced)
    assert set(forced.facts) == {'left', 'detail_left', 'change'}


def test_first_frames_that_show_anything_are_measured():
    seen = check(lambda x: x, force=True)
    black = np.zeros((20, 96, 96, 3), np.uint8)
    seen(black)
    assert seen.facts == dict(left=None, detail_left=None, change=None)
    assert 'no frame shows anything' in str(seen) and not seen.warning
    seen(frames(6))
    seen(np.stack([picture(seed=i) for i in range(6)]))
    assert len(seen._measured) == 8 and seen.facts['left'] == 1
    large = check(lambda x: x, force=True)
    large(np.repeat(np.repeat(frames(3), 16, 1), 16, 2))
    assert len(large._measured) == 1


@pytest.mark.parametrize('method', sorted(METHODS))
def test_obfuscations_pass_and_are_measured(method):
    network = MODELS.build(METHODS[method](96))

    def blur(frame):
        x = torch.from_numpy(frame).permute(2, 0, 1)[None] / 255
        return (network(x)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    seen = check(blur, is_trained=False)
    seen(frames())
    assert not seen.warning and 0 < seen.facts['change'] < 1
    assert seen.facts['detail_left'] < 0.95


def train_to_reproduce(network, steps=90):
    """Train on other pictures than those that are measured."""
    data = torch.from_numpy(np.stack([picture(64, seed=100 + i) for i in range(64)]))
    data = data.permute(0, 3, 1, 2) / 255
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(steps):
        if step == steps * 2 // 3:
            optimizer.param_groups[0]['lr'] = 2e-3
        x = data[torch.randint(len(data), (8,))]
        loss = (network.train()(x) - x).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope='module')
def reproducing():
    """A narrow network that was never told to hide anything."""
    torch.manual_seed(0)
    return train_to_reproduce(UNetAnonymizer(base_channels=4, num_levels=2))


def save(network, folder):
    cfg = "model = dict(anonymizer=dict(type='UNetAnonymizer', base_channels=4, num_levels=2))"
    state = {f'anonymizer.{k}': v for k, v in network.state_dict().items()}
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg)), folder / 'minimax.pth')
    return str(folder / 'minimax.pth')


def test_network_that_reproduces_writes_nothing(reproducing, tmp_path):
    """Its checkpoint says nothing of its phase: only the measurement is left."""
    weights = save(reproducing, tmp_path)
    anonymize = AnonymizeInferencer(weights=weights, device='cpu', show_progress=False)
    tensor = torch.from_numpy(frames()).permute(0, 3, 1, 2)
    for name, inputs in (('array', frames()), ('tensor', tensor), ('tensor', tensor / 255)):
        with pytest.raises(ValueError, match=f'The {name} is not written: much of the input'):
            anonymize(inputs)
    source, out = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    cv2.imwrite(str(source / 'a.png'), picture())
    write_video(source / 'b.mp4', frames(4))
    for name, options in (('a.png', {}), ('b.mp4', {}), ('b.mp4', dict(images=True))):
        with pytest.raises(ValueError, match=f'{name} is not written: much of the input'):
            anonymize(str(source / name), out_dir=str(out), **options)
        with pytest.raises(ValueError, match=f'{name} is not written: much of the input'):
            anonymize(str(source / name))
    assert [path.name for path in out.iterdir()] == ['.lock']
    forced = AnonymizeInferencer(weights=weights, device='cpu', force=True, show_progress=False)
    (path,) = forced(str(source / 'b.mp4'), out_dir=str(out))['predictions']
    assert (out / 'b.mp4').is_file() and path == str(out / 'b.mp4')
    seen = forced.check('x')
    seen(frames())
    assert seen.facts['left'] > MAX_LEFT or seen.facts['detail_left'] > MAX_DETAIL_LEFT


def test_network_that_reproduces_is_not_published(reproducing, tmp_path):
    weights = save(reproducing, tmp_path)
    with pytest.raises(ValueError, match='is not published as an anonymizer: much of the input'):
        publish(weights, tmp_path / 'fa.pth', part='anonymizer')
    assert publish(weights, tmp_path / 'whole.pth').is_file()
    network = UNetAnonymizer(base_channels=4, num_levels=2)
    with torch.no_grad():
        network.head.weight[1] = float('nan')
    with pytest.raises(ValueError, match='not published as an anonymizer: .*not finite'):
        publish(save(network, tmp_path), tmp_path / 'fa.pth', part='anonymizer')


@pytest.mark.parametrize('options', [{}, dict(force=True)], ids=['alone', 'forced'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value, options):
    network = UNetAnonymizer(base_channels=4, num_levels=2)
    with torch.no_grad():
        network.head.weight[1] = value
    anonymize = AnonymizeInferencer(
        weights=save(network, tmp_path), device='cpu', show_progress=False, **options
    )
    cv2.imwrite(str(tmp_path / 'a.png'), picture())
    with pytest.raises(ValueError, match='a.png is not written: .* not finite'):
        anonymize(str(tmp_path / 'a.png'), out_dir=str(tmp_path / 'out'))
    with pytest.raises(ValueError, match='The array is not written: .* not finite'):
        anonymize(frames())
    with pytest.raises(ValueError, match='not finite'):
        anonymize(torch.rand(1, 3, 32, 32))


def test_dead_network_is_refused(tmp_path):
    network = UNetAnonymizer(base_channels=4, num_levels=2)
    torch.nn.init.zeros_(network.head.weight)
    anonymize = AnonymizeInferencer(
        weights=save(network, tmp_path), device='cpu', show_progress=False
    )
    with pytest.raises(ValueError, match='The array is not written: its frames come out in one'):
        anonymize(frames())
    # The method is meant to be constant.
    black = AnonymizeInferencer(method='black', device='cpu', show_progress=False)
    assert black(frames())['predictions'][0].max() == 0


def test_method_that_changes_nothing_is_refused():
    """Of an image of ten pixels, a block of the mosaic is one pixel."""
    pixelate = AnonymizeInferencer(method='pixelate', device='cpu', show_progress=False)
    with pytest.raises(ValueError, match='its frames come out as they went in'):
        pixelate(picture(10))
