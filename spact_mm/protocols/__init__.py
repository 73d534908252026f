"""Protocols: methods x seeds x folds, each trained, attacked and put into one table."""

from .plan import Protocol, load_protocol
from .results import check_report, write_report
from .schedule import estimate_seconds, lock, run_stages
from .stage import Stage, run_stage

__all__ = [
    'Protocol',
    'Stage',
    'check_report',
    'estimate_seconds',
    'load_protocol',
    'lock',
    'run_stage',
    'run_stages',
    'write_report',
]
