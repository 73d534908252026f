# A fresh action target f'_T on the demo set, behind a frozen anonymizer; raw video by default.
_base_ = '../spact_r3d_demo.py'
model = _base_.pop('model').recognizer
for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'model_wrapper_cfg'):
    _base_.pop(key)
for key in ('privacy_dataloader', 'privacy_pipeline'):
    _base_.pop(key)
for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_evaluator'):
    _base_.pop(key)
_base_.default_hooks.pop('pictures')

# Nothing changes under a fresh target.
model.backbone.pop('norm_cfg')
model.data_preprocessor.update(
    type='AnonymizedActionPreprocessor',
    # Which anonymizer, and the checkpoint of the minimax training that holds its weights.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
# Narrow networks are faster channels-last, on CPUs too.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]

# Crops and flips only; the recipe's further augmentations are for f_A.
train_pipeline = [
    dict(type='DecordInitFromPath', cache=dict(max_gib=1.0)),
    dict(type='ReflectSampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=1.0, random=False),
    dict(type='Resize', scale=(_base_.size + 8, _base_.size + 8), keep_ratio=False),
    dict(type='RandomCrop', size=_base_.size),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=10)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=2, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, **iterations),
]
# The last checkpoint is the one that counts: nothing is selected.
test_evaluator = dict(type='AccMetric')
