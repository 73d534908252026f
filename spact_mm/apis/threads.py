"""Threads that last as long as the process."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial


def make_threads(number: int | None = None) -> Callable[[], ThreadPoolExecutor]:
    """Return a function that gives the same threads in each call, and others in a forked process.

    Threads that end run a callback of ``weakref``, in which Python loses a Ctrl-C. So there are not
    new ones for each file.

    Args:
        number (int, optional): Number of threads. Defaults to that of :class:`ThreadPoolExecutor`.
    """
    give = cache(partial(ThreadPoolExecutor, number))
    # A forked process has none of the threads.
    os.register_at_fork(after_in_child=give.cache_clear)
    return give
