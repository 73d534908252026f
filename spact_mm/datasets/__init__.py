"""Data sets, their transforms and their annotation files."""

from . import transforms
from .reproducible import ReproducibleDataset
from .vispr import VISPR1_ATTRIBUTES, VISPR2_ATTRIBUTES, VISPRDataset

__all__ = [
    'VISPR1_ATTRIBUTES',
    'VISPR2_ATTRIBUTES',
    'ReproducibleDataset',
    'VISPRDataset',
    'transforms',
]
