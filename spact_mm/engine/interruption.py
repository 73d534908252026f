"""SIGTERM and SIGINT as requests to save and end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from torch.utils.data import DataLoader

SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Iterations between two exchanges of several processes; each exchange waits for the slowest
#: process.
_EXCHANGE_INTERVAL = 5
#: A second signal within this time counts as the first: a terminal and a launcher both pass it on.
_REPEAT_SECONDS = 1.0


class Interruption:
    """Record a SIGTERM (sent by Slurm for a preemption) or SIGINT (Ctrl-C) instead of ending.

    A context for the main thread; in other threads it does nothing. A second signal, a second or
    more after the first, ends the process at once.

    Attributes:
        has_work (bool): Whether there is something to save. If not, a signal ends the process by
            ``SystemExit``.
    """

    def __init__(self) -> None:
        self.has_work = False
        self._signal = 0
        self._since = 0.0
        self._previous: dict[int, Callable | int | None] = {}

    def __enter__(self) -> 'Interruption':
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def wanted(self, iteration: int) -> int:
        """Tell whether all processes have to end now.

        Args:
            iteration (int): Number of finished iterations, the same in all processes. All processes
                must call this method after each iteration.

        Returns:
            int: The signal; 0 if there was none.
        """
        if get_world_size() == 1:
            return self._signal
        if iteration % _EXCHANGE_INTERVAL:
            return 0
        signals = torch.tensor(self._signal)
        all_reduce(signals, 'max')
        return int(signals)

    def _note(self, number: int, frame) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if not self.has_work:
            self._signal = number
            _say(f'{name}: the training ends; there is nothing new to save.')
            raise SystemExit(128 + number)
        if not self._signal:
            self._signal, self._since = number, now
            _say(f'{name}: the training saves and ends soon; a second signal ends it at once.')
        elif now - self._since > _REPEAT_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _say(sentence: str) -> None:
    """Write to stderr without a buffer: the signal may have interrupted a write to a buffer."""
    if is_main_process():
        os.write(2, f'{sentence}\n'.encode())


def shield_workers(loader: DataLoader) -> None:
    """Keep a loader's workers alive when all processes of a job get a signal at once.

    The main process could not finish its iteration without them. Call this before the workers
    start.

    Args:
        loader (DataLoader): The loader.
    """
    # Tools that draw schedules have no real loader.
    if getattr(loader, 'num_workers', 0):
        loader.worker_init_fn = partial(_start_shielded, loader.worker_init_fn)


def _start_shielded(worker_init_fn: Callable[[int], None] | None, worker_id: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A blocked signal is received by the thread, which can see its sender.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_by_parent, args=(os.getppid(),), daemon=True).start()
    if worker_init_fn is not None:
        worker_init_fn(worker_id)


def _end_by_parent(parent: int) -> None:
    """End this process when its parent sends SIGTERM; ignore SIGTERM from others."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
