"""Recognizer backbones that MMAction2 lacks."""

from .dilated_resnet3d import DilatedResNet3d

__all__ = ['DilatedResNet3d']
