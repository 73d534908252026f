"""The renderer learns the mean of what may have been sent, from the channel's output alone."""

from pathlib import Path

import pytest
import torch
from e2e import write_video
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from tiny import changed, snapshot

from spact_mm.apis import AnonymizeInferencer, FrameAnonymizer
from spact_mm.apis.load_anonymizer import load_for_use
from spact_mm.apis.publish import publish
from spact_mm.engine import parse_schedule
from spact_mm.models import ClipRenderer, takes_clips
from spact_mm.models.anonymizers import min_size, mixes_frames
from spact_mm.models.anonymizers.checkpoint import find_anonymizer, find_weights

ROOT = Path(__file__).resolve().parents[2]
UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
CHANNEL = dict(
    type='GaussianChannel',
    anonymizer=dict(type='IdentityAnonymizer'),
    sigma_shared=0.2,
    sigma_frame=0.05,
    stride=2,
)
RENDERER = dict(type='ClipRenderer', network=UNET)


def training(**settings):
    config = dict(type='RendererTraining', anonymizer=CHANNEL, renderer=RENDERER)
    return MODELS.build({**config, **settings})


def batch(videos=2, length=6, size=16):
    clips = [torch.randint(0, 256, (1, 3, length, size, size)).byte() for _ in range(videos)]
    return dict(inputs=clips, data_samples=[None] * videos)


def test_pairs_have_the_same_frames_and_other_noise():
    model = training()
    data = batch()
    pair = model.data_preprocessor(data, True)
    assert pair['inputs'].shape == pair['again'].shape == (2, 6, 3, 16, 16)
    # Uint8 in [0, 255] became the channel's output in [0, 1].
    assert 0 <= pair['inputs'].min() and pair['inputs'].max() <= 1
    difference = pair['inputs'] - pair['again']
    assert 0.05 < difference.std() < 0.3
    assert 'again' not in model.data_preprocessor(data, False)


def test_loss_is_the_squared_difference_to_the_other_draw():
    model = training(renderer=dict(type='IdentityAnonymizer'))
    pair = model.data_preprocessor(batch(), True)
    loss = model(**pair, mode='loss')['loss_rendering']
    assert loss.item() == pytest.approx((pair['inputs'] - pair['again']).square().mean().item())
    assert torch.equal(model(pair['inputs']), pair['inputs'])
    assert torch.equal(torch.stack(model(pair['inputs'], mode='predict')), pair['inputs'])
    with pytest.raises(ValueError, match="but not 'maybe'"):
        model(pair['inputs'], mode='maybe')


def test_training_finds_the_mean_of_what_may_have_been_sent():
    """All frames are one of two greys; their mean is the best guess behind strong noise."""
    torch.manual_seed(0)
    channel = dict(CHANNEL, sigma_shared=0.02, sigma_frame=0.02, stride=1)
    model = training(anonymizer=channel)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.02))
    greys = [torch.full((1, 3, 4, 8, 8), value).byte() for value in (64, 192)]
    for _ in range(150):
        model.train_step(dict(inputs=greys, data_samples=[None] * 2), optimizer)
    pair = model.data_preprocessor(dict(inputs=greys, data_samples=[None] * 2))
    pictures = model.train()(pair['inputs'])
    assert (pictures[0] - 64 / 255).abs().mean() < 0.03
    assert (pictures[1] - 192 / 255).abs().mean() < 0.03


def test_only_the_renderer_is_trained():
    anonymizer = dict(CHANNEL, anonymizer=UNET)
    model = training(anonymizer=anonymizer)
    f_a = model.data_preprocessor.anonymizer
    before, frozen = snapshot(model.renderer), snapshot(f_a)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-2))
    for _ in range(2):
        model.train().train_step(batch(), optimizer)
    assert changed(before, model.renderer) == set(before)
    assert changed(frozen, f_a) == set()


def test_anonymizer_without_noise_is_refused():
    with pytest.raises(ValueError, match='IdentityAnonymizer draws none'):
        training(anonymizer=dict(type='IdentityAnonymizer'))


def test_movement_is_seen_without_the_shared_noise():
    renderer = MODELS.build(RENDERER).train()
    seen = []
    renderer.mix.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    clips, shared = torch.rand(2, 5, 3, 8, 8), torch.randn(2, 1, 3, 8, 8)
    renderer(clips)
    renderer(clips + shared)
    (moving, still), (again, noisy) = (x.transpose(1, 2).split(3, dim=2) for x in seen)
    torch.testing.assert_close(moving, again, atol=1e-5, rtol=0)
    torch.testing.assert_close(moving.mean(1), torch.zeros(2, 3, 8, 8))
    torch.testing.assert_close(noisy - still, shared.expand_as(clips))


def test_pictures_are_stretched_to_the_contrast_about_grey():
    torch.manual_seed(0)
    renderer = ClipRenderer(network=dict(type='IdentityAnonymizer'), contrast=0.1, momentum=0.2)
    clips = 0.3 + 0.02 * torch.randn(4, 3, 3, 16, 16)
    for _ in range(60):
        faint = renderer.train()(clips)
    pictures = renderer.eval()(clips)
    assert faint.std((0, 1, 3, 4)).max() < 0.08
    torch.testing.assert_close(
        pictures.mean((0, 1, 3, 4)), torch.full((3,), 0.5), atol=1e-3, rtol=0
    )
    assert pictures.std(correction=0).item() == pytest.approx(0.1, rel=0.01)
    assert renderer(1e3 * clips).max() <= 1


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(contrast=0), r'must be in \(0, 1\], but is 0'),
        (dict(window=4), 'must be an odd number, but is 4'),
        (dict(network=CHANNEL), 'take frames alone, but is a GaussianChannel'),
        (dict(network=dict(type='BlackenAnonymizer')), 'but is a BlackenAnonymizer'),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ClipRenderer(**settings)


@pytest.fixture
def checkpoint(tmp_path):
    """Write a checkpoint, and return its path with its model and its config."""
    torch.manual_seed(0)
    anonymizer = dict(CHANNEL, anonymizer=UNET)
    model = training(anonymizer=anonymizer)
    # Running statistics and contrast are those of a trained renderer.
    model.renderer.momentum = 0.2
    for _ in range(30):
        model.renderer.train()(torch.rand(2, 4, 3, 32, 32))
    model.eval()
    config = dict(model=dict(type='RendererTraining', anonymizer=anonymizer, renderer=RENDERER))
    meta = dict(cfg=Config(config).pretty_text)
    path = str(tmp_path / 'renderer.pth')
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path, model, config


def test_checkpoint_is_an_anonymizer_of_both(checkpoint):
    path, model, config = checkpoint
    found = find_anonymizer(config)
    assert found == dict(
        type='SequentialAnonymizer', stages=[dict(CHANNEL, anonymizer=UNET), RENDERER]
    )
    network = MODELS.build(dict(found, _scope_='mmaction')).eval()
    network.load_state_dict(find_weights(torch.load(path, weights_only=False)))
    assert takes_clips(network) and mixes_frames(network) and min_size(network) == 4
    clips = torch.rand(1, 4, 3, 16, 16)
    shared, fresh = torch.randn(1, 3, 8, 8), torch.randn(1, 4, 3, 8, 8)
    sent = model.data_preprocessor.anonymizer(clips, shared, fresh)
    expected = model.renderer(sent)
    assert torch.equal(network(clips, shared=shared, fresh=fresh), expected)
    assert torch.equal(load_for_use(None, path, False)(clips, shared=shared, fresh=fresh), expected)


def test_what_is_published_has_the_renderer(checkpoint, tmp_path):
    path, _, _ = checkpoint
    published = publish(path, tmp_path / 'public.pth', 'anonymizer')
    networks = [load_for_use(None, str(file), False) for file in (path, published)]
    assert not changed(networks[0].state_dict(), networks[1])
    assert [type(stage).__name__ for stage in networks[1].stages] == [
        'GaussianChannel',
        'ClipRenderer',
    ]


def test_video_is_rendered_in_clips(checkpoint, tmp_path):
    path, _, _ = checkpoint
    write_video(tmp_path / 'a.mp4', 0, 0)
    anonymize = AnonymizeInferencer(weights=path, device='cpu', show_progress=False, force=True)
    (video,) = anonymize(str(tmp_path / 'a.mp4'))['predictions']
    assert len(video) >= 26 and video.std() > 5
    function = FrameAnonymizer(anonymize.model)
    assert function.clip_length == 16
    # Too small for the networks: padded, and cropped.
    assert function(video[:, :3, :2]).shape == (len(video), 3, 2, 3)


@pytest.mark.parametrize('name', ['demo', 'weizmann', 'ucf101', 'hmdb51'])
def test_recipe_has_the_anonymizer_of_the_price(name):
    config = Config.fromfile(ROOT / 'configs' / 'renderers' / f'renderer_{name}.py')
    price = Config.fromfile(ROOT / 'configs' / f'price_r3d_{name}.py')
    assert config.model.anonymizer == price.model.anonymizer
    last = parse_schedule(price.custom_hooks[0].schedule)[-1].end
    assert config.model.checkpoint == f'work_dirs/price_r3d_{name}/epoch_{last}.pth'
