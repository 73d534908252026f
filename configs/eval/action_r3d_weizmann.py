# A fresh action target f'_T on the Weizmann actions, behind a frozen anonymizer; raw video by
# default. Its test clips show persons that the target has not seen.
_base_ = [
    '../_base_/action_target.py',
    '../_base_/recognizers/narrow_r3d_weizmann.py',
    '../_base_/datasets/weizmann.py',
]
model = _base_.narrow_r3d
model.data_preprocessor.update(_base_.anonymized)
# Narrow networks are faster channels-last, also on CPUs.
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

train_cfg = dict(max_epochs=7)  # of eight times all clips
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **_base_.iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, **_base_.iterations),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
