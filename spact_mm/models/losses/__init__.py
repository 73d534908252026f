"""Losses of the privacy branches."""

from .nt_xent import NTXentLoss

__all__ = ['NTXentLoss']
