# A fresh attacker f'_B who names the person in a Weizmann video, one of nine, behind a frozen
# anonymizer; raw video by default. It looks at single frames; its test clips show actions that it
# has not seen, and so do those on which attackers are compared.
_base_ = '../_base_/default_runtime.py'
_base_.pop('model_wrapper_cfg')
_base_.default_hooks.pop('pictures')

weizmann_root = '{{$WEIZMANN_ROOT:data/weizmann}}'
fold = 0
size = 64
num_persons = 9

model = dict(
    type='mmpretrain.ImageClassifier',
    _scope_='mmpretrain',
    data_preprocessor=dict(
        type='AnonymizedImagePreprocessor',
        # Which anonymizer, and the checkpoint of the minimax training that holds its weights.
        anonymizer=dict(type='IdentityAnonymizer'),
        checkpoint=None,
        augment=dict(
            flip=0.5,
            shift=4,
            # The tint of the wall differs from day to day: the attacker must not rely on it alone.
            color=dict(
                contrast=(0.8, 0.8, 1.2),
                hue=(0.5, -0.05, 0.05),
                saturation=(0.8, 0.6, 1.4),
                brightness=(0.8, 0.8, 1.2),
                grayscale=0.2,
            ),
        ),
        mean=[127.5] * 3,
        std=[60.0] * 3,
        num_classes=num_persons,
        to_onehot=False,
    ),
    backbone=dict(type='ResNet', depth=18, base_channels=16, stem_channels=16),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=num_persons, in_channels=128),
)
# Narrow networks are faster channels-last, on CPUs too.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=6)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01))
auto_scale_lr = dict(enable=False, base_batch_size=32)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, **iterations),
]

# The videos are few enough for their frames to be kept.
test_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='mmpretrain.Resize', scale=(size, size)),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
# Frames are augmented behind the anonymizer: with cache=dict(folder=...) each passes it once.
train_pipeline = test_pipeline
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VideoAttributeDataset',
        ann_file=f'{weizmann_root}/fold{fold}/attacker_train.json',
        data_prefix=dict(video=f'{weizmann_root}/videos'),
        single_label=True,
        frames_per_video=24,
        pipeline=train_pipeline,
    ),
)
loader = dict(batch_size=32, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VideoAttributeDataset',
    data_prefix=dict(video=f'{weizmann_root}/videos'),
    single_label=True,
    frames_per_video=10,
    pipeline=test_pipeline,
    test_mode=True,
)
val_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{weizmann_root}/fold{fold}/attacker_val.json', **evaluated)
)
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{weizmann_root}/fold{fold}/identity_test.json', **evaluated)
)
val_cfg = dict()
test_cfg = dict()
# Frame by frame, and with the scores of ten frames of a video averaged.
val_evaluator = [
    dict(type='PrivacyAttributeMetric', single_label=True, prefix='frame'),
    dict(type='PrivacyAttributeMetric', single_label=True, level='video', prefix='video'),
]
test_evaluator = val_evaluator
