"""Gaps of PyAV."""

import gc
import os


def keep_garbage_in_forks() -> None:
    """Let forks of this process free no frames that were decoded before.

    A frame that PyAV has converted has threads, which a fork has not: freeing the frame there waits
    for them forever. The garbage collector of a data worker does so if unreachable frames, such as
    those of an exception, were there at the fork. Frozen, they cost the fork nothing, as it shares
    their memory.
    """
    os.register_at_fork(after_in_child=gc.freeze)
