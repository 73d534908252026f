# Training of attackers on the Weizmann actions. Narrow networks are faster channels-last, also on
# CPUs.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]
# The tint of the wall differs from day to day: the attacker must not rely on the tint alone.
color = dict(
    contrast=(0.8, 0.8, 1.2),
    hue=(0.5, -0.05, 0.05),
    saturation=(0.8, 0.6, 1.4),
    brightness=(0.8, 0.8, 1.2),
    grayscale=0.2,
)

train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=6)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01))
auto_scale_lr = dict(enable=False, base_batch_size=32)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, **iterations),
]
test_cfg = dict()
