# A fresh action target f'_T on UCF101 behind a frozen anonymizer; raw video by default. Network,
# augmentations and test clips are as in the recipe, optimizer and length as in TeD-SPAD's
# evaluation.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/recognizers/r3d18_dilated.py',
    '../_base_/datasets/ucf101.py',
]
model = _base_.r3d18
model.data_preprocessor.update(
    type='AnonymizedActionPreprocessor',
    # The anonymizer, and the checkpoint of the minimax training with its weights; anonymizer=None
    # takes the anonymizer of the checkpoint.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
custom_hooks = [dict(type='ReproducibleEpochHook')]
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(enable=False, base_batch_size=16)

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=100)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-4))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, **iterations),
    dict(type='CosineAnnealingLR', begin=5, **iterations),
]
# The last checkpoint is used; there is no selection.
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AccMetric')
