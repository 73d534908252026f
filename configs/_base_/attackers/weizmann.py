# Training of attackers on the Weizmann actions.
_base_ = './small.py'
# The tint of the wall differs from day to day: the attacker must not rely on the tint alone.
color = dict(
    contrast=(0.8, 0.8, 1.2),
    hue=(0.5, -0.05, 0.05),
    saturation=(0.8, 0.6, 1.4),
    brightness=(0.8, 0.8, 1.2),
    grayscale=0.2,
)

train_cfg = dict(max_epochs=6)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **_base_.iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, **_base_.iterations),
]
