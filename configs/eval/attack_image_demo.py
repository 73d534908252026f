# An attacker who looks at every pixel: single images of the demo set, behind a frozen anonymizer.
# Against privacy_resnet_demo.py: full resolution first, mean and maximum pooled, wider. Images are
# augmented behind the anonymizer, so that with data_preprocessor.cache=dict(folder=...) each passes
# it only once.
_base_ = './privacy_resnet_demo.py'
_base_.pop('param_scheduler')

widths = (24, 48, 96, 96)
model = dict(
    data_preprocessor=dict(augment=dict(flip=0.5, shift=4)),
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

train_pipeline = _base_.test_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
