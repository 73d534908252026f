# Frames of the Weizmann actions for attackers who identify one of nine persons. An attacker's test
# videos show actions that are in no training of the attacker.
_base_ = './small.py'
weizmann_root = '{{$WEIZMANN_ROOT:data/weizmann}}'
fold = 0
size = 64
num_persons = 9

# There are few enough videos to keep their frames in memory.
test_pipeline = [
    dict(type='LoadVideoFrame', cache=dict(max_gib=1.0)),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='mmpretrain.Resize', scale=(size, size)),
    dict(type='mmpretrain.PackInputs', meta_keys=('video_id',)),
]
# Frames are augmented behind the anonymizer: with cache=dict(folder=...) each frame is anonymized
# once.
train_pipeline = test_pipeline
train_dataloader = dict(
    batch_size=32,
    **_base_.training,
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
loader = dict(batch_size=32, **_base_.testing)
evaluated = dict(
    type='ReproducibleDataset',
    dataset='VideoAttributeDataset',
    data_prefix=dict(video=f'{weizmann_root}/videos'),
    single_label=True,
    frames_per_video=10,
    pipeline=test_pipeline,
    test_mode=True,
)
test_dataloader = dict(
    **loader, dataset=dict(ann_file=f'{weizmann_root}/fold{fold}/identity_test.json', **evaluated)
)
