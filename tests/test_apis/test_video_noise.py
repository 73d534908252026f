"""The noise of a video: shared by its frames, new for each video, and written nowhere."""

import json

import numpy as np
import pytest
import torch
from media import write_video

from spact_mm.apis import AnonymizeInferencer
from spact_mm.apis.frame_anonymizer import FrameAnonymizer
from spact_mm.apis.video_noise import VideoNoise
from spact_mm.models import GaussianChannel

CHANNEL = dict(
    type='GaussianChannel',
    anonymizer=dict(type='IdentityAnonymizer'),
    sigma_shared=0.1,
    sigma_frame=0.02,
)


@pytest.fixture
def weights(tmp_path):
    """Return a checkpoint that names the channel."""
    network = GaussianChannel(CHANNEL['anonymizer'])
    state = {f'anonymizer.{key}': value for key, value in network.state_dict().items()}
    meta = dict(cfg=f'model = dict(anonymizer={CHANNEL!r})')
    torch.save(dict(state_dict=state, meta=meta), tmp_path / 'fa.pth')
    return str(tmp_path / 'fa.pth')


def infer(weights, **settings):
    return AnonymizeInferencer(
        weights=weights, device='cpu', show_progress=False, force=True, **settings
    )


def test_a_control_that_adds_no_noise_anonymizes_nothing(weights):
    config = dict(model=dict(anonymizer=dict(CHANNEL, known_noise=True)))
    with pytest.raises(ValueError, match='known_noise=True, a control that .* protects nobody'):
        infer(weights, model=config)


def test_noise_of_a_size_is_drawn_once_and_that_of_frames_each_time():
    noise, clips = VideoNoise(), torch.zeros(2, 4, 3, 6, 8)
    first, second = noise.draw(clips), noise.draw(clips[:1])
    assert torch.equal(first['shared'][0], first['shared'][1])
    assert torch.equal(first['shared'][0], second['shared'][0])
    assert first['fresh'].shape == clips.shape
    assert not torch.equal(first['fresh'][:1], second['fresh'])
    assert not torch.equal(VideoNoise().draw(clips)['shared'], first['shared'])
    assert noise.draw(torch.zeros(1, 1, 3, 64, 64))['shared'].std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('batch_size', [1, 16, 40])
def test_frames_of_several_calls_share_it(batch_size):
    network = GaussianChannel(CHANNEL['anonymizer'], sigma_shared=0.1, sigma_frame=1e-6)
    anonymize, noise = FrameAnonymizer(network, batch_size=batch_size), VideoNoise()
    still = np.full((40, 16, 24, 3), 128, np.uint8)
    done = np.concatenate([anonymize(part, noise) for part in (still[:32], still[32:])])
    spread = done.astype(float) - done[0]
    assert np.abs(spread).max() <= 1 and 20 < done[0].std() < 31
    assert np.abs(anonymize(still[:1]).astype(float) - done[0]).mean() > 15


def test_a_file_has_one_noise_and_another_the_next_time(weights, tmp_path):
    write_video(tmp_path / 'still.mp4', np.full((48, 32, 48, 3), 128, np.uint8))
    anonymizer = infer(weights)
    path = str(tmp_path / 'still.mp4')
    (first,), (second,) = (anonymizer(path)['predictions'] for _ in range(2))
    means = [video.astype(float).mean(0) - 128 for video in (first, second)]
    # The mean of all frames keeps the size of the shared noise.
    for mean in means:
        assert mean.std() / 255 == pytest.approx(0.1, rel=0.1)
    assert abs(np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1]) < 0.1
    # Another process that draws no other numbers has another noise, too.
    torch.manual_seed(0)
    (third,) = infer(weights)(path)['predictions']
    torch.manual_seed(0)
    (fourth,) = infer(weights)(path)['predictions']
    assert np.abs(third.astype(float) - fourth).mean() > 10


def test_it_is_written_nowhere(weights, tmp_path, monkeypatch):
    drawn = []
    draw = VideoNoise.draw

    def record(self, clips, *size):
        found = draw(self, clips, *size)
        drawn.append(found['shared'][0, 0, 0, :4])
        return found

    monkeypatch.setattr(VideoNoise, 'draw', record)
    keys = []
    monkeypatch.setattr('secrets.randbits', lambda bits: keys.append(3**80 % 2**bits) or keys[-1])
    write_video(tmp_path / 'still.mp4', np.full((8, 32, 48, 3), 128, np.uint8))
    infer(weights)(str(tmp_path / 'still.mp4'), out_dir=str(tmp_path / 'out'))
    assert drawn and keys
    texts = [p.read_bytes() for p in (tmp_path / 'out').rglob('*') if p.is_file()]
    entries = [json.loads(x) for x in (tmp_path / 'out/manifest.jsonl').read_text().splitlines()]
    assert entries
    for secret in [str(keys[0]), f'{keys[0]:x}', *(f'{v:.6g}' for v in drawn[0].tolist())]:
        assert not any(secret.encode() in text for text in texts)


@pytest.mark.parametrize('stride', [1, 5])
def test_a_channel_gets_frames_one_by_one_and_noise_of_its_size(stride, monkeypatch):
    settings = dict(sigma_shared=0.1, sigma_frame=0.05, stride=stride)
    network = GaussianChannel(CHANNEL['anonymizer'], **settings).eval()
    anonymize, noise = FrameAnonymizer(network, batch_size=2), VideoNoise()
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), np.uint8)
    drawn, normal = [], VideoNoise.normal

    def record(self, shape):
        drawn.append(normal(self, shape))
        return drawn[-1]

    monkeypatch.setattr(VideoNoise, 'normal', record)
    done = anonymize(frames, noise)
    assert anonymize.clip_length == 1
    height, width = -(-16 // stride), -(-24 // stride)
    expected = [(3, height, width), *[(n, 1, 3, height, width) for n in (2, 2, 1)]]
    assert [tuple(x.shape) for x in drawn] == expected
    # The same as the network's output for the whole clip with this noise.
    x = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255
    shared, fresh = drawn[0][None], np.concatenate(drawn[1:]).swapaxes(0, 1)
    whole = network(x, shared=torch.from_numpy(shared), fresh=torch.from_numpy(fresh))
    whole = (whole[0] * 255).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(whole - done).max() <= 1
