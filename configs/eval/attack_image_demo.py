# An attacker who looks at every pixel: single images of the demo set, behind a frozen anonymizer.
# Against privacy_resnet_demo.py: full resolution first, mean and maximum pooled, wider.
_base_ = './privacy_resnet_demo.py'
_base_.pop('param_scheduler')

widths = (24, 48, 96, 96)
model = dict(
    backbone=dict(_delete_=True, type='FullResolutionCNN', widths=widths),
    neck=dict(_delete_=True, type='MeanMaxPooling'),
    head=dict(in_channels=2 * widths[-1]),
)

epochs = 12
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=3e-3,
    pct_start=0.2,
    total_steps=epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
