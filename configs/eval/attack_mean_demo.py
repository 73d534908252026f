# An attacker who averages: the temporal mean of 16 frames of a video beside one of them, on the
# demo set, behind a frozen anonymizer. Fresh noise in each frame does not survive it.
_base_ = './attack_image_demo.py'
for key in ('train_pipeline', 'test_pipeline'):
    _base_.pop(key)
for split in ('train', 'val', 'test'):
    _base_.pop(f'{split}_dataloader')

demo_root = _base_.demo_root
model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='AnonymizedClipPreprocessor',
        anonymizer=dict(type='IdentityAnonymizer'),
        checkpoint=None,
        view='mean',
        augment=dict(flip=0.5, shift=4),
        num_classes=len(_base_.attributes),
        to_onehot=False,
    ),
    backbone=dict(in_channels=6),
)

# The middle of the frame, where the person is. In training, too, only the choice of the frames is
# drawn, as clips are augmented behind the anonymizer.
test_pipeline = [
    dict(type='DecordInitFromPath', cache=dict()),
    dict(type='SampleClip', clip_len=16),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmpretrain.PackInputs', input_key='imgs', meta_keys=('video_id',)),
]
train_pipeline = test_pipeline
videos = dict(
    type='ReproducibleDataset',
    dataset='VideoAttributeDataset',
    data_prefix=dict(video=f'{demo_root}/videos'),
    attributes=_base_.attributes,
)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=f'{demo_root}/attacker_train_video_attributes.json',
        frames_per_video=2,  # clips of each video in an epoch
        pipeline=train_pipeline,
        **videos,
    ),
)
evaluated = dict(frames_per_video=4, pipeline=test_pipeline, test_mode=True, **videos)
val_dataloader = dict(
    **_base_.loader,
    dataset=dict(ann_file=f'{demo_root}/attacker_val_video_attributes.json', **evaluated),
)
test_dataloader = dict(
    **_base_.loader, dataset=dict(ann_file=f'{demo_root}/test_video_attributes.json', **evaluated)
)
val_evaluator = dict(type='PrivacyAttributeMetric', level='video')
test_evaluator = val_evaluator
