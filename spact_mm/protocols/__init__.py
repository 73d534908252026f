"""Protocols: methods x seeds x folds, each trained, attacked and put into one table."""

from .plan import Protocol, load_protocol
from .results import write_report
from .schedule import lock, run_stages
from .stage import Stage, run_stage

__all__ = ['Protocol', 'Stage', 'load_protocol', 'lock', 'run_stage', 'run_stages', 'write_report']
