# A fresh action target f'_T on the demo set, behind a frozen anonymizer; raw video by default.
# Only crops and flips; the recipe's further augmentations are for f_A.
_base_ = [
    '../_base_/action_target.py',
    '../_base_/recognizers/narrow_r3d_demo.py',
    '../_base_/datasets/demo.py',
]
model = _base_.narrow_r3d
model.data_preprocessor.update(_base_.anonymized)
# Narrow networks are faster channels-last, also on CPUs.
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=2, **_base_.iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, **_base_.iterations),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
