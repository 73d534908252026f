# The videos of the demo set for attackers, with the same persons for training, validation and test
# as in demo_images.py.
_base_ = './small.py'
demo_root = '{{$DEMO_ROOT:data/demo}}'
attributes = ['dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat', 'companion']

# The middle of the frame, where the person is. Also in training only the choice of frames is
# random, as clips are augmented behind the anonymizer.
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
    attributes=attributes,
)
train_dataloader = dict(
    batch_size=32,
    **_base_.training,
    dataset=dict(
        ann_file=f'{demo_root}/attacker_train_video_attributes.json',
        frames_per_video=2,  # clips of each video in an epoch
        pipeline=train_pipeline,
        **videos,
    ),
)
evaluated = dict(frames_per_video=4, pipeline=test_pipeline, test_mode=True, **videos)
loader = dict(batch_size=32, **_base_.testing)
val_dataloader = dict(
    **loader,
    dataset=dict(ann_file=f'{demo_root}/attacker_val_video_attributes.json', **evaluated),
)
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{demo_root}/test_video_attributes.json', **evaluated)
)
val_evaluator = dict(type='PrivacyAttributeMetric', level='video')
test_evaluator = val_evaluator
