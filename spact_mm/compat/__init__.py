"""All work-arounds for gaps in released packages, with a file for each package.

:func:`apply` runs them in order, except that of PyAV, which ``import spact_mm`` runs. It is called
before anything else of MMAction2 or MMPretrain is imported, see :mod:`spact_mm.startup`. Each
function repairs one gap and says why. It checks that the gap exists, and does nothing otherwise.
``tests/test_compat.py`` fails as soon as an upstream release has closed a gap.
"""

from functools import cache

from .av import keep_garbage_in_forks
from .x264 import x264_options

__all__ = ['apply', 'apply_to_checkpoints', 'keep_garbage_in_forks', 'x264_options']


@cache
def apply() -> None:
    """Run every work-around whose condition holds; another call changes nothing."""
    from . import mmcv

    mmcv.require_mmcv()  # the other files import what would be imported without it
    from . import mmaction, mmengine, mmengine_checkpoints, mmengine_configs, torch

    mmaction.stub_missing_drn()
    torch.define_torchvision_schemas()
    mmcv.import_mmcv_lite_silently()
    mmaction.disable_broken_multimodal()
    mmengine.find_packages_without_pkg_resources()
    mmengine_checkpoints.load_checkpoints_restricted()
    mmengine_checkpoints.never_run_what_a_checkpoint_holds()
    mmengine_checkpoints.keep_files_that_a_checkpoint_names()
    mmengine.init_process_group_without_accelerator()
    mmengine.drop_device_ids_without_accelerator()
    mmengine.fix_separate_no_sync()
    mmengine.allow_amp_without_accelerator()
    mmaction.score_in_full_precision()
    torch.pad_short_clips_before_convolving()
    mmaction.predict_by_present_weights_of_tpn()
    mmengine.turn_off_default_hooks_by_none()
    mmengine.accept_by_epoch_beside_a_loop_of_epochs()
    mmengine_configs.find_configs_of_this_package()


def apply_to_checkpoints() -> None:
    """Run those work-arounds that a process needs which loads anonymizers and never trains."""
    from . import mmcv

    mmcv.require_mmcv()
    from . import mmengine, mmengine_checkpoints

    mmengine.import_mmengine_without_sharding()
    mmcv.import_mmcv_lite_silently()
    mmengine_checkpoints.load_checkpoints_restricted()
