"""Anonymizers f_A: frames (N, 3, H, W) in [0, 1] to frames of the same shape and range."""

from .blacken import BlackenAnonymizer
from .clip_renderer import ClipRenderer
from .constant import ConstantAnonymizer
from .downsample import DownsampleAnonymizer
from .gaussian_blur import GaussianBlurAnonymizer
from .gaussian_channel import GaussianChannel
from .identity import IdentityAnonymizer
from .noise import NoiseAnonymizer
from .pixelate import PixelateAnonymizer
from .recolor import RecolorAnonymizer
from .sequential import SequentialAnonymizer
from .traits import (
    has_cacheable_signal,
    is_cacheable,
    is_random,
    min_size,
    mixes_frames,
    rewrite_clips,
    shares_noise,
    takes_clips,
)
from .unet import UNetAnonymizer
from .unet_plus_plus import UNetPlusPlusAnonymizer

__all__ = [
    'BlackenAnonymizer',
    'ClipRenderer',
    'ConstantAnonymizer',
    'DownsampleAnonymizer',
    'GaussianBlurAnonymizer',
    'GaussianChannel',
    'IdentityAnonymizer',
    'NoiseAnonymizer',
    'PixelateAnonymizer',
    'RecolorAnonymizer',
    'SequentialAnonymizer',
    'UNetAnonymizer',
    'UNetPlusPlusAnonymizer',
    'has_cacheable_signal',
    'is_cacheable',
    'is_random',
    'min_size',
    'mixes_frames',
    'rewrite_clips',
    'shares_noise',
    'takes_clips',
]
