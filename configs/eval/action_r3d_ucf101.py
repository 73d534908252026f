# A fresh action target f'_T on UCF101 behind a frozen anonymizer; raw video by default. Network,
# augmentations and test clips are as in the recipe, optimizer and length as in TeD-SPAD's
# evaluation.
_base_ = [
    '../_base_/action_target.py',
    '../_base_/recognizers/r3d18_dilated.py',
    '../_base_/datasets/ucf101.py',
]
model = _base_.r3d18
model.data_preprocessor.update(_base_.anonymized)
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(enable=False, base_batch_size=16)

train_cfg = dict(max_epochs=100)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, **_base_.iterations),
    dict(type='CosineAnnealingLR', begin=5, **_base_.iterations),
]
