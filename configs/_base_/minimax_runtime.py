# The default runtime with additions for trainings of an anonymizer: pictures and several
# optimizers.
_base_ = './default_runtime.py'

default_hooks = dict(
    pictures=dict(type='AnonymizationVisualizationHook', interval=1, num_clips=4, num_frames=6),
)
# Three optimizers need a wrapper for each child (README, "Several GPUs").
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
