"""Processes that share out work on files."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def make_pool(
    num_processes: int, initializer: Callable[[], None] | None = None
) -> ProcessPoolExecutor:
    """Return a pool of processes that are not forked from this one.

    A process that has decoded a video or resized a picture has threads. A fork copies their locks
    as they stand, but not the threads: what decodes or resizes in the child could wait forever.
    So the processes are forked from a server that has imported this package and done nothing.

    Args:
        num_processes (int): Number of processes.
        initializer (Callable, optional): Called in each of them first; picklable.

    Returns:
        ProcessPoolExecutor: The pool; no process is started before the first task.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__package__])
    return ProcessPoolExecutor(num_processes, context, initializer)
