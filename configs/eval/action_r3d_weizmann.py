# A fresh action target f'_T on the Weizmann actions, behind a frozen anonymizer; raw video by
# default. Its test clips show persons that the target has not seen.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/recognizers/narrow_r3d_weizmann.py',
    '../_base_/datasets/weizmann.py',
]
model = _base_.narrow_r3d
model.data_preprocessor.update(
    type='AnonymizedActionPreprocessor',
    # The anonymizer, and the checkpoint of the minimax training with its weights.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
# Narrow networks are faster channels-last, also on CPUs.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=7)  # of eight times all clips
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, **iterations),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
# The last checkpoint is used; there is no selection.
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AccMetric')
