"""Compare variants in turn: A B A B ..., each in a separate process, one at a time."""

import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType

import torch

_TOOLS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Variant:
    """A variant of the work to compare.

    Attributes:
        name (str): Name in the table.
        case (str): Case of the tool that does the work.
        options (Mapping): Keyword arguments of the case, plain data.
        pages (str): Handling of the memory pages of freed tensors by glibc. ``'kept'``, as with
            tools/launch.sh: the pages stay with the process. ``'returned'``: blocks of 1 MiB or
            more are returned at once, and each tensor needs new pages. ``'default'``: in between,
            depending on the sizes of the blocks.
    """

    name: str
    case: str
    options: Mapping = field(default_factory=dict)
    pages: str = 'default'


@dataclass(frozen=True)
class Timing:
    """Times of a run: seconds on the clock, and seconds of all threads of the process."""

    wall: float
    cpu: float


def show(text: str) -> None:
    """Print a message on the progress."""
    print(f'  {text}', file=sys.stderr, flush=True)


class Worker:
    """A process that holds a variant and runs it on request; messages are lines of JSON."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        # The variants must not inherit the launcher's memory settings from this tool.
        environment = {k: v for k, v in os.environ.items() if not k.startswith('MALLOC_')}
        if variant.pages == 'returned':
            environment['MALLOC_MMAP_THRESHOLD_'] = str(2**20)
        python = _TOOLS / 'launch.sh' if variant.pages == 'kept' else sys.executable
        self._process = subprocess.Popen(
            [python, _TOOLS / 'benchmark.py', 'work'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment, SPACT_PYTHON=sys.executable),
        )
        self.ask(case=variant.case, options=dict(variant.options))

    def ask(self, **request):
        """Send a request and return the answer.

        Raises:
            RuntimeError: If the process has ended.
        """
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise RuntimeError(
                f'The variant {self.variant.name!r} has failed; its error is above.'
            ) from None

    def run(self) -> Timing:
        """Run the variant once."""
        return Timing(**self.ask(call='run'))

    def __enter__(self) -> 'Worker':
        return self

    def __exit__(self, *error) -> None:
        # The process ends when there is nothing more to read.
        self._process.communicate()


def serve(cases: Mapping[str, Callable]) -> None:
    """Run the process of a :class:`Worker`: answer messages until there are no more."""
    # MMEngine would log the initialisation of each parameter.
    logging.disable(logging.INFO)
    case = None

    def answer(message: dict) -> dict:
        nonlocal case
        if 'case' in message:
            case = cases[message['case']](**message['options'])
            return {}
        if message['call'] == 'run':
            return _timed(case)
        if message['call'] == 'peak':
            return dict(bytes=_peak_memory())
        return getattr(case, message['call'])(**message.get('options', {}))

    # Other output goes to stderr.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


def _timed(case) -> dict:
    _synchronize()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    case.run()
    _synchronize()
    return dict(wall=time.perf_counter() - wall, cpu=_cpu_seconds() - cpu)


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _cpu_seconds() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_memory() -> int:
    """Return the peak memory of this process in bytes, on the GPU if there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ask(variant: Variant, calls: Sequence[Mapping]) -> list[dict]:
    """Start a variant, make the calls, end the process, and return the answers."""
    with Worker(variant) as worker:
        return [worker.ask(**call) for call in calls]


def compare_pairs(
    variants: Mapping[str, Variant],
    pairs: Sequence[tuple[str, str]],
    rounds: int,
    warmup: int,
    calls: Mapping[str, Sequence[Mapping]] = MappingProxyType({}),
) -> tuple[dict[str, list[Timing]], dict[str, dict], dict[str, list[dict]]]:
    """Time the variants of all pairs in turn.

    Args:
        variants (Mapping[str, Variant]): Variants by name.
        pairs (Sequence[tuple[str, str]]): Names of a slow and a fast variant.
        rounds (int): How often each is timed.
        warmup (int): How often each runs before.
        calls (Mapping[str, Sequence[Mapping]]): Requests to each variant after its rounds. Defaults
            to none.

    Returns:
        tuple: The rounds by variant, the comparisons by ``'slow -> fast'``, and the answers.
    """
    with ExitStack() as stack:
        workers = {}
        for name in dict.fromkeys(name for pair in pairs for name in pair):
            show(f'starting {name}')
            workers[name] = stack.enter_context(Worker(variants[name]))
        for _ in range(warmup):
            for worker in workers.values():
                worker.run()
        times = {name: [] for name in workers}
        for index in range(rounds):
            for name, worker in workers.items():
                times[name].append(worker.run())
            show(f'round {index + 1} of {rounds}')
        answers = {
            name: [worker.ask(**call) for call in calls.get(name, ())]
            for name, worker in workers.items()
        }
    return times, {f'{a} -> {b}': compare(times[a], times[b]) for a, b in pairs}, answers


def compare(slow: Sequence[Timing], fast: Sequence[Timing]) -> dict[str, float]:
    """Return the speed ratio of ``fast`` to ``slow`` round by round, its median and range.

    Returns:
        dict[str, float]: ``ratio``, ``ratio_min``, ``ratio_max`` on the clock, and ``cpu_ratio``.
    """
    ratios = [a.wall / b.wall for a, b in zip(slow, fast, strict=True)]
    cpu = [a.cpu / max(b.cpu, 1e-9) for a, b in zip(slow, fast, strict=True)]
    return dict(
        ratio=median(ratios), ratio_min=min(ratios), ratio_max=max(ratios), cpu_ratio=median(cpu)
    )


def summarize(times: Sequence[Timing]) -> dict[str, float]:
    """Return the medians of the rounds and the range of the clock times."""
    walls = [timing.wall for timing in times]
    return dict(
        seconds=median(walls),
        seconds_min=min(walls),
        seconds_max=max(walls),
        cpu_seconds=median(timing.cpu for timing in times),
    )
