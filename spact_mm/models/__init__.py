"""Models: the anonymizer, the privacy branches, and the minimax model that trains them."""

from .anonymizers import (
    BlackenAnonymizer,
    ConstantAnonymizer,
    DownsampleAnonymizer,
    GaussianBlurAnonymizer,
    GaussianChannel,
    IdentityAnonymizer,
    NoiseAnonymizer,
    PixelateAnonymizer,
    RecolorAnonymizer,
    SequentialAnonymizer,
    UNetAnonymizer,
    UNetPlusPlusAnonymizer,
    is_cacheable,
    is_random,
    takes_clips,
)
from .attackers import (
    AnonymizedClipPreprocessor,
    EmbeddingClassifier,
    FullResolutionCNN,
    MeanMaxPooling,
)
from .backbones import DilatedResNet3d
from .clip_augmentation import ClipAugmentation
from .device_augmentation import DeviceAugmentation
from .losses import NTXentLoss
from .minimax import MinimaxAnonymization
from .minimax_preprocessor import MinimaxDataPreprocessor
from .preprocessors import AnonymizedActionPreprocessor, AnonymizedImagePreprocessor
from .priced import PricedAnonymization
from .privacy import (
    AttributePrivacyBranch,
    ContrastivePrivacyBranch,
    PrivacyBranch,
    ReconstructionAttack,
    ReconstructionPreprocessor,
)

__all__ = [
    'AnonymizedActionPreprocessor',
    'AnonymizedClipPreprocessor',
    'AnonymizedImagePreprocessor',
    'AttributePrivacyBranch',
    'BlackenAnonymizer',
    'ClipAugmentation',
    'ConstantAnonymizer',
    'ContrastivePrivacyBranch',
    'DeviceAugmentation',
    'DilatedResNet3d',
    'EmbeddingClassifier',
    'DownsampleAnonymizer',
    'FullResolutionCNN',
    'GaussianBlurAnonymizer',
    'GaussianChannel',
    'IdentityAnonymizer',
    'MeanMaxPooling',
    'MinimaxAnonymization',
    'MinimaxDataPreprocessor',
    'NTXentLoss',
    'NoiseAnonymizer',
    'PixelateAnonymizer',
    'PricedAnonymization',
    'PrivacyBranch',
    'RecolorAnonymizer',
    'ReconstructionAttack',
    'ReconstructionPreprocessor',
    'SequentialAnonymizer',
    'UNetAnonymizer',
    'UNetPlusPlusAnonymizer',
    'is_cacheable',
    'is_random',
    'takes_clips',
]
