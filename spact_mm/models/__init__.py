"""Models: the anonymizer, the privacy branches, and the minimax model that trains them."""

from .anonymizers import IdentityAnonymizer, UNetAnonymizer
from .backbones import DilatedResNet3d
from .losses import NTXentLoss
from .minimax import PHASES, MinimaxAnonymization
from .minimax_preprocessor import MinimaxDataPreprocessor
from .privacy import ContrastivePrivacyBranch

__all__ = [
    'PHASES',
    'ContrastivePrivacyBranch',
    'DilatedResNet3d',
    'IdentityAnonymizer',
    'MinimaxAnonymization',
    'MinimaxDataPreprocessor',
    'NTXentLoss',
    'UNetAnonymizer',
]
