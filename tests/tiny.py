"""Small models and batches that go through the same code as the recipes."""

import torch
from mmaction.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmaction.structures import ActionDataSample
from mmpretrain.structures import DataSample

CLASSES = 4

RECOGNIZER = dict(
    type='Recognizer3D',
    backbone=dict(type='DilatedResNet3d', base_channels=4),
    cls_head=dict(
        type='I3DHead',
        in_channels=32,
        num_classes=CLASSES,
        dropout_ratio=0,
        init_std=0.3,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.0, 120.0, 100.0],
        std=[50.0, 60.0, 55.0],
        format_shape='NCTHW',
    ),
)
PRIVACY_BRANCH = dict(
    type='ContrastivePrivacyBranch',
    backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=4, stem_channels=4),
    neck=dict(type='mmpretrain.MoCoV2Neck', in_channels=32, hid_channels=32, out_channels=16),
)
CHILDREN = ('anonymizer', 'recognizer', 'privacy_branch')


def model_config(**settings):
    return dict(
        dict(
            type='MinimaxAnonymization',
            anonymizer=dict(type='UNetAnonymizer', base_channels=2, num_levels=2),
            recognizer=RECOGNIZER,
            privacy_branch=PRIVACY_BRANCH,
        ),
        **settings,
    )


def build_model(**settings):
    return MODELS.build(model_config(**settings))


def build_optimizers(model, lr=1e-3, optimizer=(), **shared):
    settings = dict(dict(type='Adam', lr=lr), **dict(optimizer))
    bare = getattr(model, 'module', model)
    children = [name for name in CHILDREN if getattr(bare, name) is not None]
    config = {name: dict(optimizer=settings) for name in children}
    constructor = dict(
        type='MinimaxOptimWrapperConstructor', optim_wrapper_cfg=dict(config, **shared)
    )
    return OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model)


def action_batch(clips=3, shape=(1, 3, 8, 32, 32)):
    samples = []
    for index in range(clips):
        samples.append(ActionDataSample().set_gt_label(index % CLASSES))
    inputs = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(clips)]
    return dict(inputs=inputs, data_samples=samples)


def privacy_batch(images=5, size=32, attributes=None, views=2):
    """Collated as `pseudo_collate` does; `attributes` is the number of labels, None for none."""
    inputs = torch.randint(0, 256, (views, images, 3, size, size), dtype=torch.uint8)
    inputs = list(inputs[0]) if views == 1 else [list(view) for view in inputs]
    samples = [None] * images
    if attributes is not None:
        labels = torch.randint(0, 2, (images, attributes)).float()
        samples = [DataSample().set_gt_score(label) for label in labels]
    return dict(inputs=inputs, data_samples=samples)


def batch(size=32):
    return dict(action=action_batch(shape=(1, 3, 8, size, size)), privacy=privacy_batch(size=size))


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before, module):
    """Return the names of the parameters and buffers that differ from the snapshot by any bit."""
    now = module.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, now[name])}


def trust_last_batch(model):
    """Let BatchNorm in eval mode use the last batch: deep networks overflow by the first values."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0
