"""Privacy branches f_B: what the anonymizer is trained to defeat."""

from .contrastive import ContrastivePrivacyBranch

__all__ = ['ContrastivePrivacyBranch']
