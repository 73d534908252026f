import os
import threading

from spact_mm.process_pool import make_pool

LOCK = threading.Lock()


def take_lock():
    with LOCK:
        return os.getppid()


def test_locks_of_this_process_do_not_stop_the_pool():
    with LOCK, make_pool(2) as pool:
        starter = pool.submit(take_lock).result(60)
    assert starter != os.getpid()
