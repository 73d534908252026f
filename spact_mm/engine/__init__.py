"""Training: the loop, the hooks and the optimizer constructor."""

from .bad_sample_hook import BadSampleHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import PlainCheckpointHook
from .curves_hook import TrainingCurvesHook
from .minimax_loop import MinimaxTrainLoop
from .optim_constructor import MinimaxOptimWrapperConstructor
from .phase_hook import MinimaxPhaseHook
from .progress_hook import ProgressFileHook
from .reproducible_epoch_hook import ReproducibleEpochHook
from .settings_hook import SettingsHook
from .stage_schedulers import resolve_stages
from .visualization_hook import AnonymizationVisualizationHook

__all__ = [
    'AnonymizationVisualizationHook',
    'BadSampleHook',
    'ChannelsLastHook',
    'MinimaxOptimWrapperConstructor',
    'MinimaxPhaseHook',
    'MinimaxTrainLoop',
    'PlainCheckpointHook',
    'ProgressFileHook',
    'ReproducibleEpochHook',
    'SettingsHook',
    'TrainingCurvesHook',
    'resolve_stages',
]
