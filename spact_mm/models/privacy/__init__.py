"""Privacy branches f_B, which the anonymizer is trained to defeat, and attacks on it."""

from .attribute import AttributePrivacyBranch
from .branch import PrivacyBranch
from .contrastive import ContrastivePrivacyBranch
from .reconstruction_attack import ReconstructionAttack, ReconstructionPreprocessor

__all__ = [
    'AttributePrivacyBranch',
    'ContrastivePrivacyBranch',
    'PrivacyBranch',
    'ReconstructionAttack',
    'ReconstructionPreprocessor',
]
