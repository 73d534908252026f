"""Parts of attackers that MMPretrain and MMAction2 lack."""

from .clip_preprocessor import CLIP_VIEWS, AnonymizedClipPreprocessor, view_clips
from .embedding_classifier import EmbeddingClassifier
from .full_resolution_cnn import FullResolutionCNN
from .mean_max_pooling import MeanMaxPooling

__all__ = [
    'CLIP_VIEWS',
    'AnonymizedClipPreprocessor',
    'EmbeddingClassifier',
    'FullResolutionCNN',
    'MeanMaxPooling',
    'view_clips',
]
