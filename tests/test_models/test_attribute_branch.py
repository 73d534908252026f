import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import DATASETS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.dataset import pseudo_collate
from mmpretrain.models import CrossEntropyLoss, GlobalAveragePooling, ResNet
from mmpretrain.structures import DataSample
from PIL import Image
from tiny import (
    CHILDREN,
    action_batch,
    build_model,
    build_optimizers,
    changed,
    privacy_batch,
    snapshot,
)

from spact_mm.datasets.annotation_files import write_attribute_file
from spact_mm.models.frames import fold_frames, unfold_frames

ATTRIBUTES = 3
BACKBONE = dict(type='mmpretrain.ResNet', depth=18, base_channels=4, stem_channels=4)
#: The type of the loss has no prefix: it is the branch that makes it MMPretrain's.
HEAD = dict(
    type='mmpretrain.MultiLabelLinearClsHead',
    num_classes=ATTRIBUTES,
    in_channels=32,
    loss=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / ATTRIBUTES),
    init_cfg=dict(type='Normal', layer='Linear', std=0.5),
)
BRANCH = dict(type='AttributePrivacyBranch', backbone=BACKBONE, head=HEAD)


def build_branch(**settings):
    branch = MODELS.build(dict(BRANCH, **settings))
    branch.init_weights()
    return branch


def build(**settings):
    model = build_model(privacy_branch=BRANCH, **settings)
    model.init_weights()
    return model


def make_batch(views=1, images=5):
    privacy = privacy_batch(images=images, attributes=ATTRIBUTES, views=views)
    return dict(action=action_batch(shape=(1, 3, 8, 32, 32)), privacy=privacy)


def labels_of(samples):
    return torch.stack([sample.gt_score for sample in samples])


@pytest.mark.parametrize('count', [1, 2, 3])
def test_loss_is_the_mean_bce_over_attributes_images_and_views(count):
    branch = build_branch()
    views = torch.rand(count, 5, 3, 32, 32)
    samples = privacy_batch(attributes=ATTRIBUTES)['data_samples']
    other = copy.deepcopy(branch)
    losses = branch(list(views), samples, mode='loss')
    assert set(losses) == {'loss_privacy'}
    targets = labels_of(samples)
    expected = [
        # Each view is a BatchNorm batch of its own.
        F.binary_cross_entropy_with_logits(
            other.head.fc(other.backbone(view)[-1].mean((2, 3))), targets
        )
        for view in views
    ]
    torch.testing.assert_close(losses['loss_privacy'], sum(expected) / count)
    assert branch.backbone.bn1.num_batches_tracked == count


def test_logits_are_those_of_each_view():
    branch = build_branch()
    branch.train(False)
    views = list(torch.rand(2, 4, 3, 32, 32))
    logits = branch(views, mode='tensor')
    assert [x.shape for x in logits] == [(4, ATTRIBUTES)] * 2
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    for view, ours in zip(views, logits, strict=True):
        features = branch.backbone(view)[-1].mean((2, 3))
        torch.testing.assert_close(ours, branch.head.fc(features))


def test_predictions_average_the_logits_of_the_views():
    branch = build_branch()
    branch.train(False)
    views = list(torch.rand(2, 4, 3, 32, 32))
    samples = privacy_batch(images=4, attributes=ATTRIBUTES)['data_samples']
    predictions = branch(views, samples, mode='predict')
    expected = torch.stack(branch(views, mode='tensor')).mean(0).sigmoid()
    torch.testing.assert_close(torch.stack([p.pred_score for p in predictions]), expected)
    assert [p.gt_score.tolist() for p in predictions] == labels_of(samples).tolist()
    assert len(branch(views[:1], mode='predict')) == 4


def test_one_class_of_many_is_learned_by_cross_entropy():
    head = dict(type='mmpretrain.LinearClsHead', num_classes=4, in_channels=32)
    branch = build_branch(head=head)
    views = [torch.rand(5, 3, 32, 32)]
    labels = torch.tensor([3, 1, 0, 2, 3])
    samples = [DataSample().set_gt_label(int(label)) for label in labels]
    logits = copy.deepcopy(branch)(views, mode='tensor')[0]
    loss = branch(views, samples)['loss_privacy']
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))


def test_children_are_mmpretrains_in_the_scope_of_mmaction():
    branch = build_branch(
        backbone=dict(BACKBONE, type='ResNet'), head=dict(HEAD, type='MultiLabelLinearClsHead')
    )
    assert isinstance(branch.backbone, ResNet)
    assert isinstance(branch.neck, GlobalAveragePooling)
    for loss in (branch.head.loss_module, build_branch().head.loss_module):
        assert isinstance(loss, CrossEntropyLoss)
    default = {key: value for key, value in HEAD.items() if key != 'loss'}
    assert isinstance(build_branch(head=default).head.loss_module, CrossEntropyLoss)
    with pytest.raises(TypeError, match='use_sigmoid'):
        build_branch(head=dict(HEAD, _scope_='mmaction'))


@pytest.mark.parametrize('views', [1, 2])
def test_two_rounds_change_what_each_phase_updates(views):
    model = build()
    optimizers = build_optimizers(model)
    updated = dict(
        reconstruction={'anonymizer'},
        adversaries={'recognizer', 'privacy_branch'},
        anonymizer={'anonymizer'},
    )
    for _ in range(2):
        for phase, names in updated.items():
            model.set_phase(phase)
            before = {name: snapshot(getattr(model, name)) for name in CHILDREN}
            values = model.train_step(make_batch(views), optimizers)
            assert all(torch.isfinite(value) for value in values.values())
            moved = {name for name in CHILDREN if changed(before[name], getattr(model, name))}
            assert moved == names, phase


def build_sgd(model, lr):
    settings = {name: dict(optimizer=dict(type='SGD', lr=lr)) for name in CHILDREN}
    constructor = dict(type='MinimaxOptimWrapperConstructor', optim_wrapper_cfg=settings)
    return OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model)


@pytest.mark.parametrize('views', [1, 2])
def test_anonymizer_follows_the_gradient_of_action_minus_attribute_loss(views):
    weight = 0.7
    model = build(privacy_weight=weight).double()
    data = make_batch(views)
    targets = labels_of(data['privacy']['data_samples']).double()
    plain = copy.deepcopy(model)
    plain.anonymizer.train()
    plain.recognizer.eval()
    plain.privacy_branch.eval()
    inputs = plain.data_preprocessor(data, True)
    shown = [plain.anonymizer(view) for view in inputs['privacy']['inputs']]
    logits = plain.privacy_branch(shown, mode='tensor')
    loss_privacy = F.binary_cross_entropy_with_logits(
        torch.cat(logits), torch.cat([targets] * views)
    )
    clips, samples = inputs['action']['inputs'], inputs['action']['data_samples']
    frames = plain.anonymizer(fold_frames(clips, plain.format_shape))
    clips, samples = plain._normalize(unfold_frames(frames, clips, plain.format_shape), samples)
    loss_action = plain.recognizer(clips, samples, mode='loss')['loss_cls']
    parameters = list(plain.anonymizer.parameters())
    expected = torch.autograd.grad(loss_action - weight * loss_privacy, parameters)

    model.set_phase('anonymizer')
    values = model.train_step(data, build_sgd(model, lr=1.0))
    assert values['anonymizer/loss_confusion'].item() == pytest.approx(
        -loss_privacy.item(), rel=1e-6
    )
    for before, now, gradient in zip(
        parameters, model.anonymizer.parameters(), expected, strict=True
    ):
        # The head's targets are float32.
        torch.testing.assert_close(now, before - gradient, rtol=1e-5, atol=1e-9)
    assert max(gradient.abs().max() for gradient in expected) > 1e-3


def train(model, phase, data, optimizers, steps):
    model.set_phase(phase)
    values = [model.train_step(data, optimizers) for _ in range(steps)]
    if phase == 'anonymizer':
        return [-value['anonymizer/loss_confusion'].item() for value in values]
    return [value['adversaries/loss_privacy'].item() for value in values]


@pytest.mark.slow
def test_step_2_lowers_the_attribute_loss_and_step_1_raises_it():
    # So large that L_T has no say in the direction.
    model = build(privacy_weight=1000.0)
    data = make_batch()
    losses = train(model, 'adversaries', data, build_optimizers(model, lr=5e-3), steps=15)
    assert losses[-1] < 0.9 * losses[0]
    losses = train(model, 'anonymizer', data, build_sgd(model, lr=2e-7), steps=4)
    assert losses == sorted(set(losses))
    losses = train(model, 'anonymizer', data, build_sgd(model, lr=6e-6), steps=20)
    assert losses[-1] > 1.01 * losses[0]


@pytest.mark.slow
def test_labels_decide_what_is_learned():
    data = make_batch()
    flipped = copy.deepcopy(data)
    for sample in flipped['privacy']['data_samples']:
        sample.set_gt_score(1 - sample.gt_score)
    model = build()
    other = copy.deepcopy(model)
    train(model, 'adversaries', data, build_optimizers(model, lr=5e-3), steps=40)
    train(other, 'adversaries', flipped, build_optimizers(other, lr=5e-3), steps=40)
    with torch.no_grad():
        shown = [model.anonymizer(torch.stack(data['privacy']['inputs']) / 255)]
    for branch, own, opposite in (
        (model.privacy_branch, data, flipped),
        (other.privacy_branch, flipped, data),
    ):
        loss, opposite_loss = (
            branch(shown, batch['privacy']['data_samples'])['loss_privacy'].item()
            for batch in (own, opposite)
        )
        assert loss < 0.5 and opposite_loss > 1


@pytest.mark.parametrize('views', [1, 2])
def test_a_labelled_loader_reaches_the_branch(tmp_path, views):
    images = [(f'{index}.png', ['hat'] if index % 2 else []) for index in range(4)]
    for name, _ in images:
        pixels = np.random.RandomState(0).randint(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    write_attribute_file(tmp_path / 'a.json', ['beard', 'hat', 'glasses'], images)
    resize = [dict(type='mmpretrain.Resize', scale=(32, 32))]
    if views == 2:
        resize = dict(type='Resize', scale=(32, 32), keep_ratio=False)
        resize = [dict(type='TwoViews', transforms=[resize])]
    dataset = dict(
        type='VISPRDataset',
        ann_file='a.json',
        data_root=str(tmp_path),
        attributes=['hat', 'beard', 'glasses'],
        pipeline=[dict(type='LoadImageRGB'), *resize, dict(type='mmpretrain.PackInputs')],
    )
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=dataset))
    model = build()
    seen = []
    forward = model.privacy_branch.forward
    model.privacy_branch.forward = lambda views, samples, mode: (
        seen.append((len(views), labels_of(samples).tolist())) or forward(views, samples, mode)
    )
    optimizers = build_optimizers(model)
    data = dict(
        action=action_batch(shape=(1, 3, 8, 32, 32)),
        privacy=pseudo_collate([dataset[index] for index in range(4)]),
    )
    for phase in ('adversaries', 'anonymizer'):
        model.set_phase(phase)
        model.train_step(data, optimizers)
    assert seen == [(views, [[0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]])] * 2


def test_labels_move_to_the_device_of_the_model():
    model = build().to('meta')
    data = model.data_preprocessor(make_batch(), True)
    assert {sample.gt_score.device.type for sample in data['privacy']['data_samples']} == {'meta'}


@pytest.mark.parametrize('samples', [None, [None] * 5, [DataSample()] * 5])
def test_samples_without_labels_are_refused(samples):
    with pytest.raises(ValueError, match='needs a labelled privacy loader.*privacy_dataloader'):
        build_branch()([torch.rand(5, 3, 32, 32)], samples)


@pytest.mark.parametrize('phase', ['adversaries', 'anonymizer'])
def test_views_of_clips_have_no_labels(phase):
    model = build()
    model.set_phase(phase)
    with pytest.raises(ValueError, match='needs a labelled privacy loader'):
        model.train_step(dict(action=action_batch()), build_optimizers(model))


def test_another_number_of_attributes_is_refused():
    samples = privacy_batch(attributes=ATTRIBUTES + 1)['data_samples']
    with pytest.raises(ValueError, match='num_classes=3, but the privacy samples have 4 attr'):
        build_branch()([torch.rand(5, 3, 32, 32)], samples)


def test_no_view_and_unknown_modes_are_refused():
    branch = build_branch()
    with pytest.raises(ValueError, match='at least one view'):
        branch([], mode='tensor')
    with pytest.raises(ValueError, match="has no mode 'embed'"):
        branch([torch.rand(2, 3, 32, 32)], mode='embed')
