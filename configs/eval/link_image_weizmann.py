# An attacker who links: are two videos of one person? The attacker learns to name the persons of
# the training list by single frames. It is tested on three other persons, whose videos it compares
# by its embedding. A frozen anonymizer comes first; raw video by default.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/weizmann_frames.py',
    '../_base_/attackers/weizmann.py',
]
weizmann_root = _base_.weizmann_root
fold = _base_.fold
size = _base_.size

widths = (16, 32, 64, 64)
model = dict(
    type='EmbeddingClassifier',
    _scope_='mmpretrain',
    data_preprocessor=dict(
        **_base_.image_preprocessor,
        # Labels are of all nine persons, as in the other lists; three persons have no example.
        num_classes=_base_.num_persons,
    ),
    backbone=dict(type='FullResolutionCNN', widths=widths),
    neck=dict(type='MeanMaxPooling'),
    head=dict(type='LinearClsHead', num_classes=_base_.num_persons, in_channels=2 * widths[-1]),
)
# Clips are augmented before the anonymizer, as an attacker can do with raw video of other persons.
train_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='mmpretrain.Resize', scale=(size + 8, size + 8)),
    dict(type='mmpretrain.RandomCrop', crop_size=size),
    dict(type='ClipColorJitter', **_base_.color),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
train_dataloader = dict(
    dataset=dict(ann_file=f'{weizmann_root}/fold{fold}/link_train.json', pipeline=train_pipeline)
)
test_pipeline = [*_base_.test_pipeline[:-1]]
test_pipeline += [dict(type='mmpretrain.PackInputs', meta_keys=('video_id', 'action'))]
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{weizmann_root}/fold{fold}/link_test.json',
        pipeline=test_pipeline,
    )
)
test_evaluator = dict(type='VerificationMetric', across='action')
