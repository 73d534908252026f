# What trainings of an anonymizer have beside the default runtime: pictures and several optimizers.
_base_ = './default_runtime.py'

default_hooks = dict(
    pictures=dict(type='AnonymizationVisualizationHook', interval=1, num_clips=4, num_frames=6),
)
# Three optimizers need a wrapper for each child (README, "Several GPUs").
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
