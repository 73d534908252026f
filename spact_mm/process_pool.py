"""Processes that share out work on files."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor


def make_pool(
    num_processes: int,
    modules: Sequence[str] = (),
    initializer: Callable[[], None] | None = None,
) -> ProcessPoolExecutor:
    """Return a pool of processes that are not forked from this one.

    A process that has decoded a video or resized a picture has threads. A fork copies their locks
    as they stand, but not the threads: what decodes or resizes in the child could wait forever.
    So the processes are forked from a server that has imported the modules and done nothing.

    Args:
        num_processes (int): Number of processes.
        modules (Sequence[str]): Modules that the tasks need, which the server imports once instead
            of each process. Without effect if this process has such a server already.
        initializer (Callable, optional): Called in each of them first; picklable.

    Returns:
        ProcessPoolExecutor: The pool; no process is started before the first task.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__package__, *modules])
    return ProcessPoolExecutor(num_processes, context, initializer)
