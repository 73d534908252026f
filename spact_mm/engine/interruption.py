"""SIGTERM and SIGINT as the wish to save and to end."""

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
#: Iterations between two exchanges of several processes, each of which waits for the slowest.
_EXCHANGE_INTERVAL = 5
#: A terminal and a launcher both pass a signal on; a second one that soon is the same wish.
_REPEAT_SECONDS = 1.0


class Interruption:
    """Note a SIGTERM (Slurm preempts by it) or SIGINT (Ctrl-C) instead of ending by it.

    Used as a context, in the main thread; elsewhere signals are left alone. A second signal, a
    second or more after the first, ends the process at once.

    Attributes:
        has_work (bool): Whether there is something to save. While there is not, a signal ends the
            process by ``SystemExit``.
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
        """Tell whether all processes are to end now.

        Args:
            iteration (int): Iterations done, the same in all processes, which ask after each.

        Returns:
            int: The signal, 0 where there was none.
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
    """Write to stderr, past the buffers that the signal may have come in the middle of."""
    if is_main_process():
        os.write(2, f'{sentence}\n'.encode())


def shield_workers(loader: DataLoader) -> None:
    """Keep a loader's workers alive when a signal comes to all processes of a job at once.

    The main process could not finish its iteration without them. Workers start afterwards.

    Args:
        loader (DataLoader): The loader.
    """
    # Tools that draw schedules have stand-ins for loaders.
    if getattr(loader, 'num_workers', 0):
        loader.worker_init_fn = partial(_start_shielded, loader.worker_init_fn)


def _start_shielded(worker_init_fn: Callable[[int], None] | None, worker_id: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Blocked, it waits for the thread, which can see who has sent it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_by_parent, args=(os.getppid(),), daemon=True).start()
    if worker_init_fn is not None:
        worker_init_fn(worker_id)


def _end_by_parent(parent: int) -> None:
    """End this process as soon as its parent, and nobody else, sends SIGTERM."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
