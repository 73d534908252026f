# What the recipes of a renderer share (docs/method.md). It learns from clips of 16 successive
# frames of f_A's training videos; tools/anonymize.py gives it clips of the same length.
model = dict(type='RendererTraining')
clip = dict(clip_len=16, frame_interval=1)
custom_hooks = [dict(type='ReproducibleEpochHook')]
train_cfg = dict(type='ResumableTrainLoop', by_epoch=True, max_epochs=6)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0))
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=1, **iterations),
    dict(type='CosineAnnealingLR', eta_min=1e-4, begin=1, **iterations),
]
