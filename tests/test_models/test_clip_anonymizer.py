"""An anonymizer of clips goes wherever one of frames goes, and its clips are never cut."""

import sys

import numpy as np
import pytest
import torch
from e2e import write_video
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from tiny import action_batch, batch, build_model, build_optimizers
from torch import nn

from spact_mm.apis import AnonymizeInferencer, anonymize_file
from spact_mm.apis.frame_anonymizer import FrameAnonymizer, clip_length
from spact_mm.models import is_cacheable, takes_clips
from spact_mm.models.anonymizers import SequentialAnonymizer, mixes_frames, rewrite_clips
from spact_mm.models.frames import as_clips, map_chunks


@MODELS.register_module()
class ClipMeanAnonymizer(BaseModule):
    """Every frame becomes the mean of its clip, times a weight."""

    takes_clips = True

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.scale = nn.Parameter(torch.ones(1))
        self.shapes = []

    def forward(self, clips):
        assert clips.dim() == 5 and clips.shape[2] == 3
        self.shapes.append(tuple(clips.shape[:2]))
        return (clips.mean(1, keepdim=True) * self.scale).expand_as(clips)


MEAN = dict(type='ClipMeanAnonymizer')


def test_traits_and_layouts():
    network = ClipMeanAnonymizer()
    assert takes_clips(network) and takes_clips(MEAN) and not is_cacheable(MEAN)
    clips = torch.rand(2, 4, 3, 5, 6)
    assert torch.equal(rewrite_clips(network, clips)[:, 0], clips.mean(1))
    inputs = torch.rand(2, 3, 3, 4, 5, 6)
    assert torch.equal(as_clips(inputs, 'NCTHW')[4, 1], inputs[1, 1, :, 1])
    assert torch.equal(as_clips(inputs[:, :, :, 0], 'NCHW')[1, 2], inputs[1, 2, :, 0])


def test_noise_mixes_no_frames_but_what_is_before_it_may():
    channel = dict(type='GaussianChannel', anonymizer=dict(type='IdentityAnonymizer'))
    rows = [dict(type='SequentialAnonymizer', stages=[channel, x]) for x in (channel, MEAN)]
    rows += [channel, MEAN, dict(channel, anonymizer=MEAN), dict(type='IdentityAnonymizer')]
    networks = [MODELS.build(row) for row in rows]
    assert [mixes_frames(x) for x in networks] == [False, True, False, True, True, False]
    assert [clip_length(x) for x in networks] == [1, 16, 1, 16, 16, 1]


@pytest.mark.parametrize('chunk, count', [(1, 1), (9, 2), (8, 2), (None, 5)])
def test_chunks_hold_whole_clips(chunk, count):
    network = ClipMeanAnonymizer()
    clips = torch.rand(5, 4, 3, 2, 2)
    assert torch.equal(map_chunks(network, clips, chunk), network(clips))
    assert network.shapes[0] == (count, 4)


def test_frames_and_clips_in_a_row():
    stages = [dict(type='DownsampleAnonymizer', factor=2), MEAN, dict(type='IdentityAnonymizer')]
    network = SequentialAnonymizer(stages)
    assert network.takes_clips
    clips = torch.rand(2, 4, 3, 8, 8)
    frames = network.stages[0](clips.flatten(0, 1)).unflatten(0, (2, 4))
    assert torch.equal(network(clips), frames.mean(1, keepdim=True).expand_as(frames))


@pytest.mark.parametrize('with_privacy', [False, True])
def test_it_trains_in_every_phase(with_privacy):
    model = build_model(anonymizer=MEAN, view_distance=(3, 5))
    optimizers = build_optimizers(model)
    for phase in model.phases:
        data = batch() if with_privacy else dict(action=action_batch())
        model.set_phase(phase)
        before = model.anonymizer.scale.item()
        values = model.train_step(data, optimizers)
        assert all(torch.isfinite(value) for value in values.values())
        assert (model.anonymizer.scale.item() != before) == (phase != 'adversaries')
    lengths = {length for _, length in model.anonymizer.shapes}
    assert lengths == ({8, 1} if with_privacy else {8})


def test_views_of_clips_are_frames_of_the_rewritten_clip():
    model = build_model(anonymizer=MEAN, view_distance=(3, 5))
    clips = torch.rand(2, 1, 3, 8, 4, 4)
    views = model._views(dict(action=dict(inputs=clips)))
    shown = views.show(model._rewrite(*views.clips))['inputs']
    for view in shown:
        torch.testing.assert_close(view, clips[:, 0].mean(2))
    raw = views.show(views.clips)['inputs']
    assert not torch.equal(*raw)


@pytest.mark.parametrize(
    'shape, layout', [((2, 2, 3, 4, 6, 6), 'NCTHW'), ((2, 4, 3, 6, 6), 'NCHW')]
)
def test_recognizers_see_its_clips(shape, layout):
    config = dict(type='AnonymizedActionPreprocessor', anonymizer=MEAN, max_frames_per_pass=1)
    preprocessor = MODELS.build(dict(config, format_shape=layout, mean=[0.0] * 3, std=[1.0] * 3))
    clips = torch.randint(0, 256, shape).float()
    done = preprocessor(dict(inputs=list(clips), data_samples=None))['inputs']
    axis = 3 if layout == 'NCTHW' else 1
    torch.testing.assert_close(done, clips.mean(axis, keepdim=True).expand_as(clips))


def test_attackers_see_its_clips():
    config = dict(type='AnonymizedClipPreprocessor', anonymizer=MEAN, view='clip')
    preprocessor = MODELS.build(dict(config, mean=[0.0] * 3, std=[1.0] * 3))
    clips = torch.randint(0, 256, (2, 1, 3, 4, 6, 6)).float()
    done = preprocessor(dict(inputs=list(clips)))['inputs']
    torch.testing.assert_close(done, clips[:, 0].mean(2, keepdim=True).expand_as(clips[:, 0]))
    config = dict(type='AnonymizedImagePreprocessor', anonymizer=MEAN, num_classes=2)
    images = torch.randint(0, 256, (3, 3, 6, 6)).float()
    done = MODELS.build(config)(dict(inputs=list(images)))['inputs']
    torch.testing.assert_close(done, images)


@pytest.mark.parametrize('batch_size', [1, 16, 40])
def test_a_video_is_cut_into_clips_of_sixteen_frames(batch_size):
    network = FrameAnonymizer(ClipMeanAnonymizer(), batch_size=batch_size)
    frames = np.random.default_rng(0).integers(0, 256, (40, 4, 6, 3), np.uint8)
    done = network(frames)
    for begin, end in ((0, 16), (16, 32), (32, 40)):
        mean = frames[begin:end].mean(0)
        assert np.abs(done[begin:end].astype(float) - mean).max() <= 0.51


def test_a_file_is_anonymized_by_clips(tmp_path, monkeypatch):
    """Whatever number of frames is read at a time."""
    module = sys.modules[anonymize_file.__module__]
    monkeypatch.setattr(module, '_BATCH_BYTES', 3 * 64 * 48 * 20)
    write_video(tmp_path / 'a.mp4', label=1, seed=0)
    state = {f'anonymizer.{k}': v for k, v in ClipMeanAnonymizer().state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'fa.pth')
    config = dict(model=dict(anonymizer=MEAN))
    infer = AnonymizeInferencer(
        model=config, weights=str(tmp_path / 'fa.pth'), device='cpu', show_progress=False,
        force=True,
    )  # fmt: skip
    (done,) = infer(str(tmp_path / 'a.mp4'))['predictions']
    same = [np.array_equal(done[i], done[i + 1]) for i in range(len(done) - 1)]
    assert len(done) > 32
    assert [i + 1 for i, equal in enumerate(same) if not equal] == [16, 32]
