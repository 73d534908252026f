"""Data sets, their transforms and their annotation files."""

from ..media.unreadable import UnreadableFileError
from . import transforms
from .pa_hmdb51 import PA_HMDB51_ATTRIBUTES, VISPR1_COLUMNS, PAHMDB51Dataset
from .reproducible import ReproducibleDataset
from .video_attributes import VideoAttributeDataset
from .vispr import VISPR1_ATTRIBUTES, VISPR2_ATTRIBUTES, VISPRDataset

__all__ = [
    'PA_HMDB51_ATTRIBUTES',
    'VISPR1_ATTRIBUTES',
    'VISPR1_COLUMNS',
    'VISPR2_ATTRIBUTES',
    'PAHMDB51Dataset',
    'ReproducibleDataset',
    'UnreadableFileError',
    'VISPRDataset',
    'VideoAttributeDataset',
    'transforms',
]
