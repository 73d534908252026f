# The Weizmann actions (tools/data/weizmann). Test clips show persons who are in no training of the
# fold.
_base_ = './small.py'
weizmann_root = '{{$WEIZMANN_ROOT:data/weizmann}}'
fold = 0
size = 64

# Eight frames, every third one: 0.9 s, the length of the shortest clip. The crop is the middle of
# the frame, shifted by up to a ninth.
train_pipeline = [
    _base_.opening,
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=3, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    # With stronger changes of colours the recognizer does not learn at all.
    dict(
        type='ClipColorJitter',
        contrast=(0.5, 0.8, 1.2),
        hue=(0.5, -0.05, 0.05),
        saturation=(0.5, 0.6, 1.4),
        brightness=(0.5, 0.8, 1.2),
        grayscale=0.1,
    ),
    dict(type='Flip', flip_ratio=0.5),
    *_base_.packing,
]
test_pipeline = [
    _base_.opening,
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=3, num_clips=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    *_base_.packing,
]

videos = dict(type='VideoDataset', data_prefix=dict(video=f'{weizmann_root}/videos'))
# There are so few clips that an epoch takes each of them several times.
train_dataloader = dict(
    batch_size=8,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        dataset=dict(
            type='RepeatDataset',
            times=8,
            dataset=dict(
                ann_file=f'{weizmann_root}/fold{fold}/action_train.txt',
                pipeline=train_pipeline,
                **videos,
            ),
        ),
    ),
)
test_dataloader = dict(
    batch_size=8,
    **_base_.testing,
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{weizmann_root}/fold{fold}/action_test.txt',
        data_prefix=dict(video=f'{weizmann_root}/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
