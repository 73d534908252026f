# SPAct on the Weizmann actions (tools/data/weizmann): real people, small enough for a CPU. f_A sees
# no clip of the persons and actions that the fold holds out. There is no second data set: the two
# views are frames of one video, each augmented separately.
_base_ = [
    './_base_/minimax_runtime.py',
    './_base_/small_minimax.py',
    './_base_/recognizers/narrow_r3d_weizmann.py',
    './_base_/datasets/weizmann.py',
]

# ---- Models -----------------------------------------------------------------------------------
model = dict(
    recognizer=_base_.narrow_r3d,
    privacy_weight=1.0,
    reconstruction_frames=2,
)

# ---- Schedule ---------------------------------------------------------------------------------
epochs = (3, 4, 14)  # reconstruction, warm-up, minimax
custom_hooks = [
    dict(
        type='MinimaxPhaseHook',
        schedule=[dict(stage, epochs=n) for stage, n in zip(_base_.stages, epochs, strict=True)],
    )
]

# ---- Data -------------------------------------------------------------------------------------
size = _base_.size
f_a_videos = f'{_base_.weizmann_root}/fold{_base_.fold}/anonymizer_train.txt'
privacy_pipeline = [
    _base_.opening,
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

train_dataloader = dict(dataset=dict(dataset=dict(dataset=dict(ann_file=f_a_videos))))
privacy_dataloader = dict(
    batch_size=16,
    **_base_.training,
    dataset=dict(
        type='ReproducibleDataset',
        dataset=dict(
            type='RepeatDataset',
            times=4,
            dataset=dict(ann_file=f_a_videos, pipeline=privacy_pipeline, **_base_.videos),
        ),
    ),
)
val_dataloader = _base_.test_dataloader

train_cfg = dict(
    type='MinimaxTrainLoop',
    # Before the minimax, half way, and at the end.
    val_interval=7,
)
