"""What the command-line tools are made of."""

from .anonymize_file import FileResult, anonymize_file
from .frame_anonymizer import FrameAnonymizer
from .inferencer import METHODS, AnonymizeInferencer
from .mmaction_tools import find_tool, refuse_in_one_sentence, run_tool
from .outputs import IMAGES, Job, Manifest, find_jobs, find_sources
from .publish import publish
from .recognizer import load_recognizer

__all__ = [
    'IMAGES',
    'METHODS',
    'AnonymizeInferencer',
    'FileResult',
    'FrameAnonymizer',
    'Job',
    'Manifest',
    'anonymize_file',
    'find_jobs',
    'find_sources',
    'find_tool',
    'load_recognizer',
    'publish',
    'refuse_in_one_sentence',
    'run_tool',
]
