"""Anonymizers f_A: frames (N, 3, H, W) in [0, 1] to frames of the same shape and range."""

from .identity import IdentityAnonymizer
from .unet import UNetAnonymizer

__all__ = ['IdentityAnonymizer', 'UNetAnonymizer']
