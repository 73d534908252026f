"""Privacy branches f_B, which the anonymizer is trained to defeat, and attacks on it."""

from .attribute import AttributePrivacyBranch
from .contrastive import ContrastivePrivacyBranch
from .reconstruction_attack import ReconstructionAttack, ReconstructionPreprocessor

__all__ = [
    'AttributePrivacyBranch',
    'ContrastivePrivacyBranch',
    'ReconstructionAttack',
    'ReconstructionPreprocessor',
]
