import copy

import pytest
import reference
import torch
from mmaction.registry import MODELS
from tiny import (
    CHILDREN,
    RECOGNIZER,
    action_batch,
    batch,
    build_model,
    build_optimizers,
    changed,
    snapshot,
)
from torch import nn

from spact_mm.models import MinimaxAnonymization, memory_format

PHASES = tuple(MinimaxAnonymization.phases)


class PlainRecognizer(nn.Module):
    """The recognizer's layers under a plain forward: normalise, backbone, pool, linear."""

    def __init__(self, recognizer):
        super().__init__()
        self.backbone, self.fc = recognizer.backbone, recognizer.cls_head.fc_cls
        preprocessor = recognizer.data_preprocessor
        self.mean, self.std = preprocessor.mean, preprocessor.std

    def forward(self, clips):
        features = self.backbone((clips * 255 - self.mean) / self.std)
        return self.fc(features.mean(dim=(2, 3, 4)))


class PlainPrivacyBranch(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.backbone, self.mlp = branch.backbone, branch.neck.mlp

    def forward(self, images):
        return self.mlp(self.backbone(images)[0].mean(dim=(2, 3)))


def freeze_biases_before_norms(unet):
    """Their true gradient is zero, and Adam makes steps of the rounding noise."""
    for block in unet.modules():
        if isinstance(block, nn.Sequential):
            for conv in block[0], block[3]:
                conv.bias.requires_grad_(False)


def assert_equal_tensors(ours, theirs):
    """Relative to the tensor's largest value, for single weights may be next to zero."""
    difference = (ours - theirs).abs().max()
    assert difference <= 1e-8 * theirs.abs().max(), difference


@pytest.mark.parametrize('trains_faster', [False, True])
@pytest.mark.parametrize('with_cp', [False, True])
def test_two_rounds_equal_the_plain_loop(monkeypatch, with_cp, trains_faster):
    monkeypatch.setattr(memory_format, '_TRAINS_FASTER', trains_faster)
    weight, lr = 0.7, 1e-3
    model = build_model(
        privacy_weight=weight,
        anonymizer=dict(type='UNetAnonymizer', base_channels=4, num_levels=4, with_cp=with_cp),
    ).double()
    twin = copy.deepcopy(model)
    fa = reference.UNet(4).double()
    fa.load_ours(twin.anonymizer.state_dict())
    freeze_biases_before_norms(fa), freeze_biases_before_norms(model.anonymizer)
    ft, fb = PlainRecognizer(twin.recognizer), PlainPrivacyBranch(twin.privacy_branch)
    adams = [torch.optim.Adam(network.parameters(), lr=lr) for network in (fa, ft, fb)]
    ours = build_optimizers(model, lr=lr)

    for _ in range(2):
        for phase in ('anonymizer', 'adversaries'):
            data = batch(size=48)
            clips = torch.stack(data['action']['inputs'])[:, 0].double() / 255
            labels = torch.cat([s.gt_label for s in data['action']['data_samples']])
            views = [torch.stack(v).double() / 255 for v in data['privacy']['inputs']]
            if phase == 'anonymizer':
                expected = reference.anonymizer_step(
                    fa, ft, fb, clips, labels, views, adams[0], weight
                )
            else:
                expected = reference.adversaries_step(fa, ft, fb, clips, labels, views, *adams[1:])
            model.set_phase(phase)
            logged = model.train_step(data, ours)
            is_adversary = phase == 'adversaries'
            privacy = 'loss_privacy' if is_adversary else 'loss_confusion'
            losses = [logged[f'{phase}/{name}'].item() for name in ('loss_action', privacy)]
            losses[1] *= 1 if is_adversary else -1
            assert losses == pytest.approx(expected, rel=1e-9)

    plain_unet = reference.UNet(4).double()
    plain_unet.load_ours(model.anonymizer.state_dict())
    compared = 0
    for name, value in fa.state_dict().items():
        assert_equal_tensors(plain_unet.state_dict()[name], value)
        compared += 1
    for child in CHILDREN[1:]:
        for name, value in getattr(twin, child).state_dict().items():
            own = getattr(model, child).state_dict()[name]
            assert_equal_tensors(own, value)
            compared += 1
    assert compared > 150


@pytest.mark.parametrize('phase', PHASES)
def test_each_phase_changes_exactly_what_it_updates(phase):
    model = build_model()
    optimizers = build_optimizers(model)
    model.set_phase(phase)
    before = snapshot(model)
    model.train_step(batch(), optimizers)
    updated = {name.split('.')[0] for name in changed(before, model)}
    expected = {'recognizer', 'privacy_branch'} if phase == 'adversaries' else {'anonymizer'}
    assert updated == expected


@pytest.mark.parametrize('phase', PHASES)
def test_accumulated_batches_update_by_the_mean_of_their_gradients(phase):
    start = build_model().double()
    batches = [batch(), batch()]

    def train(batches):
        model = copy.deepcopy(start)
        model.set_phase(phase)
        optimizers = build_optimizers(
            model, lr=0.1, optimizer=dict(type='SGD'), accumulative_counts=len(batches)
        )
        for data in batches:
            assert changed(snapshot(start), model).isdisjoint(dict(start.named_parameters()))
            model.train_step(data, optimizers)
        return dict(model.named_parameters())

    first, second, both = train(batches[:1]), train(batches[1:]), train(batches)
    updated = 0
    for name, value in start.named_parameters():
        torch.testing.assert_close(both[name], (first[name] + second[name]) / 2)
        updated += not torch.equal(both[name], value)
    assert updated > 20


def test_suffering_recognizer_lowers_omega():
    data = batch()
    spared = build_model(privacy_weight=4.0, max_action_loss=0.5)
    plain = build_model(privacy_weight=1.0)
    plain.load_state_dict(spared.state_dict(), strict=False)
    for mean, weight in ((0.0, 4.0), (0.5, 4.0), (2.0, 1.0)):
        spared.mean_action_loss.fill_(mean)
        assert float(spared._current_privacy_weight()) == weight
    models = (spared, plain)
    for model in models:
        model.set_phase('anonymizer')
        logged = model.train_step(data, build_optimizers(model))
        assert ('anonymizer/privacy_weight' in logged) == (model is spared)
    for ours, theirs in zip(*(m.anonymizer.parameters() for m in models), strict=True):
        assert torch.equal(ours, theirs)


def test_loss_that_lowers_omega_is_a_running_mean_of_the_recognizers():
    model = build_model(max_action_loss=0.5)
    model.set_phase('adversaries')
    logged = model.train_step(batch(), build_optimizers(model))
    loss = logged['adversaries/loss_action']
    torch.testing.assert_close(model.mean_action_loss, 0.1 * loss)
    assert 'mean_action_loss' in model.state_dict()
    assert 'mean_action_loss' not in build_model().state_dict()


def test_views_of_another_size_than_the_clips_pass_the_frozen_anonymizer_alike():
    model = build_model().eval()
    parts = [torch.rand(n, t, 3, size, size) for n, t, size in ((2, 4, 32), (2, 1, 32), (3, 1, 40))]
    with torch.no_grad():
        for chosen in (parts[:2], parts):
            outs = model._rewrite(*chosen)
            for part, out in zip(chosen, outs, strict=True):
                assert out.shape == part.shape
                torch.testing.assert_close(out, model._rewrite(part)[0])
                frames = model.anonymizer(part.flatten(0, 1))
                torch.testing.assert_close(out.flatten(0, 1), frames)


def test_adversaries_leave_the_running_statistics_of_the_anonymizer_untouched():
    model = build_model()
    optimizers = build_optimizers(model)
    model.set_phase('anonymizer')
    model.train_step(batch(), optimizers)
    before = snapshot(model.anonymizer)
    model.set_phase('adversaries')
    for _ in range(2):
        model.train_step(batch(), optimizers)
    assert changed(before, model.anonymizer) == set()
    assert not model.anonymizer.training
    assert model.recognizer.training and model.privacy_branch.training


def test_anonymizer_phase_counts_three_batchnorm_batches_and_freezes_the_others():
    model = build_model()
    model.set_phase('anonymizer')
    model.train_step(batch(), build_optimizers(model))
    assert model.anonymizer.stem[1].num_batches_tracked == 3
    assert model.anonymizer.training
    assert not model.recognizer.training and not model.privacy_branch.training
    for child in (model.recognizer, model.privacy_branch):
        assert all(p.requires_grad and p.grad is None for p in child.parameters())


def test_parameters_that_a_user_froze_stay_frozen():
    model = build_model()
    optimizers = build_optimizers(model)
    frozen = model.recognizer.cls_head.fc_cls.weight
    frozen.requires_grad_(False)
    for phase in ('anonymizer', 'adversaries'):
        model.set_phase(phase)
        before = frozen.clone()
        model.train_step(batch(), optimizers)
        assert not frozen.requires_grad and torch.equal(frozen, before)


def test_reconstruction_lowers_the_l1_to_the_identity():
    model = build_model()
    optimizers = build_optimizers(model, lr=1e-2)
    data = batch()
    first = model.train_step(data, optimizers)['reconstruction/loss_l1']
    for _ in range(60):
        last = model.train_step(data, optimizers)['reconstruction/loss_l1']
    assert last < 0.8 * first


def test_reconstruction_can_take_some_frames_of_each_clip():
    model = build_model(reconstruction_frames=2)
    clips = torch.stack(action_batch()['inputs']).float()
    (frames,) = model._plain_clips(dict(action=dict(inputs=clips)))
    expected = clips[:, 0, :, [0, 7]].transpose(1, 2).flatten(0, 1)
    assert torch.equal(frames[:, 0], expected)


def test_identity_anonymizer_leaves_clips_of_distinct_frames_unchanged():
    model = build_model(anonymizer=dict(type='IdentityAnonymizer'))
    clips = torch.arange(8.0).div(8).reshape(1, 1, 1, 8, 1, 1).expand(2, 3, 3, 8, 6, 5)
    assert torch.equal(model.anonymize(clips), clips)


def test_a_frame_influences_its_own_output_only():
    model = build_model().eval()
    clips = torch.rand(2, 1, 3, 6, 16, 16)
    touched = clips.clone()
    touched[1, 0, 0, 4] += 1  # the red of one frame
    difference = (model.anonymize(touched) - model.anonymize(clips)).abs().amax(dim=(2, 4, 5))
    moved = difference[:, 0] > 0
    expected = torch.zeros(2, 6, dtype=torch.bool)
    expected[1, 4] = True
    assert torch.equal(moved, expected)


def test_inference_in_chunks_is_bounded_and_equal():
    model = build_model(max_frames_per_pass=5).eval()
    sizes = []
    model.anonymizer.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    clips = torch.rand(2, 2, 3, 8, 16, 16)
    chunked = model.anonymize(clips)
    assert max(sizes) == 5 and sum(sizes) == 32
    model.max_frames_per_pass = None
    torch.testing.assert_close(chunked, model.anonymize(clips), rtol=0, atol=1e-6)


def test_test_step_is_the_recognizer_on_anonymized_clips():
    model = build_model().eval()
    data = action_batch(clips=2, shape=(5, 3, 8, 32, 32))
    with torch.no_grad():
        predictions = model.test_step(data)
        frames = torch.stack(data['inputs']).float() / 255
        clips = reference.by_frame(model.anonymizer, frames.flatten(0, 1))
        logits = PlainRecognizer(model.recognizer).eval()(clips)
    expected = logits.softmax(1).reshape(2, 5, -1).mean(1)
    scores = torch.stack([p.pred_score for p in predictions])
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)


def test_views_without_privacy_data_are_two_frames_of_one_clip():
    model = build_model(view_distance=(3, 5))
    ramp = torch.arange(10.0).reshape(1, 1, 1, 10, 1, 1)
    clips = (ramp + torch.arange(6.0).reshape(6, 1, 1, 1, 1, 1) * 100).expand(6, 1, 3, 10, 4, 4)
    gaps = set()
    for _ in range(40):
        views = model._views(dict(action=dict(inputs=clips)))
        first, second = (view[:, 0, 0, 0] for view in views.show(views.clips)['inputs'])
        assert torch.equal((first / 100).floor(), torch.arange(6.0))
        gaps.update((second - first).tolist())
    assert gaps == {3.0, 4.0, 5.0}


@pytest.mark.parametrize('phase', PHASES)
def test_phases_run_without_a_privacy_loader(phase):
    model = build_model()
    model.set_phase(phase)
    values = model.train_step(dict(action=action_batch()), build_optimizers(model))
    assert all(name.startswith(f'{phase}/') for name in values)
    assert all(torch.isfinite(value) and not value.requires_grad for value in values.values())


def test_two_dimensional_recognizers_take_segments():
    recognizer = dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18, pretrained=None),
        cls_head=dict(type='TSNHead', num_classes=4, in_channels=512, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[1] * 3, std=[2] * 3),
    )
    model = build_model(recognizer=recognizer, view_distance=(1, 3))
    optimizers = build_optimizers(model)
    data = dict(action=action_batch(shape=(4, 3, 32, 32)))
    for phase in PHASES:
        model.set_phase(phase)
        model.train_step(data, optimizers)
    model.eval()
    assert len(model.test_step(data['action'])) == 3


def test_readiness_measures_without_changing_anything():
    model = build_model(anonymizer=dict(type='IdentityAnonymizer'))
    model.set_phase('adversaries')
    model.recognizer.train()
    before = snapshot(model)
    measured = model.measure_readiness(batch())
    assert changed(before, model) == set()
    assert model.recognizer.training
    assert measured['l1'] == 0 and measured['frames'] == 3 * 8 + 2 * 5
    assert measured['clips'] == 3 and measured['classes'] == 4
    assert 0 <= measured['correct'] <= 3


def test_gradient_accumulation_counts_a_round_once():
    model = build_model()
    optimizers = build_optimizers(model, accumulative_counts=2)
    model.set_phase('anonymizer')
    before = snapshot(model.anonymizer)
    model.train_step(batch(), optimizers)
    moved = [n for n in changed(before, model.anonymizer) if 'running' not in n]
    assert [n for n in moved if 'num_batches' not in n] == []
    model.train_step(batch(), optimizers)
    assert 'head.weight' in changed(before, model.anonymizer)


def test_clips_too_short_for_two_views_are_refused():
    model = build_model(view_distance=(8, 9))
    with pytest.raises(ValueError, match='needs clips of more than 8 frames, but they have 8'):
        model._views(dict(action=dict(inputs=torch.rand(1, 1, 3, 8, 4, 4))))


@pytest.mark.parametrize('phase', PHASES)
def test_mixed_precision_stays_close_to_full(phase):
    values = {}
    data = batch()
    for kind in ('OptimWrapper', 'AmpOptimWrapper'):
        torch.manual_seed(0)
        model = build_model()
        model.set_phase(phase)
        optimizers = build_optimizers(model, type=kind)
        values[kind] = {k: float(v) for k, v in model.train_step(data, optimizers).items()}
        assert all(torch.isfinite(p).all() for p in model.parameters())
    for key, value in values['OptimWrapper'].items():
        if 'loss' in key:
            assert values['AmpOptimWrapper'][key] == pytest.approx(value, rel=0.1, abs=0.1), key


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize('phase', PHASES)
def test_compiled_step_is_the_same_step(phase):
    """As MMEngine's runner compiles a model for ``compile=...``, but without translating graphs."""
    data = batch()
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        torch.compiler.reset()
        model = build_model(max_action_loss=1.0).double()
        model.set_phase(phase)
        # Steps in proportion to the gradient: Adam makes whole ones of rounding errors.
        optimizers = build_optimizers(model, lr=0.1, optimizer=dict(type='SGD'))
        before = snapshot(model)
        if compiled:
            model.train_step = torch.compile(model.train_step, backend='eager')
        values = [model.train_step(data, optimizers) for _ in range(2)]
        assert changed(before, model)
        found.append((values, snapshot(model)))
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


def test_unknown_phase_is_refused():
    with pytest.raises(ValueError, match="no phase 'minmax'; choose from"):
        build_model().set_phase('minmax')


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(privacy_weight=-1), 'privacy_weight must be 0 or more'),
        (dict(max_action_loss=0), 'max_action_loss must be positive'),
        (dict(view_distance=(0, 3)), 'view_distance must be'),
        (dict(reconstruction_frames=0), 'reconstruction_frames must be 1 or more'),
        (dict(max_frames_per_pass=0), 'max_frames_per_pass must be 1 or more'),
        (
            dict(
                recognizer=dict(
                    RECOGNIZER,
                    data_preprocessor=dict(
                        type='ActionDataPreprocessor', format_shape='NCTHW_Heatmap'
                    ),
                )
            ),
            'use an RGB recognizer',
        ),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_model(**settings)


def test_r3d18_settings_give_the_published_network():
    plain = MODELS.build(
        dict(
            type='ResNet3d',
            depth=18,
            pretrained=None,
            with_pool1=False,
            with_pool2=False,
            temporal_strides=(1, 2, 2, 2),
            zero_init_residual=False,
        )
    )
    # torchvision's r3d_18 has 33,371,472 with its classifier of 400 x 512 + 400.
    assert sum(p.numel() for p in plain.parameters()) == 33_166_272


def test_dilated_r3d_keeps_time_in_its_last_stage():
    backbone = MODELS.build(dict(type='DilatedResNet3d'))
    backbone.eval()  # returns nothing in MMAction2
    conv = backbone.layer4[0].conv1.conv
    assert (conv.in_channels, conv.out_channels, conv.bias) == (256, 512, None)
    assert (conv.stride, conv.padding, conv.dilation) == ((1, 2, 2), (2, 1, 1), (2, 1, 1))
    assert backbone.layer4[0].downsample.conv.stride == (1, 2, 2)
    with torch.no_grad():
        assert backbone(torch.rand(1, 3, 16, 112, 112)).shape == (1, 512, 4, 7, 7)


def test_dilated_r3d_refuses_a_temporal_stride():
    with pytest.raises(ValueError, match='end temporal_strides with 1'):
        MODELS.build(dict(type='DilatedResNet3d', temporal_strides=(1, 2, 2, 2)))
