"""Gaps of mmcv and mmcv-lite."""

import importlib
import sys
import warnings

from .packages import package_dir


def require_mmcv() -> None:
    """Raise an error that names the packages of the module ``mmcv`` if neither is installed.

    Raises:
        ModuleNotFoundError: If neither ``mmcv`` nor ``mmcv-lite`` is installed.
    """
    if package_dir('mmcv') is None:
        raise ModuleNotFoundError(
            'spact_mm needs the module mmcv: run `pip install mmcv-lite==2.1.0`, or install mmcv '
            '2.1.0 where its compiled operators are wanted.',
            name='mmcv',
        )


def import_mmcv_lite_silently() -> None:
    """Import ``mmcv.cnn`` of mmcv-lite without its warning about an operator that it lacks.

    This package does not use that operator. Only this message is filtered, and only during this
    import. Remove this when mmcv-lite does not warn.
    """
    if any(package_dir('mmcv').glob('_ext*')) or 'mmcv.cnn.bricks.transformer' in sys.modules:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings(
            'ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning
        )
        importlib.import_module('mmcv.cnn.bricks.transformer')
