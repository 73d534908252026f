# Settings shared by all configs: scope, hooks, environment, logs.
custom_imports = dict(imports=['spact_mm'], allow_failed_imports=False)
default_scope = 'mmaction'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='PlainCheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    settings=dict(type='SettingsHook'),
    bad_samples=dict(type='BadSampleHook', max_bad_fraction=0.05),
    early_check=dict(type='EarlyCheckHook'),
    non_finite=dict(type='NonFiniteHook', max_bad_steps=10),
    dead_run=dict(type='DeadRunHook', window=50),
    averages=dict(type='FlatAveragesHook'),
    accumulation=dict(type='GradientAccumulationHook'),
    curves=dict(type='TrainingCurvesHook', interval=10),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
