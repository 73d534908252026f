import os
import subprocess
import sys
import threading

from spact_mm.datasets import integrity
from spact_mm.process_pool import make_pool

LOCK = threading.Lock()


def take_lock():
    with LOCK:
        return os.getppid()


def test_locks_of_this_process_do_not_stop_the_pool():
    # The server outlives this test; others need the modules.
    with LOCK, make_pool(2, [integrity.__name__]) as pool:
        starter = pool.submit(take_lock).result(60)
    assert starter != os.getpid()


def test_modules_are_imported_once_for_all_processes():
    code = """
from spact_mm.process_pool import make_pool
with make_pool(1, ['wave']) as pool:
    assert pool.submit(eval, "'wave' in __import__('sys').modules").result(60)
    assert not pool.submit(eval, "'mailbox' in __import__('sys').modules").result(60)
"""
    subprocess.run([sys.executable, '-c', code], check=True)
