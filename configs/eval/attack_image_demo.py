# An attacker who looks at every pixel: single images of the demo set, behind a frozen anonymizer.
_base_ = './privacy_resnet_demo.py'

widths = (24, 48, 96, 96)
model = dict(
    backbone=dict(_delete_=True, type='FullResolutionCNN', widths=widths),
    head=dict(in_channels=2 * widths[-1]),
)
