"""Imports of the process from which stages are forked, without modules named by configs."""

import gc

import mmpretrain.datasets
import mmpretrain.evaluation  # noqa: F401
import rich.progress  # noqa: F401

import spact_mm.apis  # noqa: F401

from .stage import current_commit

current_commit()  # of the code that is imported now
# Otherwise the garbage collector of each stage would visit, and so copy, all imported objects.
gc.freeze()
