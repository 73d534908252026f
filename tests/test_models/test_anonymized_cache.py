import copy
import logging
import multiprocessing
import os

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.model import BaseModule

from spact_mm.models import (
    AnonymizedActionPreprocessor,
    AnonymizedClipPreprocessor,
    AnonymizedImagePreprocessor,
    is_cacheable,
    is_random,
)
from spact_mm.models.anonymizers import has_cacheable_signal

UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
PIXELATE = dict(type='PixelateAnonymizer', block=3)


@MODELS.register_module()
class NoisyAnonymizer(BaseModule):
    is_random = True

    def forward(self, frames):
        return (frames + torch.randn_like(frames)).clamp(0, 1)


@MODELS.register_module()
class SecretlyNoisyAnonymizer(NoisyAnonymizer):
    is_random = False


@MODELS.register_module()
class CountingAnonymizer(BaseModule):
    """Add a value that is no multiple of 1 / 255; count the frames."""

    def __init__(self, value=0.1):
        super().__init__()
        self.value, self.count = value, 0

    def forward(self, frames):
        self.count += len(frames)
        return (frames + self.value).clamp(0, 1)


@pytest.fixture
def warnings():
    """Return the warnings of MMEngine's logger."""
    logger, messages = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def images(count=4, size=(16, 20), seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, *size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def save_unet(path, seed):
    torch.manual_seed(seed)
    network = MODELS.build(UNET)
    network.train()
    with torch.no_grad():
        network(torch.rand(4, 3, 16, 16))
    state = {f'anonymizer.{key}': value for key, value in network.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return str(path)


def build(anonymizer, folder=None, checkpoint=None, cls=AnonymizedImagePreprocessor, **settings):
    if folder is not None:
        settings['cache'] = dict(dict(folder=str(folder)), **settings.get('cache', {}))
    return cls(anonymizer=anonymizer, checkpoint=checkpoint, **settings)


def run(preprocessor, inputs, training=False):
    return preprocessor(dict(inputs=copy.deepcopy(inputs)), training)['inputs']


def counts(preprocessor):
    return preprocessor.cache.hits, preprocessor.cache.misses


@pytest.mark.parametrize('anonymizer', [UNET, PIXELATE])
def test_hits_equal_misses_and_the_rounded_output_without_a_cache(tmp_path, anonymizer):
    has_weights = anonymizer is UNET
    checkpoint = save_unet(tmp_path / 'a.pth', 1) if has_weights else None
    inputs = images(6)
    plain = run(build(anonymizer, checkpoint=checkpoint), inputs)
    cached = build(anonymizer, tmp_path / 'cache', checkpoint, max_frames_per_pass=4)
    first = run(cached, inputs)
    assert counts(cached) == (0, 6)
    second = run(cached, inputs)
    assert counts(cached) == (6, 6)
    # Another process, as it were.
    other = build(anonymizer, tmp_path / 'cache', checkpoint)
    third = run(other, inputs)
    assert counts(other) == (6, 0)
    assert torch.equal(first, plain.round()) and not torch.equal(first, plain)
    assert torch.equal(first, second) and torch.equal(first, third)
    assert first.dtype == plain.dtype


def test_frames_count_alone_not_their_batch_clip_or_preprocessor(tmp_path):
    frames = images(5, (16, 16))
    image = build(dict(type='CountingAnonymizer'), tmp_path)
    expected = run(image, frames[:4])
    clip = build(
        dict(type='CountingAnonymizer'),
        tmp_path,
        cls=AnonymizedClipPreprocessor,
        view='clip',
        mean=(0,) * 3,
        std=(1,) * 3,
    )
    # Two clips of three frames, one of which they share.
    clips = [frames[[0, 1, 4]].transpose(0, 1)[None], frames[[2, 3, 4]].transpose(0, 1)[None]]
    out = run(clip, clips)
    assert counts(clip) == (5, 1)
    assert torch.equal(out[0, :, :2].transpose(0, 1), expected[:2])
    assert torch.equal(out[1, :, :2].transpose(0, 1), expected[2:])
    assert torch.equal(out[0, :, 2], out[1, :, 2])
    action = build(
        dict(type='CountingAnonymizer'),
        tmp_path,
        cls=AnonymizedActionPreprocessor,
        mean=(0,) * 3,
        std=(1,) * 3,
        format_shape='NCTHW',
    )
    data = dict(inputs=[clips[0], clips[1]], data_samples=None)
    assert torch.equal(action(data)['inputs'][:, 0], out)
    assert counts(action) == (6, 0)
    # The check of the store took five frames, and two that the clips shared.
    assert action.anonymizer.count == 6


def test_images_of_several_sizes_and_the_same_bytes_in_another_shape(tmp_path):
    inputs = [*images(2), *images(2, (12, 24))]
    inputs.append(inputs[0].reshape(3, 20, 16))
    cached = build(PIXELATE, tmp_path)
    first, second = run(cached, inputs), run(cached, inputs)
    assert counts(cached) == (5, 5)
    assert torch.equal(first, second)
    assert torch.equal(first, run(build(PIXELATE), inputs).round())


def test_bgr_frames_have_a_store_of_their_own(tmp_path):
    torch.manual_seed(0)
    anonymizer = dict(type='UNetAnonymizer', base_channels=2, num_levels=1)
    state = MODELS.build(anonymizer).state_dict()
    torch.save({f'anonymizer.{key}': value for key, value in state.items()}, tmp_path / 'a.pth')
    settings = dict(anonymizer=anonymizer, checkpoint=str(tmp_path / 'a.pth'))
    inputs = images(3)
    run(build(folder=tmp_path / 'c', **settings), inputs)
    for _ in range(2):
        cached = build(folder=tmp_path / 'c', to_rgb=True, **settings)
        out = run(cached, inputs)
        assert torch.equal(out, run(build(to_rgb=True, **settings), inputs).round())
    assert counts(cached) == (3, 0)


def test_another_checkpoint_or_setting_never_meets_the_same_store(tmp_path):
    paths = [save_unet(tmp_path / f'{seed}.pth', seed) for seed in (1, 2)]
    inputs = images()
    folder = tmp_path / 'c'
    for number, path in enumerate(paths):
        cached = build(UNET, folder, path)
        assert torch.equal(run(cached, inputs), run(build(UNET, checkpoint=path), inputs).round())
        assert counts(cached) == (0, 4)
        assert len(os.listdir(folder)) == number + 1
    for number, block in enumerate((2, 3)):
        run(build(dict(PIXELATE, block=block), folder), inputs)
        assert len(os.listdir(folder)) == number + 3
    # Where the weights come from makes no difference.
    named = dict(UNET, init_cfg=dict(type='Pretrained', checkpoint=paths[0], prefix='anonymizer.'))
    cached = build(named, folder)
    run(cached, inputs)
    assert counts(cached) == (4, 0)


def test_weights_that_are_loaded_later_change_the_store(tmp_path):
    paths = [save_unet(tmp_path / f'{seed}.pth', seed) for seed in (1, 2)]
    inputs = images()
    cached, other = (build(UNET, tmp_path / 'c', path) for path in paths)
    run(cached, inputs)
    cached.load_state_dict(other.state_dict())
    assert torch.equal(run(cached, inputs), run(other, inputs))
    assert counts(cached) == (0, 8) and counts(other) == (4, 0)
    # Half precision gives other frames.
    cached.anonymizer.bfloat16()
    run(cached, inputs)
    assert counts(cached) == (0, 12)


def test_a_full_store_goes_on(tmp_path, warnings):
    cached = build(dict(type='CountingAnonymizer'), tmp_path, cache=dict(max_gib=2**-14))
    plain = build(dict(type='CountingAnonymizer'))
    for seed in (*range(30), 0):
        inputs = images(seed=seed)
        assert torch.equal(run(cached, inputs), run(plain, inputs).round())
    assert cached.cache.hits == 4 and cached.cache.misses == 120
    assert [('takes nothing more' in warning) for warning in warnings] == [True]


def test_a_damaged_store_is_computed_again(tmp_path, warnings):
    inputs = images()
    cached = build(PIXELATE, tmp_path)
    first = run(cached, inputs)
    cached.cache.close()
    (path,) = tmp_path.glob('*/*.sqlite')
    path.write_bytes(b'damaged' * 10_000)
    cached = build(PIXELATE, tmp_path)
    assert torch.equal(run(cached, inputs), first)
    assert counts(cached) == (0, 4)
    assert [('was damaged' in warning) for warning in warnings] == [True]


def attack(folder, barrier, queue):
    cached = build(dict(type='CountingAnonymizer'), folder)
    barrier.wait(60)
    out = [run(cached, images(seed=seed)).sum().item() for seed in (*range(8), *range(8))]
    queue.put((out, *counts(cached)))


def test_processes_share_a_store(tmp_path):
    context = multiprocessing.get_context('fork')
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=attack, args=(tmp_path, barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert results[0][0] == results[1][0] == results[0][0][:8] * 2
    assert all(hits >= 32 and hits + misses == 64 for _, hits, misses in results)
    assert len(os.listdir(tmp_path)) == 1


def test_a_copy_of_the_model_uses_the_store_too(tmp_path):
    cached = build(PIXELATE, tmp_path)
    first = run(cached, images())
    other = copy.deepcopy(cached)
    assert torch.equal(run(other, images()), first)
    assert counts(other) == (4, 4) and counts(cached) == (0, 4)


@pytest.mark.parametrize(
    'anonymizer',
    [
        dict(type='NoisyAnonymizer'),
        dict(type='SequentialAnonymizer', stages=[PIXELATE, dict(type='NoisyAnonymizer')]),
        dict(type='BlackenAnonymizer'),
    ],
)
def test_what_a_frame_alone_does_not_decide_is_refused(tmp_path, anonymizer):
    message = f'cache of .* cannot keep frames of {anonymizer["type"]}, .*: set cache=None'
    with pytest.raises(ValueError, match=message):
        build(anonymizer, tmp_path / 'c')
    assert not (tmp_path / 'c').exists()
    build(anonymizer)


def test_traits_are_told_of_configs_and_networks():
    noisy = dict(type='NoisyAnonymizer')
    row = dict(type='SequentialAnonymizer', stages=[PIXELATE, noisy])
    still = dict(type='SequentialAnonymizer', stages=[PIXELATE, UNET])
    blacken = dict(type='BlackenAnonymizer')
    for config, draws, keeps in (
        (noisy, True, False),
        (row, True, False),
        (still, False, True),
        (UNET, False, True),
        (blacken, False, False),
        (dict(still, stages=[blacken]), False, False),
    ):
        for subject in (config, MODELS.build(config)):
            assert is_random(subject) is draws
            assert is_cacheable(subject) is keeps


def test_an_anonymizer_that_draws_in_secret_is_found_out(tmp_path):
    cached = build(dict(type='SecretlyNoisyAnonymizer'), tmp_path)
    run(cached, images())
    with pytest.raises(ValueError, match='SecretlyNoisyAnonymizer makes other frames .*is_random'):
        run(cached, images())


def test_an_anonymizer_whose_code_changed_is_found_out(tmp_path, monkeypatch):
    run(build(dict(type='CountingAnonymizer'), tmp_path), images())
    forward = MODELS.get('CountingAnonymizer').forward
    monkeypatch.setattr(
        MODELS.get('CountingAnonymizer'), 'forward', lambda self, x: 1 - forward(self, x)
    )
    with pytest.raises(ValueError, match='delete the cache if its code has changed'):
        run(build(dict(type='CountingAnonymizer'), tmp_path), images())


def test_frames_that_are_not_bytes_are_refused_with_the_remedy(tmp_path):
    cached = build(PIXELATE, tmp_path)
    with pytest.raises(ValueError, match='got torch.float32: .*augment=dict'):
        run(cached, images().float())


def test_numbers_that_are_not_finite_are_not_kept(tmp_path):
    cached = build(dict(type='CountingAnonymizer', value=float('nan')), tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match='CountingAnonymizer made .* not finite'):
            run(cached, images())
    assert counts(cached) == (0, 0)


def test_raw_frames_are_not_kept(tmp_path):
    raw = build(dict(type='IdentityAnonymizer'), tmp_path / 'c')
    inputs = images()
    assert torch.equal(run(raw, inputs), run(build(dict(type='IdentityAnonymizer')), inputs))
    assert raw.cache is None and not (tmp_path / 'c').exists()
    run(raw, inputs.float())


@pytest.mark.parametrize('anonymizer', [PIXELATE, dict(type='IdentityAnonymizer')])
def test_wrong_settings_are_refused(tmp_path, anonymizer):
    with pytest.raises(ValueError, match='max_gib of a cache must be positive'):
        build(anonymizer, tmp_path, cache=dict(max_gib=0))
    with pytest.raises(TypeError, match='gib'):
        build(anonymizer, tmp_path, cache=dict(gib=1))


def test_what_is_augmented_behind_the_anonymizer_hits(tmp_path):
    cached = build(PIXELATE, tmp_path, augment=dict(flip=0.5, shift=2))
    np.random.seed(0)
    first = run(cached, images(), training=True)
    second = run(cached, images(), training=True)
    assert counts(cached) == (4, 4)
    assert not torch.equal(first, second)
    assert torch.equal(run(cached, images()), run(build(PIXELATE), images()).round())


def channel(**settings):
    return dict(
        type='GaussianChannel', anonymizer=dict(type='CountingAnonymizer'), stride=4, **settings
    )


@pytest.mark.parametrize('to_rgb', [False, True])
def test_what_a_channel_sends_is_kept_and_the_noise_is_new(tmp_path, to_rgb):
    inputs = images(6, (18, 20))
    inputs[:, 0] //= 4  # colours that differ
    # Without noise: what is kept is what is computed, not rounded before it is enlarged.
    silent = channel(known_noise=True)
    plain = run(build(silent, to_rgb=to_rgb), inputs)
    cached = build(silent, tmp_path, to_rgb=to_rgb, max_frames_per_pass=4)
    first, second = run(cached, inputs), run(cached, inputs)
    assert counts(cached) == (6, 6)
    # Twice at its first use, which checks what is kept.
    assert cached.anonymizer.anonymizer.count == 6 + 6
    torch.testing.assert_close(first, plain, rtol=0, atol=1.01)
    assert (first - plain).abs().mean() < 0.01 and torch.equal(first, second)
    # With noise: its size is that of a channel without a cache, and it is drawn in each pass.
    noisy = channel(sigma_shared=0.1, sigma_frame=0.05)
    noisy['anonymizer'] = dict(type='ConstantAnonymizer')
    torch.manual_seed(0)
    many = images(64, (16, 16))
    plain = run(build(noisy, to_rgb=to_rgb), many)
    cached = build(noisy, tmp_path, to_rgb=to_rgb)
    first, second = run(cached, many), run(cached, many)
    assert cached.cache.misses == 64 and not torch.equal(first, second)
    assert first.std().item() == pytest.approx(plain.std().item(), rel=0.1)
    assert first.std().item() > 15


def test_clips_of_a_video_share_its_noise_with_a_cache_too(tmp_path):
    config = channel(sigma_shared=0.1, sigma_frame=1e-6)
    config['anonymizer'] = dict(type='ConstantAnonymizer')
    clip = build(
        config, tmp_path, cls=AnonymizedClipPreprocessor, view='clip', mean=(0,) * 3, std=(1,) * 3
    )
    frames = images(6, (16, 16))
    clips = [frames[:3].transpose(0, 1)[None], frames[3:].transpose(0, 1)[None]]
    out = run(clip, clips)
    assert clip.cache.misses == 6
    for one in out:
        assert (one[:, 1:] - one[:, :-1]).abs().max() <= 1 and one.std() > 10
    assert (out[0] - out[1]).abs().mean() > 10


def test_only_a_channel_around_frames_has_a_cache(tmp_path):
    for inside in (dict(type='NoisyAnonymizer'), channel()):
        config = dict(channel(), anonymizer=inside)
        assert not has_cacheable_signal(config) and not is_cacheable(config)
        with pytest.raises(ValueError, match='cannot keep frames of GaussianChannel'):
            build(config, tmp_path)
    assert has_cacheable_signal(channel()) and has_cacheable_signal(MODELS.build(channel()))
    assert not has_cacheable_signal(UNET)
