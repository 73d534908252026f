# The panel's network for the demo set, its training, and its labels: attributes.
_base_ = './small.py'
widths = (24, 48, 96, 96)
model = dict(
    type='mmpretrain.ImageClassifier',
    _scope_='mmpretrain',
    # The network looks at every pixel.
    backbone=dict(type='FullResolutionCNN', widths=widths),
    # The maximum shows small things: hats, hair, glasses.
    neck=dict(type='MeanMaxPooling'),
    head=dict(type='MultiLabelLinearClsHead', num_classes=6, in_channels=2 * widths[-1]),
)
epochs = 12
train_cfg = dict(max_epochs=epochs)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.02))
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=3e-3,
    pct_start=0.2,
    total_steps=epochs,
    **_base_.iterations,
)
val_cfg = dict()
