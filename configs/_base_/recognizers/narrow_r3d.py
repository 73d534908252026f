# A narrow network for CPUs: R3D with one block in each of three stages.
narrow_r3d = dict(
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
        type='ActionDataPreprocessor', mean=[127.5] * 3, std=[60.0] * 3, format_shape='NCTHW'
    ),
)
