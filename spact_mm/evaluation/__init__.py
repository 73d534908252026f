"""Metrics beside MMAction2's, and the trade-off between utility and privacy."""

from .frame_change import FrameChangeMetric
from .html_report import write_html
from .privacy_attributes import PrivacyAttributeMetric
from .reconstruction import ReconstructionMetric
from .report import Report, write_json, write_markdown
from .summary import goals, summarize
from .tradeoff import pareto_front, plot_tradeoff
from .verification import VerificationMetric

__all__ = [
    'FrameChangeMetric',
    'PrivacyAttributeMetric',
    'ReconstructionMetric',
    'Report',
    'VerificationMetric',
    'goals',
    'pareto_front',
    'plot_tradeoff',
    'summarize',
    'write_html',
    'write_json',
    'write_markdown',
]
