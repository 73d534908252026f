# An attacker who looks at every pixel of a frame and names one of nine persons in a Weizmann video.
_base_ = './privacy_resnet_weizmann.py'

widths = (16, 32, 64, 64)
model = dict(
    backbone=dict(_delete_=True, type='FullResolutionCNN', widths=widths),
    neck=dict(_delete_=True, type='MeanMaxPooling'),
    head=dict(in_channels=2 * widths[-1]),
)

epochs = 8
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(optimizer=dict(lr=3e-3, weight_decay=0.02))
param_scheduler = dict(
    _delete_=True,
    type='OneCycleLR',
    eta_max=3e-3,
    pct_start=0.2,
    total_steps=epochs,
    **_base_.iterations,
)
