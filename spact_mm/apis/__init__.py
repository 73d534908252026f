"""What the command-line tools are made of."""

from .frame_anonymizer import FrameAnonymizer
from .mmaction_tools import find_tool, refuse_in_one_sentence, run_tool

__all__ = ['FrameAnonymizer', 'find_tool', 'refuse_in_one_sentence', 'run_tool']
