# What the recipes for CPUs share: narrow networks, R3D with one block in each of three stages, and
# optimizers that suit them.
model = dict(
    type='MinimaxAnonymization',
    anonymizer=dict(type='UNetAnonymizer', base_channels=8, num_levels=3),
    recognizer=dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d',
            depth=18,
            num_stages=3,
            stage_blocks=(1, 1, 1),
            out_indices=(2,),
            base_channels=16,
            pretrained=None,
            with_pool2=False,
            temporal_strides=(1, 2, 2),
            dilations=(1, 1, 1),
            zero_init_residual=False,
            # In so short a minimax, what f_T sees changes faster than the usual mean follows.
            norm_cfg=dict(type='BN3d', momentum=0.3, requires_grad=True),
        ),
        cls_head=dict(
            type='I3DHead',
            in_channels=64,
            dropout_ratio=0,
            init_std=0.1,  # the default, 0.01, makes narrow networks start slowly
            average_clips='prob',
        ),
        # Narrow networks learn faster from normalised inputs.
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            mean=[127.5] * 3,
            std=[60.0] * 3,
            format_shape='NCTHW',
        ),
    ),
    privacy_branch=dict(
        type='ContrastivePrivacyBranch',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
        neck=dict(type='mmpretrain.MoCoV2Neck', in_channels=128, hid_channels=128, out_channels=64),
        loss=dict(type='NTXentLoss', temperature=0.1),
    ),
    # Narrow networks are faster so, on CPUs too.
    channels_last=True,
)
optim_wrapper = dict(
    constructor='MinimaxOptimWrapperConstructor',
    anonymizer=dict(optimizer=dict(type='Adam', lr=1.5e-2)),
    recognizer=dict(optimizer=dict(type='Adam', lr=4e-3)),
    privacy_branch=dict(optimizer=dict(type='Adam', lr=1e-3)),
)
# For --auto-scale-lr: the clips in a batch, over all processes, that these rates are for.
auto_scale_lr = dict(enable=False, base_batch_size=8)

val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = [dict(type='AccMetric'), dict(type='FrameChangeMetric')]
test_evaluator = val_evaluator
