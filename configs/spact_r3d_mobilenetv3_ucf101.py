# SPAct with MobileNetV3-Large in place of ResNet-50 as the privacy branch.
_base_ = './spact_r3d_ucf101.py'
model = dict(
    privacy_branch=dict(
        backbone=dict(_delete_=True, type='mmpretrain.MobileNetV3', arch='large'),
        neck=dict(in_channels=960),
    )
)
