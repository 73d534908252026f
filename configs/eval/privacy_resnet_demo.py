# A fresh privacy attacker f'_B on the images of the demo set, behind a frozen anonymizer; raw
# images by default. It sees the whole image, 64 x 48. It trains on seven in eight training persons;
# on the eighth attackers are compared.
_base_ = '../_base_/default_runtime.py'
_base_.pop('model_wrapper_cfg')
_base_.default_hooks.pop('pictures')

demo_root = '{{$DEMO_ROOT:data/demo}}'
attributes = ['dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat', 'companion']

model = dict(
    type='mmpretrain.ImageClassifier',
    _scope_='mmpretrain',
    data_preprocessor=dict(
        type='AnonymizedImagePreprocessor',
        # Which anonymizer, and the checkpoint of the minimax training that holds its weights.
        anonymizer=dict(type='IdentityAnonymizer'),
        checkpoint=None,
        augment=dict(flip=0.5, shift=4),
        mean=[127.5] * 3,
        std=[60.0] * 3,
        num_classes=len(attributes),
        to_onehot=False,
    ),
    # The first three stages of a narrow ResNet-18 with the small stem of CIFAR's; the first at full
    # resolution.
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        base_channels=16,
        stem_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    # What is small shows in the maximum: hats, hair, glasses.
    neck=dict(type='MeanMaxPooling'),
    head=dict(type='MultiLabelLinearClsHead', num_classes=len(attributes), in_channels=128),
)
# Narrow networks are faster channels-last, on CPUs too.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]

epochs = 12
train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=epochs)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.02))
auto_scale_lr = dict(enable=False, base_batch_size=32)
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=3e-3,
    pct_start=0.2,
    total_steps=epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)

test_pipeline = [
    dict(type='LoadImageRGB'),
    dict(type='mmpretrain.Resize', scale=(64, 48)),
    dict(type='mmpretrain.PackInputs'),
]
# Images are augmented behind the anonymizer: with cache=dict(folder=...) each passes it once.
train_pipeline = test_pipeline
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{demo_root}/attacker_train_attributes.json',
        data_prefix=dict(img_path=f'{demo_root}/images'),
        attributes=attributes,
        pipeline=train_pipeline,
    ),
)
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VISPRDataset',
    data_prefix=dict(img_path=f'{demo_root}/images'),
    attributes=attributes,
    pipeline=test_pipeline,
    test_mode=True,
)
loader = dict(batch_size=32, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
val_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{demo_root}/attacker_val_attributes.json', **evaluated)
)
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{demo_root}/test_attributes.json', **evaluated)
)
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='PrivacyAttributeMetric')
test_evaluator = val_evaluator
