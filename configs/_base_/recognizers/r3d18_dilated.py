# f_T of SPAct: R3D-18 whose last stage is dilated in time instead of strided [code]; frames in
# [0, 1], no mean and std [code]; 101 classes (the code has 102 for labels that start at 1).
r3d18 = dict(
    type='Recognizer3D',
    backbone=dict(
        type='DilatedResNet3d',
        depth=18,
        # Kinetics weights [paper], after tools/convert/torchvision_r3d18.py --dilated:
        # init_cfg=dict(type='Pretrained', prefix='backbone.',
        #               checkpoint='checkpoints/r3d18_dilated.pth'),
    ),
    cls_head=dict(
        type='I3DHead', in_channels=512, num_classes=101, dropout_ratio=0, average_clips='prob'
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[0] * 3, std=[255] * 3, format_shape='NCTHW'
    ),
)
