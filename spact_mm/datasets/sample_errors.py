"""Distinguish unreadable files from bugs among the errors of a pipeline."""

import re

import cv2
import decord
from mmaction.datasets.transforms import loading as mmaction_loading
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose

from ..media.unreadable import UnreadableFileError

#: Transforms of MMAction2 and MMCV that open files or decode; they have no error class of their
#: own.
_LOADING = (
    LoadImageFromFile,
    mmaction_loading.ArrayDecode,
    mmaction_loading.DecordDecode,
    mmaction_loading.DecordInit,
    mmaction_loading.ImageDecode,
    mmaction_loading.LoadAudioFeature,
    mmaction_loading.LoadRGBFromFile,
    mmaction_loading.OpenCVDecode,
    mmaction_loading.OpenCVInit,
    mmaction_loading.PIMSDecode,
    mmaction_loading.PIMSInit,
    mmaction_loading.PyAVDecode,
    mmaction_loading.PyAVInit,
    mmaction_loading.RawFrameDecode,
)
#: Errors of these transforms for an unreadable file. MMCV's image loader uses an assertion; decord
#: raises IndexError for a video without frames.
_THEIR_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
    AssertionError,
    cv2.error,
    decord.DECORDError,
    decord.DECORDLimitReachedError,
)


def find_transform(error: BaseException):
    """Return the innermost transform that has raised an error; None if no transform has."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is Compose.__call__.__code__:
            found = trace.tb_frame.f_locals.get('t', found)
        trace = trace.tb_next
    return found


def is_unreadable(error: Exception, transform) -> bool:
    """Return whether an error means that a sample's file cannot be read.

    Args:
        error (Exception): The error of the pipeline.
        transform: The transform that raised it (:func:`find_transform`).
    """
    if isinstance(error, UnreadableFileError):
        return True
    is_theirs = isinstance(transform, _LOADING) and not _is_ours(transform)
    return is_theirs and isinstance(error, _THEIR_ERRORS)


def describe_transform(transform) -> str:
    """Return the name of a transform for a message."""
    if transform is None:
        return 'The data set'
    named = transform if hasattr(transform, '__name__') else type(transform)
    return f'The transform {named.__name__}'


def describe_reason(error: Exception) -> str:
    """Return the first line of an error, without decord's prefix of time and place."""
    text = re.sub(r'\[\d\d:\d\d:\d\d\] \S+:\d+: ', '', str(error)).strip()
    if not text:
        return type(error).__name__
    line = text.splitlines()[0]
    # Errors with a sentence need no class name; the text of a KeyError is only the key.
    is_sentence = type(error) in (OSError, RuntimeError, UnreadableFileError, ValueError)
    return line if is_sentence else f'{type(error).__name__}: {line}'


def _is_ours(transform) -> bool:
    return type(transform).__module__.startswith(f'{__package__}.')
