# A small UNet that learns to undo an anonymizer: a reconstruction attack.
model = dict(
    type='ReconstructionAttack',
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
    inverter=dict(type='UNetAnonymizer', base_channels=8, num_levels=3),
)
# Narrow networks are faster channels-last, also on CPUs.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=4)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0))
auto_scale_lr = dict(enable=False, base_batch_size=32)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-4, begin=1, **iterations),
]
test_cfg = dict()
test_evaluator = dict(type='ReconstructionMetric')
