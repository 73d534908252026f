"""Feed damaged files to everything that reads files of strangers, and see that each is refused.

A reader may take a file or refuse it in one sentence that this package raises itself. Anything
else is a fault: another error, a crash, a hang, or memory that a small file does not justify. Which
files are fed is a function of seed, reader and index alone.

Example:
    python tests/fuzz.py --seed 0 --count 100000
    python tests/fuzz.py --seed 0 --reader boxes --index 1234
"""

import argparse
import ctypes
import gc
import logging
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import av
import decord

import spact_mm  # noqa: F401  (before anything of MMAction2)

# isort: split
from fuzz_mutations import mutate
from fuzz_readers import READERS, Reader

from spact_mm.apis.refusals import _refusal

#: Seconds for a file, and for one that keeps Python from noticing the time.
TIME_LIMIT, DEAD_LIMIT = 20, 60
#: Bytes of memory that a reader may take for a file of a few kilobytes.
MEMORY_LIMIT = 1 << 30
#: A disk would cost more than the readers.
_MEMORY_DISK = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


class HangError(BaseException):
    """A file took too long."""


@dataclass
class Tally:
    """What became of the files of a reader.

    Attributes:
        counts (Counter): Of ``'accepted'``, ``'refused'`` and ``'fault'``.
        faults (dict): For each kind of fault how often it occurred, and the first index.
        seconds (float): How long it took.
    """

    counts: Counter = field(default_factory=Counter)
    faults: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, index: int, outcome: str) -> None:
        """Note what became of a file."""
        kind = outcome if outcome in ('accepted', 'refused') else 'fault'
        self.counts[kind] += 1
        if kind == 'fault':
            self.faults.setdefault(outcome, []).append(index)


def make_file(reader: Reader, seeds: list[bytes], seed: int, index: int, folder: Path) -> Path:
    """Write the file of an index and return its path."""
    content = mutate(Random(f'{seed}/{reader.name}/{index}'), seeds, reader.kind)
    path = folder / reader.file_name
    path.write_bytes(content)
    return path


def judge(reader: Reader, path: Path) -> str:
    """Read a file and return what became of it: ``'accepted'``, ``'refused'`` or the fault."""
    forget_peak()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
        try:
            reader.read(path)
            outcome = 'accepted'
        except Exception as error:
            outcome = 'refused' if is_one_sentence(error, path) else describe(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    # The alarm may come when the reader has just ended.
    except HangError:
        outcome = f'hang: more than {TIME_LIMIT} s'
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return f'memory: {grown >> 20} MiB' if grown > MEMORY_LIMIT else outcome


def forget_peak() -> None:
    """Let the peak of memory be what is in use now: an earlier one would hide what a file takes."""
    # 5 resets it (proc(5)).
    Path('/proc/self/clear_refs').write_text('5')


def is_one_sentence(error: Exception, path: Path) -> bool:
    """Return whether a user would see one sentence, with the file in it."""
    # The same test by which the tools choose between a sentence and a traceback.
    allowed = isinstance(error, (TypeError, ValueError, OSError, RuntimeError))
    text = str(error)
    return allowed and _refusal(error) is not None and path.name in text and '\n' not in text


def describe(error: Exception) -> str:
    """Return the type of an error and the last place of this package that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f'{os.sep}spact_mm{os.sep}' in frame.filename]
    place = ours[-1] if ours else frames[-1]
    # Without its text, which names the file and would make a kind of each.
    return f'{type(error).__name__} at {Path(place.filename).name}:{place.lineno}'


def run(reader: Reader, seed: int, count: int, start: int = 0) -> Tally:
    """Feed files to a reader in a process of its own, and in another where that one dies."""
    tally, began, context = Tally(), time.monotonic(), multiprocessing.get_context('fork')
    with tempfile.TemporaryDirectory(dir=_MEMORY_DISK) as folder:
        seeds = reader.make_seeds(Path(folder))
        while start < count:
            receiver, sender = context.Pipe(duplex=False)
            arguments = (reader, seeds, seed, start, count, Path(folder), sender)
            process = context.Process(target=_work, args=arguments)
            process.start()
            sender.close()
            start, fault = _collect(receiver, tally, start, count)
            if fault:
                process.kill()
            process.join()
            if start < count:
                reason = fault or f'crash: the process ended with {process.exitcode}'
                tally.add(start, reason)
                start += 1
    tally.seconds = time.monotonic() - began
    return tally


def _collect(receiver, tally: Tally, start: int, count: int) -> tuple[int, str]:
    while start < count:
        if not receiver.poll(DEAD_LIMIT):
            return start, f'hang: no answer for {DEAD_LIMIT} s'
        try:
            outcomes = receiver.recv()
        except EOFError:
            return start, ''
        for outcome in outcomes:
            tally.add(start, outcome)
            start += 1
    return start, ''


def _work(reader, seeds, seed: int, start: int, count: int, folder: Path, sender) -> None:
    quieten()
    limit_memory()
    # What other tests have freed would leave while a file is read, and hide what that takes.
    ctypes.CDLL(None).malloc_trim(0)
    # MMEngine collects garbage for each data set, through all of the libraries.
    gc.freeze()
    size = reader.batch
    for first in range(start, count, size):
        outcomes = []
        for index in range(first, min(first + size, count)):
            outcomes.append(judge(reader, make_file(reader, seeds, seed, index, folder)))
        sender.send(outcomes)


def quieten() -> None:
    """Silence what decoders and libraries write past Python, and turn the alarm into an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter('ignore')
    logging.disable()
    av.logging.set_level(av.logging.PANIC)
    decord.logging.set_level(decord.logging.QUIET)
    signal.signal(signal.SIGALRM, _raise_hang)


def limit_memory() -> None:
    """Let what would take the machine's memory fail instead."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + 4 * MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _raise_hang(*_) -> None:
    raise HangError


def shares(count: int) -> dict[str, int]:
    """Return how many of the files each reader gets."""
    total = sum(reader.weight for reader in READERS.values())
    return {name: -(-count * r.weight // total) for name, r in READERS.items()}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--count', type=int, default=100_000, help='files over all readers')
    parser.add_argument('--reader', choices=READERS, help='one alone, with all of the files')
    parser.add_argument('--index', type=int, help='one file of --reader, with its traceback')
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    """Print a table, and the faults with the command that repeats each; return the exit code."""
    if args.index is not None:
        return repeat(READERS[args.reader], args.seed, args.index)
    counts = {args.reader: args.count} if args.reader else shares(args.count)
    print(f'{"reader":<14}{"files":>9}{"accepted":>10}{"refused":>9}{"faults":>8}{"seconds":>9}')
    totals, faults, seconds = Counter(), [], 0.0
    for name, count in counts.items():
        tally = run(READERS[name], args.seed, count)
        _print_row(name, tally.counts, tally.seconds)
        totals += tally.counts
        seconds += tally.seconds
        faults += [(name, text, found) for text, found in tally.faults.items()]
    _print_row('all', totals, seconds)
    for name, text, found in faults:
        print(f'{name}: {len(found)} x {text}')
        print(f'    python tests/fuzz.py --seed {args.seed} --reader {name} --index {found[0]}')
    return 1 if faults else 0


def _print_row(name: str, counts: Counter, seconds: float) -> None:
    columns = [counts.total(), counts['accepted'], counts['refused'], counts['fault']]
    numbers = ''.join(f'{n:>{w},}' for n, w in zip(columns, (9, 10, 9, 8), strict=True))
    print(f'{name:<14}{numbers}{seconds:>9.1f}', flush=True)


def repeat(reader: Reader, seed: int, index: int) -> int:
    """Read one file again, and let its error out."""
    folder = Path(tempfile.mkdtemp())
    path = make_file(reader, reader.make_seeds(folder), seed, index, folder)
    print(f'{path}: {path.stat().st_size:,} bytes')
    reader.read(path)
    print('accepted')
    return 0


if __name__ == '__main__':
    sys.exit(main(parse_args()))
