import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from spact_mm.apis import AnonymizeInferencer, FrameAnonymizer, onnx_file, onnx_network
from spact_mm.apis.video_noise import VideoNoise
from spact_mm.models.anonymizers import NoiseAnonymizer, UNetAnonymizer

CHANNEL = dict(
    type='GaussianChannel', anonymizer=dict(type='PixelateAnonymizer', block=4), sigma_shared=0.3
)


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize('size', [(40, 56), (7, 30)])
def test_backends_give_the_same_frames(size):
    torch.manual_seed(0)
    network = UNetAnonymizer(4, 3).eval()
    network.head.weight.data.mul_(200)
    frames = draw(5, *size, 3)
    ours, theirs = (FrameAnonymizer(network, backend=b)(frames) for b in ('torch', 'onnxruntime'))
    assert theirs.std() > 5 and np.abs(ours.astype(int) - theirs).max() <= 1


def test_clips_get_the_noise_of_their_video():
    network = MODELS.build(CHANNEL).eval()
    anonymize = FrameAnonymizer(network, backend='onnxruntime')
    assert anonymize.clip_length == 1
    frames = np.full((32, 12, 20, 3), 128, np.uint8)
    noise = VideoNoise()
    first, second = (anonymize(frames, noise).astype(float).mean(0) for _ in range(2))
    other = anonymize(frames, VideoNoise()).astype(float).mean(0)
    # What the frames share has a standard deviation of some 70 levels, the rest of these means 3.
    assert np.abs(first - second).mean() < 8 < 30 < np.abs(first - other).mean()


def test_noise_that_is_not_given_is_new_in_each_call():
    anonymize = FrameAnonymizer(NoiseAnonymizer(0.3), backend='onnxruntime')
    frames = np.full((2, 20, 20, 3), 128, np.uint8)
    torch.manual_seed(0)
    first = anonymize(frames).astype(int)
    torch.manual_seed(0)
    assert np.abs(first - anonymize(frames)).mean() > 20
    assert np.abs(first[0] - first[1]).mean() > 20


def test_inferencer_passes_the_backend_on(tmp_path):
    config = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
    state = {f'anonymizer.{k}': v for k, v in UNetAnonymizer(2, 2).state_dict().items()}
    content = dict(meta=dict(cfg=f'model = dict(anonymizer={config!r})'), state_dict=state)
    torch.save(content, tmp_path / 'a.pth')
    weights = str(tmp_path / 'a.pth')
    anonymize = AnonymizeInferencer(weights=weights, device='cpu', backend='onnxruntime')
    assert isinstance(anonymize._network(16, 16).network, onnx_network.OnnxNetwork)


def test_settings_without_effect_and_unknown_ones_are_refused():
    with pytest.raises(ValueError, match='for trained anonymizers; blur does without one'):
        AnonymizeInferencer(method='blur', backend='onnxruntime')
    with pytest.raises(ValueError, match="no backend 'x'; choose from torch, onnxruntime"):
        FrameAnonymizer(UNetAnonymizer(2, 2), backend='x')
    with pytest.raises(ValueError, match='on the CPU, not on cuda:1: give --device cpu'):
        FrameAnonymizer(UNetAnonymizer(2, 2), device='cuda:1', backend='onnxruntime')


def test_missing_runtime_is_named(monkeypatch):
    monkeypatch.setattr(onnx_file, 'find_spec', lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install 'spact_mm\[onnx\]'"):
        FrameAnonymizer(UNetAnonymizer(2, 2), backend='onnxruntime')
