import math
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.nn.functional import binary_cross_entropy_with_logits

from spact_mm.models import AnonymizedClipPreprocessor, FullResolutionCNN, MeanMaxPooling
from spact_mm.models.attackers import CLIP_VIEWS, view_clips

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'eval'


def test_mean_max_pooling_keeps_both_of_images_and_clips():
    maps = torch.zeros(2, 3, 4, 5)
    maps[0, 1, 2, 3] = 20
    for inputs in (maps, maps[:, :, None]):
        (pooled,) = MeanMaxPooling()(inputs)
        assert pooled.shape == (2, 6)
        assert pooled[0].tolist() == [0, 1, 0, 0, 20, 0]
    assert torch.equal(MeanMaxPooling()((maps,))[0], pooled)


def test_first_pair_of_the_full_resolution_cnn_keeps_every_pixel():
    network = FullResolutionCNN(6, widths=(4, 8, 8))
    strides = [m.stride[0] for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert strides == [1, 1, 2, 1, 2, 1]
    (features,) = network(torch.rand(2, 6, 16, 24))
    assert features.shape == (2, 8, 4, 6)


@pytest.mark.parametrize(
    ('view', 'shape'),
    [
        ('frame', (2, 3, 4, 6)),
        ('mean', (2, 6, 4, 6)),
        ('difference', (2, 6, 4, 6)),
        ('stack', (2, 15, 4, 6)),
        ('clip', (2, 3, 5, 4, 6)),
        ('clip_difference', (2, 3, 4, 4, 6)),
    ],
)
def test_views_have_the_shape_that_the_attacker_expects(view, shape):
    assert view_clips(torch.rand(2, 5, 3, 4, 6), view).shape == shape
    assert view in CLIP_VIEWS


def test_the_mean_averages_fresh_noise_away_and_differences_drop_what_stands_still():
    torch.manual_seed(0)
    still = torch.rand(1, 1, 3, 8, 8).expand(1, 64, 3, 8, 8)
    noisy = still + torch.randn(still.shape)
    mean = view_clips(noisy, 'mean')[:, :3]
    assert (mean - still[:, 0]).std() < 0.2
    assert view_clips(still, 'difference').abs().max() == 0


def test_differences_need_two_frames():
    with pytest.raises(ValueError, match="'difference'.*two frames.*clip_len"):
        view_clips(torch.rand(1, 1, 3, 4, 4), 'difference')


def test_clips_are_anonymized_frame_by_frame_before_they_are_put_together():
    init_default_scope('mmaction')
    preprocessor = AnonymizedClipPreprocessor(
        'stack',
        anonymizer=dict(type='ConstantAnonymizer', value=0.5),
        mean=(0,) * 3,
        std=(255,) * 3,
    )
    clips = [torch.randint(0, 256, (1, 3, 4, 8, 8), dtype=torch.uint8) for _ in range(2)]
    inputs = preprocessor(dict(inputs=clips))['inputs']
    assert inputs.shape == (2, 12, 8, 8)
    assert torch.allclose(inputs, torch.full_like(inputs, 0.5))
    identity = AnonymizedClipPreprocessor(
        'clip', anonymizer=dict(type='IdentityAnonymizer'), mean=(0,) * 3, std=(255,) * 3
    )
    inputs = identity(dict(inputs=clips))['inputs']
    assert torch.allclose(inputs[1] * 255, clips[1][0].float(), atol=1e-3)


def test_unknown_views_and_bgr_are_refused():
    anonymizer = dict(type='IdentityAnonymizer')
    with pytest.raises(ValueError, match="view of AnonymizedClipPreprocessor is 'means'"):
        AnonymizedClipPreprocessor('means', anonymizer=anonymizer)
    with pytest.raises(ValueError, match='leave to_rgb out'):
        AnonymizedClipPreprocessor('mean', anonymizer=anonymizer, to_rgb=True)


def test_an_image_classifier_learns_from_several_frames():
    init_default_scope('mmaction')
    from mmpretrain.structures import DataSample

    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            _scope_='mmpretrain',
            data_preprocessor=dict(
                type='AnonymizedClipPreprocessor',
                view='mean',
                anonymizer=dict(type='IdentityAnonymizer'),
            ),
            backbone=dict(type='FullResolutionCNN', in_channels=6, widths=(4, 8)),
            neck=dict(type='MeanMaxPooling'),
            head=dict(type='MultiLabelLinearClsHead', num_classes=2, in_channels=16),
        )
    )
    samples = [DataSample().set_gt_score(torch.tensor([1.0, 0.0])) for _ in range(2)]
    clips = [torch.randint(0, 256, (1, 3, 4, 8, 8), dtype=torch.uint8) for _ in range(2)]
    data = model.data_preprocessor(dict(inputs=clips, data_samples=samples), True)
    losses = model(**data, mode='loss')
    losses['loss'].backward()
    assert model.backbone.layers[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize('name', ['image', 'video', 'mean', 'difference', 'stack', 'clip'])
def test_stronger_attackers_of_the_demo_know_nothing_at_first(name):
    init_default_scope('mmaction')
    from mmpretrain.structures import DataSample

    config = Config.fromfile(CONFIGS / f'attack_{name}_demo.py')
    model = MODELS.build(config.model)
    shape = (3, 48, 64) if name in ('image', 'video') else (1, 3, 16, 48, 48)
    labels = torch.eye(6)[:4]
    batch = dict(
        inputs=[torch.randint(0, 256, shape, dtype=torch.uint8) for _ in labels],
        data_samples=[DataSample().set_gt_score(label) for label in labels],
    )
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    # Six binary cross entropies, of which the head gives the sum: no better than chance.
    assert losses['loss'].item() > 6 * math.log(2) - 1
    samples = model.eval().val_step(batch)
    assert all(0 <= sample.pred_score.min() <= sample.pred_score.max() <= 1 for sample in samples)


def draw_marked_clips(number, generator):
    """Return grey clips (N, 1, 3, 32, 16, 16); every second one has a faint mark that stands still.

    Behind noise of 0.2 the mark has a signal-to-noise ratio of 2.4 in a frame, and its place is not
    known; in the mean of 32 frames it has 14.
    """
    clips = torch.full((number, 1, 3, 1, 16, 16), 0.5)
    for clip in clips[1::2]:
        row, column = torch.randint(0, 13, (2,), generator=generator).tolist()
        clip[..., row : row + 4, column : column + 4] += 0.07
    labels = torch.arange(number) % 2
    return (clips * 255).round().to(torch.uint8).expand(-1, -1, -1, 32, -1, -1), labels


def find_marks(view, seed):
    """Train an attacker behind fresh noise; return how often it ranks a marked clip higher."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    preprocessor = AnonymizedClipPreprocessor(view, anonymizer=dict(type='NoiseAnonymizer'))
    (inputs, labels), (test_inputs, test_labels) = (
        (preprocessor(dict(inputs=clips))['inputs'], labels)
        for clips, labels in (draw_marked_clips(192, generator) for _ in range(2))
    )
    backbone = FullResolutionCNN(inputs.shape[1], widths=(8, 16))
    networks = torch.nn.ModuleList([backbone, torch.nn.Linear(32, 1)])

    def attacker(images):
        (features,) = MeanMaxPooling()(backbone(images))
        return networks[1](features).flatten()

    optimizer = torch.optim.AdamW(networks.parameters(), lr=1e-2)
    for _ in range(8):
        for batch in torch.randperm(len(inputs)).split(32):
            loss = binary_cross_entropy_with_logits(attacker(inputs[batch]), labels[batch].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    networks.eval()
    with torch.no_grad():
        scores = attacker(test_inputs)
    marked, others = scores[test_labels == 1], scores[test_labels == 0]
    return (marked[:, None] > others).float().mean().item()


@pytest.mark.slow
def test_an_attacker_who_averages_sees_through_fresh_noise_and_one_of_single_frames_does_not():
    found = {view: [find_marks(view, seed) for seed in range(3)] for view in ('frame', 'mean')}
    assert min(found['mean']) > 0.9, found
    assert sum(found['frame']) / 3 < 0.75, found


@pytest.mark.parametrize('data', ['demo', 'weizmann'])
def test_attacker_of_clips_has_the_network_of_the_action_target(data):
    """Or of the weights of a target, which it loads without asking for all, it would get a part."""
    target = Config.fromfile(CONFIGS / f'action_r3d_{data}.py').model.backbone.to_dict()
    attacker = Config.fromfile(CONFIGS / f'attack_clip_{data}.py').model.backbone.to_dict()
    assert attacker.pop('type') == f'mmaction.{target.pop("type")}'
    assert attacker == target
