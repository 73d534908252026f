"""Functions and classes behind the command-line tools."""

from ..models.anonymizers.checkpoint import find_anonymizer
from .anonymize_file import FileResult, anonymize_file
from .anonymize_job import anonymize_job, lock_outputs
from .export import export_onnx
from .frame_anonymizer import BACKENDS, FrameAnonymizer
from .frame_pairs import pair_with_file, pair_with_function, sample_frames
from .image_file import MAX_PIXELS
from .inferencer import METHODS, AnonymizeInferencer
from .manifest import Manifest
from .mmaction_tools import (
    describe_failure,
    find_tool,
    print_any_name,
    refuse_in_one_sentence,
    run_tool,
)
from .output_files import remove_leftovers
from .outputs import Job, find_jobs
from .publish import publish
from .recognizer import load_recognizer
from .sources import IMAGES, describe_left_out, find_left_out, find_sources

__all__ = [
    'BACKENDS',
    'IMAGES',
    'MAX_PIXELS',
    'METHODS',
    'AnonymizeInferencer',
    'FileResult',
    'FrameAnonymizer',
    'Job',
    'Manifest',
    'anonymize_file',
    'anonymize_job',
    'describe_failure',
    'describe_left_out',
    'export_onnx',
    'find_anonymizer',
    'find_jobs',
    'find_left_out',
    'find_sources',
    'find_tool',
    'load_recognizer',
    'lock_outputs',
    'pair_with_file',
    'pair_with_function',
    'print_any_name',
    'publish',
    'refuse_in_one_sentence',
    'remove_leftovers',
    'run_tool',
    'sample_frames',
]
