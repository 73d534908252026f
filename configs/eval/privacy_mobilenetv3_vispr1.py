# The attacker of privacy_resnet50_vispr1.py with MobileNetV3-Large in place of ResNet-50.
_base_ = './privacy_resnet50_vispr1.py'
model = dict(
    backbone=dict(_delete_=True, type='MobileNetV3', arch='large'), head=dict(in_channels=960)
)
