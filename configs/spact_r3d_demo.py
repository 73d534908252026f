# SPAct on the embedded demo set (tools/data/demo/render.py): the code path of spact_r3d_ucf101.py
# with narrow networks and small frames, minutes on two CPU cores. The figures are drawn: this
# shows the mechanism and says nothing about protection in the real world.
_base_ = ['./_base_/default_runtime.py', './_base_/small_minimax.py']

demo_root = '{{$DEMO_ROOT:data/demo}}'
size = 48
num_classes = 8

# ---- Models -----------------------------------------------------------------------------------
model = dict(
    recognizer=dict(
        # For small frames: a 3x3x3 stem, pooled.
        backbone=dict(
            conv1_kernel=(3, 3, 3),
            pool1_stride_t=1,
            spatial_strides=(1, 2, 2),
        ),
        cls_head=dict(num_classes=num_classes),
    ),
    privacy_weight=8.0,
    max_action_loss=0.35,
    reconstruction_frames=1,
)

# ---- Schedule ---------------------------------------------------------------------------------
custom_hooks = [
    dict(
        type='MinimaxPhaseHook',
        schedule=[
            dict(name='reconstruction', phase='reconstruction', epochs=4),
            dict(name='warmup', phase='adversaries', epochs=4),
            dict(name='minimax', phase=('anonymizer', 'adversaries'), epochs=10),
        ],
        max_reconstruction_l1=0.04,  # a narrow network
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
            end='warmup+2',
            **iterations,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min=2e-4,
            begin='warmup+2',
            end='warmup.end',
            **iterations,
        ),
        dict(type='MultiStepLR', milestones=['minimax'], gamma=10, by_epoch=True),  # 2e-3
    ],
    privacy_branch=[],
)

# ---- Data -------------------------------------------------------------------------------------
# Eight frames, every second: 1.3 s, a whole cycle of each action.
# The middle of the frame, where the person is, give or take a seventh. The videos are few enough
# for their frames to be kept, 1.0 GiB.
train_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(size + 8, size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=size),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(0.08, 0.16)),
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
privacy_pipeline = [
    dict(type='LoadImageRGB'),
    dict(
        type='TwoViews',
        transforms=[
            # Nearly all of the image, as an attacker would look at it: f_A learns to hide what both
            # views show.
            dict(type='RandomResizedCrop', area_range=(0.65, 1.0), aspect_ratio_range=(1.2, 1.5)),
            dict(type='Resize', scale=(size * 4 // 3, size), keep_ratio=False),
            dict(type='ClipColorJitter'),
            dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(0.08, 0.16)),
        ],
    ),
    dict(type='mmpretrain.PackInputs'),
]

# The samples are small: sending them from another process would cost as much as making them.
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
privacy_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{demo_root}/train_attributes.json',
        data_prefix=dict(img_path=f'{demo_root}/images'),
        pipeline=privacy_pipeline,
    ),
)
val_dataloader = dict(
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
test_dataloader = val_dataloader

train_cfg = dict(
    type='MinimaxTrainLoop',
    # Before the minimax, and at the end.
    val_interval=8,
)
