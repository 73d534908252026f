# A reconstruction attack on frames of the Weizmann actions: a UNet learns to undo the anonymizer.
_base_ = './privacy_resnet_weizmann.py'
for key in ('model', 'val_dataloader', 'val_cfg', 'val_evaluator'):
    _base_.pop(key)

model = dict(
    type='ReconstructionAttack',
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
    inverter=dict(type='UNetAnonymizer', base_channels=8, num_levels=3),
)
train_cfg = dict(max_epochs=4)
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=0))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-4, begin=1, **iterations),
]
test_evaluator = dict(_delete_=True, type='ReconstructionMetric')
