# SPAct on the Weizmann actions (tools/data/weizmann): real people, small enough for a CPU. f_A sees
# no clip of the persons and actions that the fold holds out. There is no second data set: the two
# views are frames of one video, each augmented by itself.
_base_ = ['./_base_/default_runtime.py', './_base_/small_minimax.py']

weizmann_root = '{{$WEIZMANN_ROOT:data/weizmann}}'
fold = 0
size = 64
num_classes = 9

# ---- Models -----------------------------------------------------------------------------------
model = dict(
    recognizer=dict(
        # A first kernel that is longer in time.
        backbone=dict(
            conv1_kernel=(5, 3, 3),
            with_pool1=False,
            spatial_strides=(2, 2, 2),
        ),
        cls_head=dict(num_classes=num_classes),
    ),
    privacy_weight=1.0,
    reconstruction_frames=2,
)

# ---- Schedule ---------------------------------------------------------------------------------
custom_hooks = [
    dict(
        type='MinimaxPhaseHook',
        schedule=[
            dict(name='reconstruction', phase='reconstruction', epochs=3),
            dict(name='warmup', phase='adversaries', epochs=4),
            dict(name='minimax', phase=('anonymizer', 'adversaries'), epochs=14),
        ],
    )
]

iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(
    anonymizer=[
        dict(type='LinearLR', start_factor=0.1, begin=0, end='reconstruction+1', **iterations),
        dict(
            type='CosineAnnealingLR',
            eta_min=2e-4,
            begin='reconstruction+1',
            end='reconstruction.end',
            **iterations,
        ),
        dict(type='MultiStepLR', milestones=['minimax'], gamma=20, by_epoch=True),  # 4e-3
        dict(
            type='LinearLR',
            start_factor=0.1,
            begin='minimax',
            end='minimax+1',
            **iterations,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min=3e-4,
            begin='minimax+1',
            end='minimax.end',
            **iterations,
        ),
    ],
    recognizer=[
        dict(
            type='LinearLR',
            start_factor=0.05,
            begin='warmup',
            end='warmup+1',
            **iterations,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min=2e-4,
            begin='warmup+1',
            end='warmup.end',
            **iterations,
        ),
        dict(type='MultiStepLR', milestones=['minimax'], gamma=10, by_epoch=True),  # 2e-3
    ],
    privacy_branch=[],
)

# ---- Data -------------------------------------------------------------------------------------
# Eight frames, every third: 0.9 s, the whole of the shortest clip.
# The middle of the frame, give or take a ninth. The videos are few enough for their frames to be
# kept.
train_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=3, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    # Stronger colours keep the recognizer from learning at all.
    dict(
        type='ClipColorJitter',
        contrast=(0.5, 0.8, 1.2),
        hue=(0.5, -0.05, 0.05),
        saturation=(0.5, 0.6, 1.4),
        brightness=(0.5, 0.8, 1.2),
        grayscale=0.1,
    ),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=3, num_clips=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=size / (size + 8), random=False),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
privacy_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=2),
    dict(type='DecordDecode'),
    dict(
        type='TwoViews',
        transforms=[
            dict(type='SquareCrop', scale=(0.8, 1.0)),
            dict(type='Resize', scale=(size, size), keep_ratio=False),
            dict(
                type='ClipColorJitter',
                contrast=(0.5, 0.8, 1.2),
                hue=(0.3, -0.03, 0.03),
                saturation=(0.5, 0.7, 1.3),
                brightness=(0.5, 0.8, 1.2),
            ),
            dict(type='Flip', flip_ratio=0.5),
        ],
    ),
    dict(type='mmpretrain.PackInputs'),
]
# So few clips that an epoch takes each of them several times.
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset=dict(
            type='RepeatDataset',
            times=8,
            dataset=dict(
                type='VideoDataset',
                ann_file=f'{weizmann_root}/fold{fold}/anonymizer_train.txt',
                data_prefix=dict(video=f'{weizmann_root}/videos'),
                pipeline=train_pipeline,
            ),
        ),
    ),
)
privacy_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset=dict(
            type='RepeatDataset',
            times=4,
            dataset=dict(
                type='VideoDataset',
                ann_file=f'{weizmann_root}/fold{fold}/anonymizer_train.txt',
                data_prefix=dict(video=f'{weizmann_root}/videos'),
                pipeline=privacy_pipeline,
            ),
        ),
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ReproducibleDataset',
        ann_file=f'{weizmann_root}/fold{fold}/action_test.txt',
        data_prefix=dict(video=f'{weizmann_root}/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

train_cfg = dict(
    type='MinimaxTrainLoop',
    # Before the minimax, half way, and at the end.
    val_interval=7,
)
