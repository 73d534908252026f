# The videos of the rendered demo set (tools/data/demo/render.py). There are few enough videos to
# keep their frames in memory, 1.0 GiB.
demo_root = '{{$DEMO_ROOT:data/demo}}'
size = 48

# Eight frames, every second one: 1.3 s, a whole cycle of each action. The crop is the middle of the
# frame, where the person is, shifted by up to a seventh.
train_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=5, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# The samples are small: sending them from another process would take as long as making them.
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{demo_root}/train_videos.txt',
        data_prefix=dict(video=f'{demo_root}/videos'),
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{demo_root}/test_videos.txt',
        data_prefix=dict(video=f'{demo_root}/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
