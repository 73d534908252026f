"""Metrics beside MMAction2's, and the trade-off between utility and privacy."""

from .face_attack import FEW_FACES, FaceAttack, Faces, score_faces
from .face_models import FaceEmbedder, FaceFinder, GenderReader
from .frame_change import FrameChangeMetric
from .html_report import write_html
from .privacy_attributes import PrivacyAttributeMetric
from .rate import RateMetric
from .reconstruction import ReconstructionMetric
from .report import Report, write_json, write_markdown
from .summary import goals, summarize
from .verification import VerificationMetric

__all__ = [
    'FEW_FACES',
    'FaceAttack',
    'FaceEmbedder',
    'FaceFinder',
    'Faces',
    'FrameChangeMetric',
    'GenderReader',
    'PrivacyAttributeMetric',
    'RateMetric',
    'ReconstructionMetric',
    'Report',
    'VerificationMetric',
    'goals',
    'pareto_front',
    'plot_tradeoff',
    'score_faces',
    'summarize',
    'write_html',
    'write_json',
    'write_markdown',
]


def __getattr__(name: str):
    # Matplotlib comes when something is drawn: no process that imports this package waits for it.
    if name in ('pareto_front', 'plot_tradeoff'):
        from . import tradeoff

        return getattr(tradeoff, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
