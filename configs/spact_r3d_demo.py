# SPAct on the embedded demo set (tools/data/demo/render.py): the code path of spact_r3d_ucf101.py
# with narrow networks and small frames, minutes on two CPU cores. The figures are drawn: the demo
# shows the mechanism and says nothing about protection in the real world.
_base_ = [
    './_base_/minimax_runtime.py',
    './_base_/small_minimax.py',
    './_base_/recognizers/narrow_r3d_demo.py',
    './_base_/datasets/demo.py',
]

# ---- Models -----------------------------------------------------------------------------------
model = dict(
    recognizer=_base_.narrow_r3d,
    privacy_weight=8.0,
    max_action_loss=0.35,
    reconstruction_frames=1,
)

# ---- Schedule ---------------------------------------------------------------------------------
epochs = (4, 4, 10)  # reconstruction, warm-up, minimax
custom_hooks = [
    dict(
        type='MinimaxPhaseHook',
        schedule=[dict(stage, epochs=n) for stage, n in zip(_base_.stages, epochs, strict=True)],
        max_reconstruction_l1=0.04,  # a narrow network
    )
]

warming, cooling = _base_.param_scheduler.recognizer[:2]
warming.end = cooling.begin = 'warmup+2'
del warming, cooling

# ---- Data -------------------------------------------------------------------------------------
size = _base_.size
train_pipeline = [
    *_base_.train_pipeline[:-3],
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(0.08, 0.16)),
    *_base_.packing,
]
privacy_pipeline = [
    dict(type='LoadImageRGB'),
    dict(
        type='TwoViews',
        transforms=[
            # Views show nearly the whole image, as for an attacker: f_A learns to hide features
            # that both views show.
            dict(type='RandomResizedCrop', area_range=(0.65, 1.0), aspect_ratio_range=(1.2, 1.5)),
            dict(type='Resize', scale=(size * 4 // 3, size), keep_ratio=False),
            dict(type='ClipColorJitter'),
            dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(0.08, 0.16)),
        ],
    ),
    dict(type='mmpretrain.PackInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
privacy_dataloader = dict(
    batch_size=16,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{_base_.demo_root}/train_attributes.json',
        data_prefix=dict(img_path=f'{_base_.demo_root}/images'),
        pipeline=privacy_pipeline,
    ),
)
val_dataloader = _base_.test_dataloader

train_cfg = dict(
    type='MinimaxTrainLoop',
    # Before the minimax, and at the end.
    val_interval=8,
)
