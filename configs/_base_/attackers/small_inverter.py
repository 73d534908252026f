# A small UNet that learns to undo an anonymizer: a reconstruction attack.
_base_ = './small.py'
model = dict(
    type='ReconstructionAttack',
    **_base_.raw,
    inverter=dict(type='UNetAnonymizer', base_channels=8, num_levels=3),
)
train_cfg = dict(max_epochs=4)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **_base_.iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-4, begin=1, **_base_.iterations),
]
test_evaluator = dict(type='ReconstructionMetric')
