"""What the process that stages are forked from has imported; nothing that a config names."""

import gc

import mmpretrain.datasets
import mmpretrain.evaluation  # noqa: F401
import rich.progress  # noqa: F401

import spact_mm.apis  # noqa: F401

from .stage import current_commit

current_commit()  # of what is imported now
# Or each stage goes through all that is imported, and so copies it.
gc.freeze()
