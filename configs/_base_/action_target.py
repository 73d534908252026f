# What fresh action targets f'_T share. They are tested with the last checkpoint, without selection.
_base_ = './default_runtime.py'
# Raw video by default.
anonymized = dict(
    type='AnonymizedActionPreprocessor',
    # The anonymizer, and the checkpoint of the minimax training with its weights; anonymizer=None
    # takes the anonymizer of the checkpoint.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
custom_hooks = [dict(type='ReproducibleEpochHook')]
train_cfg = dict(type='ResumableTrainLoop', by_epoch=True)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='AccMetric')
