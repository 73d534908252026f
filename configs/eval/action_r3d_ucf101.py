# A fresh action target f'_T on UCF101 behind a frozen anonymizer; raw video by default. Network,
# augmentations and test clips are those of the recipe, optimizer and length those with which
# TeD-SPAD evaluates.
_base_ = '../spact_r3d_ucf101.py'
model = _base_.pop('model').recognizer
for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'model_wrapper_cfg'):
    _base_.pop(key)
for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_evaluator'):
    _base_.pop(key)
for key in ('privacy_dataloader', 'privacy_pipeline', 'vispr_root'):
    _base_.pop(key)
_base_.default_hooks.pop('pictures')

model.data_preprocessor.update(
    type='AnonymizedActionPreprocessor',
    # Which anonymizer, and the checkpoint of the minimax training that holds its weights;
    # anonymizer=None takes the one of the checkpoint.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
custom_hooks = [dict(type='ReproducibleEpochHook')]
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(base_batch_size=16)

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=100)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-4))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, **iterations),
    dict(type='CosineAnnealingLR', begin=5, **iterations),
]
# The last checkpoint is the one that counts: nothing is selected.
test_evaluator = dict(type='AccMetric')
