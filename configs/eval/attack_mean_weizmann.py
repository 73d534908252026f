# An attacker who averages: the mean of 16 frames of a Weizmann video beside one of them. The mean
# removes noise that is new in each frame.
_base_ = './attack_image_weizmann.py'

size = _base_.size
model = dict(
    data_preprocessor=dict(
        **_base_.clip_preprocessor,
        _delete_=True,
        view='mean',
        augment=_base_.model.data_preprocessor.augment,
        num_classes=_base_.num_persons,
    ),
    backbone=dict(in_channels=6),
)

test_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='SampleClip', clip_len=16),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmpretrain.PackInputs', input_key='imgs', meta_keys=('video_id',)),
]
train_pipeline = test_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
