"""Training: the loop, the hooks and the optimizer constructor."""

from .accumulation import GradientAccumulationHook
from .bad_sample_hook import BadSampleHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import PlainCheckpointHook
from .curves_hook import TrainingCurvesHook
from .dead_run_hook import DeadRunHook
from .early_check import EarlyCheckHook
from .evaluated_weights import FlatAveragesHook
from .minimax_loop import MinimaxTrainLoop
from .noise_ramp_hook import NoiseRampHook
from .non_finite_hook import NonFiniteHook
from .optim_constructor import MinimaxOptimWrapperConstructor
from .phase_hook import MinimaxPhaseHook, parse_schedule
from .progress_hook import ProgressFileHook
from .reproducible_epoch_hook import ReproducibleEpochHook
from .resumable_loop import ResumableTrainLoop
from .settings_hook import SettingsHook
from .stage_schedulers import resolve_stages
from .validation_file_hook import ValidationFileHook
from .visualization_hook import AnonymizationVisualizationHook

__all__ = [
    'AnonymizationVisualizationHook',
    'BadSampleHook',
    'ChannelsLastHook',
    'DeadRunHook',
    'EarlyCheckHook',
    'FlatAveragesHook',
    'GradientAccumulationHook',
    'MinimaxOptimWrapperConstructor',
    'MinimaxPhaseHook',
    'MinimaxTrainLoop',
    'NoiseRampHook',
    'NonFiniteHook',
    'PlainCheckpointHook',
    'ProgressFileHook',
    'ReproducibleEpochHook',
    'ResumableTrainLoop',
    'SettingsHook',
    'TrainingCurvesHook',
    'ValidationFileHook',
    'parse_schedule',
    'resolve_stages',
]
