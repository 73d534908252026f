# An attacker who looks at every pixel before the resolution is halved, on VISPR behind a frozen
# anonymizer. Settings are as in attack_image_demo.py; the network is sized for a GPU: three billion
# multiplications per image, about as many as ResNet-50. This config has not been run on VISPR yet.
_base_ = './privacy_resnet50_vispr1.py'

widths = (32, 64, 128, 256, 256, 256)
model = dict(
    data_preprocessor=dict(
        augment=dict(flip=0.5, shift=16),
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(_delete_=True, type='FullResolutionCNN', widths=widths),
    neck=dict(_delete_=True, type='MeanMaxPooling'),
    head=dict(in_channels=2 * widths[-1]),
)

epochs = 40
train_cfg = dict(max_epochs=epochs, val_interval=epochs // 4)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.02))
param_scheduler = dict(
    _delete_=True,
    type='OneCycleLR',
    eta_max=3e-3,
    pct_start=0.2,
    total_steps=epochs,
    **_base_.iterations,
)

# Images are augmented behind the anonymizer: with cache=dict(folder=...) each image is anonymized
# once.
train_pipeline = _base_.test_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
