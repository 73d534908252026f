"""Run a protocol: train, attack and measure every method, then write the table and the plot."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Container, Iterable
from pathlib import Path

from mmengine.config import DictAction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..apis import refuse_in_one_sentence
from ..packaged import find_config, find_packaged_tool
from ..protocols import (
    Protocol,
    Stage,
    check_report,
    estimate_seconds,
    find_results,
    find_waiting,
    load_protocol,
    lock,
    run_stages,
    take_results,
    write_report,
)
from ..protocols.executor import Executor
from .executors import add_executor_options, make_executor

EPILOG = """
A stage that is done is not repeated, so the same command goes on after a crash or Ctrl-C. Results
are in the work dir: report.{md,html,json}, results.jsonl, tradeoff.png, examples.png, a folder a
stage. With --results the results of a work dir that is gone count as done.
Data, checkpoints and the work dir are looked for from the current folder. Exit codes: 0 if all is
done, 1 if a stage failed or nothing could be run, 2 for a wrong command line, 130 if interrupted.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument(
        'config',
        help='a file, or the name of one that comes with this package, such as demo, demo_quick or '
        'known; it is a program and runs, and so are the configs that it names: give only those '
        'that you trust, while checkpoints are read as data',
    )
    parser.add_argument('--work-dir', help='defaults to work_dirs/protocols/<name>')
    parser.add_argument(
        '--methods',
        nargs='+',
        help='only these, by their names, and the stages of others whose weights they need',
    )
    parser.add_argument('--seeds', nargs='+', type=int, help='instead of those of the protocol')
    parser.add_argument('--folds', nargs='+', type=int, help='only these')
    parser.add_argument(
        '--results',
        metavar='FILE',
        help='results.jsonl of an earlier run, perhaps of another machine: stages with exactly the '
        'config and data of one in it are not run again, unless others need their weights',
    )
    add_executor_options(parser)
    parser.add_argument('--dry-run', action='store_true', help='print the plan and what is missing')
    parser.add_argument(
        '--report-only', action='store_true', help='write the report of what is done'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='changes of the protocol, key=value'
    )
    return parser.parse_args()


def print_plan(protocol: Protocol, missing: list[str], known: Container[Stage]) -> None:
    """Print each stage with its state, where those ``known`` are done, then the missing data."""
    waiting = set(find_waiting(protocol.stages, known))
    for stage in protocol.stages:
        print(f'{"to do" if stage in waiting else "done":6s} {stage.id:60s} {stage.hash}')
    total = len(protocol.stages)
    print(f'{total} stages, {total - len(waiting)} done, in {protocol.work_dir}')
    print('\n'.join(['Missing:', *missing]) if missing else 'All data are there.')


class Display:
    """Progress over all stages: bars on a terminal, a line for each stage elsewhere."""

    def __init__(self, protocol: Protocol) -> None:
        self.seconds: dict[str, list[float]] = {}
        #: What is done of each that is not.
        self.remaining = {s: s.read_progress() for s in find_waiting(protocol.stages)}
        for stage in protocol.stages:
            result = stage.read_result()
            if result is not None:
                self.seconds.setdefault(stage.name, []).append(result['seconds'])
        self.total, self.jobs = len(protocol.stages), 1
        #: When those that run were started, and what was done of them then.
        self.started: dict[Stage, tuple[float, float]] = {}
        self.tasks: dict[Stage, int] = {}
        self.console = Console()
        self.bars = Progress(
            TextColumn('{task.description}', table_column=None),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn('{task.fields[eta]}'),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.overall = self.bars.add_task(protocol.name, total=self.total, eta='')
        self.next_update = 0.0
        self._eta, self._next_eta = '?', 0.0

    @property
    def done(self) -> int:
        """How many stages need nothing any more."""
        return self.total - len(self.remaining)

    def __call__(self, event: str, stage: Stage | None, running: Iterable[Stage]) -> None:
        """Show an event of :func:`~spact_mm.protocols.run_stages`."""
        running = list(running)
        self.jobs = max(self.jobs, len(running))
        if event == 'start':
            self.remaining[stage] = stage.read_progress()
            self.started[stage] = time.monotonic(), self.remaining[stage]
            self.tasks[stage] = self.bars.add_task(stage.id, total=100, eta='')
        elif event != 'tick':
            self.remaining.pop(stage, None)
            if self.started.pop(stage, None):
                self.bars.remove_task(self.tasks.pop(stage))
            self.print_end(event, stage)
        if event != 'tick' or time.monotonic() > self.next_update:
            self.next_update = time.monotonic() + 1
            for other in running:
                self.remaining[other] = other.read_progress()
                self.bars.update(self.tasks[other], completed=int(100 * self.remaining[other]))
            self.bars.update(self.overall, completed=self.done, eta=f'ETA {self.eta()}')

    def print_end(self, event: str, stage: Stage) -> None:
        """Print how a stage ended."""
        text = f'see {stage.log}' if event == 'failed' else 'needs one that failed'
        if event == 'done':
            result = stage.read_result()
            self.seconds.setdefault(stage.name, []).append(result['seconds'])
            values = '  '.join(f'{k} {v:.3f}' for k, v in result['metrics'].items())
            text = f'{result["seconds"]:.0f} s  {values}'
        self.console.print(
            f'[{self.done}/{self.total}] {event}: {stage.id}  {text}  (ETA {self.eta()})',
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def eta(self) -> str:
        """Return the time that is left, from stages of the same kind or what is done of one.

        It is computed once a second: thousands of stages may end in a minute, or be left.
        """
        if time.monotonic() >= self._next_eta or not self.remaining:
            self._eta, self._next_eta = self._compute_eta(), time.monotonic() + 1
        return self._eta

    def _compute_eta(self) -> str:
        seconds = dict(self.seconds)
        for stage, (start, before) in self.started.items():
            if stage.name not in seconds and self.remaining[stage] - before > 0.02:
                fraction = self.remaining[stage] - before
                seconds[stage.name] = [(time.monotonic() - start) / fraction]
        remaining = [(stage.name, 1 - done) for stage, done in self.remaining.items()]
        return format_seconds(estimate_seconds(remaining, seconds, self.jobs))


def format_seconds(seconds: float | None) -> str:
    """Return a duration as ``h:mm:ss``, '?' where it is unknown."""
    if seconds is None:
        return '?'
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes // 60}:{minutes % 60:02}:{seconds:02}'


def report(protocol: Protocol) -> None:
    """Write the report of what is done and say where it is."""
    path = write_report(protocol, describe_command())
    if path is None:
        print(f'Nothing is measured yet in {protocol.work_dir}.')
    else:
        print(f'{path}, {path.with_name("report.json")}')


def describe_command() -> str:
    """Return the command line of this process, as one would type it."""
    script = Path(sys.argv[0])
    first = ['python', sys.argv[0]] if script.suffix == '.py' else [script.name]
    return shlex.join([*first, *sys.argv[1:]])


def render_demo(missing: list[str]) -> bool:
    """Render the demo set if it is what is missing, and not there as a whole.

    Args:
        missing (list[str]): Files and folders.

    Returns:
        bool: Whether it was rendered.
    """
    # As the demo's configs have it.
    folder = Path(os.environ.get('DEMO_ROOT', 'data/demo'))
    is_needed = any(folder in Path(file).parents for file in missing)
    # The renderer writes its manifest last, and refuses a folder of other data.
    if not is_needed or (folder / 'manifest.json').exists():
        return False
    print(f'The demo set is rendered into {folder}, as it is not there yet.', flush=True)
    command = [sys.executable, str(find_packaged_tool('data/demo/render')), '--out', str(folder)]
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A group, so that its workers end with it.
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait() == 0
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def run(protocol: Protocol, executor: Executor) -> int:
    """Run what is not done, write the report, and return the exit code."""
    # A signal to this process ends its stages too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    display = Display(protocol)
    with lock(protocol.work_dir):
        try:
            with display.bars:
                failed = run_stages(protocol.stages, None, display, executor)
        except KeyboardInterrupt:
            print('Interrupted; the same command goes on from here.', file=sys.stderr)
            return 130
        finally:
            report(protocol)
    if not failed:
        protocol.forget_frames()
    for stage in protocol.stages:
        log = failed.get(stage.id)
        if log == stage.log:
            last = ''.join(log.read_text(errors='replace').strip().splitlines()[-1:])
            print(f'Failed: {stage.id}; see {log}: {last}', file=sys.stderr)
        elif log is not None:
            print(f'Not run: {stage.id}; it needs what failed, see {log}', file=sys.stderr)
    return 1 if failed else 0


def start(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""

    def load() -> Protocol:
        path = find_config(args.config, 'protocols')
        options = args.work_dir, args.methods, args.seeds, args.folds, args.cfg_options
        protocol = load_protocol(path, *options)
        check_report(protocol)
        return protocol

    protocol = load()
    # Each result is read for it: computed again only where it may have changed.
    missing = None if args.report_only else protocol.find_missing()
    if not (args.report_only or args.dry_run):
        executor = make_executor(args, protocol.work_dir)
        if render_demo([line.split(' does not exist', 1)[0] for line in missing]):
            # The hash of a stage depends on the lists of its data.
            protocol, missing = load(), None
    known: dict[Stage, dict] = {}
    if args.results:
        missing = None
        if args.dry_run:
            known = find_results(protocol.stages, args.results)
            print(f'{len(known)} stages would have their result from {args.results}.')
        else:
            with lock(protocol.work_dir):
                count = take_results(protocol.stages, args.results)
            print(f'{count} stages have their result from {args.results}.')
    if args.report_only:
        report(protocol)
        return 0
    missing = protocol.find_missing(known) if missing is None else missing
    if args.dry_run:
        print_plan(protocol, missing, known)
        return 0
    if missing:
        sys.exit('\n'.join(missing))
    return run(protocol, executor)


def main() -> int:
    """Do what the command line says; return the exit code."""
    with refuse_in_one_sentence():
        try:
            return start(parse_args())
        except KeyboardInterrupt:
            print('Interrupted; the same command goes on from here.', file=sys.stderr)
            return 130
