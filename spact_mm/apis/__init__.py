"""What the command-line tools are made of."""

from .mmaction_tools import find_tool, run_tool

__all__ = ['find_tool', 'run_tool']
