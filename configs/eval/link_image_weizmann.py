# An attacker who links: are two videos of one person? It learns to name the persons of the training
# list by single frames, and is tested on three other persons, whose videos it compares by the
# features behind. A frozen anonymizer in front; raw video by default.
_base_ = './privacy_resnet_weizmann.py'
for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'train_pipeline'):
    _base_.pop(key)
augment = _base_.model.data_preprocessor.pop('augment')

weizmann_root = _base_.weizmann_root
fold = _base_.fold
widths = (16, 32, 64, 64)
model = dict(
    type='EmbeddingClassifier',
    # Labels are those of all nine persons, as in the other lists: three have no example.
    backbone=dict(_delete_=True, type='FullResolutionCNN', widths=widths),
    neck=dict(_delete_=True, type='MeanMaxPooling'),
    head=dict(in_channels=2 * widths[-1]),
)
# Augmented in front of the anonymizer, as the one who links may do with raw video of others.
size = _base_.size
train_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='mmpretrain.Resize', scale=(size + 8, size + 8)),
    dict(type='mmpretrain.RandomCrop', crop_size=size),
    dict(type='ClipColorJitter', **augment.color),
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
test_evaluator = dict(_delete_=True, type='VerificationMetric', across='action')
