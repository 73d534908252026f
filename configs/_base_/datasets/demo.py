# The videos of the rendered demo set (tools/data/demo/render.py); their frames take 1.0 GiB.
_base_ = './small.py'
demo_root = '{{$DEMO_ROOT:data/demo}}'
size = 48

# Eight frames, every second one: 1.3 s, a whole cycle of each action. The crop is the middle of the
# frame, where the person is, shifted by up to a seventh.
train_pipeline = [
    _base_.opening,
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    dict(type='Flip', flip_ratio=0.5),
    *_base_.packing,
]
test_pipeline = [
    _base_.opening,
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=5, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    *_base_.packing,
]

train_dataloader = dict(
    batch_size=8,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{demo_root}/train_videos.txt',
        data_prefix=dict(video=f'{demo_root}/videos'),
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=8,
    **_base_.testing,
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{demo_root}/test_videos.txt',
        data_prefix=dict(video=f'{demo_root}/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
