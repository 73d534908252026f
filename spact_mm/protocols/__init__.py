"""Protocols: methods x seeds x folds, each trained, attacked and put into one table."""

from .kept_results import find_results, keep_results, take_results
from .protocol import Protocol, load_protocol
from .report import ReportSettings, check_report, write_report
from .schedule import estimate_seconds, find_waiting, lock, run_stages
from .stage import Stage, run_stage

__all__ = [
    'Protocol',
    'ReportSettings',
    'Stage',
    'check_report',
    'estimate_seconds',
    'find_results',
    'find_waiting',
    'keep_results',
    'load_protocol',
    'lock',
    'run_stage',
    'run_stages',
    'take_results',
    'write_report',
]
