"""All work-arounds for gaps in released packages, with a file for each package.

:func:`apply` runs them in order and is called by ``import spact_mm`` before anything else of
MMAction2 or MMPretrain is imported. Each function repairs one gap and says why. It checks that the
gap exists, and does nothing otherwise. ``tests/test_compat.py`` fails as soon as an upstream
release has closed a gap.
"""

from functools import cache

from .av import keep_garbage_in_forks
from .mmaction import (
    disable_broken_multimodal,
    predict_by_present_weights_of_tpn,
    score_in_full_precision,
    stub_missing_drn,
)
from .mmcv import import_mmcv_lite_silently, require_mmcv
from .mmengine import (
    accept_by_epoch_beside_a_loop_of_epochs,
    allow_amp_without_accelerator,
    config_variables,
    drop_device_ids_without_accelerator,
    find_packages_without_pkg_resources,
    fix_separate_no_sync,
    init_process_group_without_accelerator,
    turn_off_default_hooks_by_none,
)
from .mmengine_checkpoints import (
    keep_files_that_a_checkpoint_names,
    load_checkpoints_restricted,
    never_run_what_a_checkpoint_holds,
)
from .mmengine_configs import find_configs_of_this_package
from .torch import define_torchvision_schemas, pad_short_clips_before_convolving
from .x264 import x264_options

__all__ = ['apply', 'config_variables', 'x264_options']


@cache
def apply() -> None:
    """Run every work-around whose condition holds; another call changes nothing."""
    require_mmcv()
    keep_garbage_in_forks()
    stub_missing_drn()
    define_torchvision_schemas()
    import_mmcv_lite_silently()
    disable_broken_multimodal()
    find_packages_without_pkg_resources()
    load_checkpoints_restricted()
    never_run_what_a_checkpoint_holds()
    keep_files_that_a_checkpoint_names()
    init_process_group_without_accelerator()
    drop_device_ids_without_accelerator()
    fix_separate_no_sync()
    allow_amp_without_accelerator()
    score_in_full_precision()
    pad_short_clips_before_convolving()
    predict_by_present_weights_of_tpn()
    turn_off_default_hooks_by_none()
    accept_by_epoch_beside_a_loop_of_epochs()
    find_configs_of_this_package()
