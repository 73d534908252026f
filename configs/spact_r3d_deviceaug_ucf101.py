# SPAct with the augmentation on the GPU: data workers only decode. This is for machines with few
# cores for each GPU.
_base_ = './spact_r3d_ucf101.py'

model = dict(
    augmentation=dict(
        size=(_base_.size, _base_.size),
        crop=dict(scale=(0.6, 1.0)),
        color=dict(),
        flip_or_erase=dict(flip=0.5, erase=0.25, erase_size=(9, 18)),
    )
)
augmenting = ('SquareCrop', 'Resize', 'ClipColorJitter', 'FlipOrErase')
train_pipeline = [t for t in _base_.train_pipeline if t.type not in augmenting]
# Photographs have all sizes: smaller ones are faster to transfer.
privacy_pipeline = [
    dict(type='LoadImageRGB', min_size=187),
    dict(type='TwoViews', transforms=[]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
privacy_dataloader = dict(dataset=dict(pipeline=privacy_pipeline))
