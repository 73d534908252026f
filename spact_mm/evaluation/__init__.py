"""Metrics beside MMAction2's."""

from .frame_change import FrameChangeMetric

__all__ = ['FrameChangeMetric']
