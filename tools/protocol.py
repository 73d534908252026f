"""Run a protocol: train, attack and measure every method, then write the table and the plot."""

import argparse
import shlex
import signal
import sys
import time

from mmengine.config import DictAction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import refuse_in_one_sentence
from spact_mm.protocols import load_protocol, lock, run_stages, write_report

EPILOG = """
A stage that is done is not repeated, so the same command goes on after a crash or Ctrl-C. Results
are in the work dir: report.md, report.json, tradeoff.png, and a folder for each stage with its log.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument('config', help='a file of configs/protocols/')
    parser.add_argument('--work-dir', help='defaults to work_dirs/protocols/<name>')
    parser.add_argument('--methods', nargs='+', help='only these, by their names')
    parser.add_argument('--seeds', nargs='+', type=int, help='instead of those of the protocol')
    parser.add_argument('--folds', nargs='+', type=int, help='only these')
    parser.add_argument(
        '--jobs', type=int, help='stages at a time; default: one a GPU, or one a core up to four'
    )
    parser.add_argument('--dry-run', action='store_true', help='print the plan and what is missing')
    parser.add_argument(
        '--report-only', action='store_true', help='write the report of what is done'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='changes of the protocol, key=value'
    )
    return parser.parse_args()


def print_plan(protocol, missing: list[str]) -> None:
    """Print each stage with its state, then the missing data."""
    for stage in protocol.stages:
        state = 'done' if stage.read_result() else 'to do'
        print(f'{state:6s} {stage.id:60s} {stage.hash}')
    done = sum(stage.read_result() is not None for stage in protocol.stages)
    print(f'{len(protocol.stages)} stages, {done} done, in {protocol.work_dir}')
    print('\n'.join(['Missing:', *missing]) if missing else 'All data are there.')


class Display:
    """Progress over all stages: bars on a terminal, a line for each stage elsewhere."""

    def __init__(self, protocol) -> None:
        self.total = len(protocol.stages)
        self.done = sum(stage.read_result() is not None for stage in protocol.stages)
        self.remaining = {id(s): s for s in protocol.stages if s.read_result() is None}
        self.seconds: dict[str, list[float]] = {}
        for stage in protocol.stages:
            result = stage.read_result()
            if result is not None:
                self.seconds.setdefault(stage.name, []).append(result['seconds'])
        self.console = Console()
        self.bars = Progress(
            TextColumn('{task.description}', table_column=None),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn('ETA {task.fields[eta]}'),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.overall = self.bars.add_task(
            protocol.name, total=self.total, completed=self.done, eta='?'
        )
        self.tasks: dict[int, int] = {}
        self.jobs = 1

    def __call__(self, event: str, stage, running) -> None:
        """Show an event of :func:`~spact_mm.protocols.run_stages`."""
        running = list(running)
        self.jobs = max(self.jobs, len(running))
        if event == 'start':
            self.tasks[id(stage)] = self.bars.add_task(stage.id, total=100, eta='')
        elif event in ('done', 'failed'):
            self.bars.remove_task(self.tasks.pop(id(stage)))
            self.remaining.pop(id(stage), None)
            self.done += 1
            seconds = ''
            if event == 'done':
                result = stage.read_result()
                self.seconds.setdefault(stage.name, []).append(result['seconds'])
                values = '  '.join(f'{k} {v:.3f}' for k, v in result['metrics'].items())
                seconds = f'{result["seconds"]:.0f} s  {values}'
            else:
                seconds = f'see {stage.folder / "log.txt"}'
            self.console.print(
                f'[{self.done}/{self.total}] {event}: {stage.id}  {seconds}  (ETA {self.eta()})',
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        for other in running:
            self.bars.update(self.tasks[id(other)], completed=int(100 * other.read_progress()))
        self.bars.update(self.overall, completed=self.done, eta=self.eta())

    def eta(self) -> str:
        """Return the time that is left, from the stages of the same kind."""
        known = [value for values in self.seconds.values() for value in values]
        if not known:
            return '?'
        mean = sum(known) / len(known)
        left = 0.0
        for stage in self.remaining.values():
            times = self.seconds.get(stage.name)
            expected = sum(times) / len(times) if times else mean
            left += expected * (1 - stage.read_progress())
        return time.strftime('%H:%M:%S', time.gmtime(left / self.jobs))


def main() -> int:
    """Run the protocol; return the exit code."""
    args = parse_args()
    protocol = load_protocol(
        args.config, args.work_dir, args.methods, args.seeds, args.folds, args.cfg_options
    )
    missing = protocol.find_missing()
    if args.dry_run:
        print_plan(protocol, missing)
        return 0
    if missing and not args.report_only:
        sys.exit('\n'.join(missing))
    failed = {}
    try:
        if not args.report_only:
            # Whoever ends this process means its stages too.
            for ending in (signal.SIGINT, signal.SIGTERM):
                signal.signal(ending, signal.default_int_handler)
            display = Display(protocol)
            with lock(protocol.work_dir), display.bars:
                failed = run_stages(protocol.stages, args.jobs, display)
    except KeyboardInterrupt:
        print('Interrupted; the same command goes on from here.', file=sys.stderr)
        return 130
    finally:
        command = shlex.join(['python', *sys.argv])
        report = write_report(protocol, command, **protocol.report)
        if report is not None:
            print(f'{report}, {report.with_name("report.json")}')
    for name, log in failed.items():
        last = log.read_text(errors='replace').strip().splitlines()[-1:]
        print(f'Failed: {name}; see {log}: {"".join(last)}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    with refuse_in_one_sentence():
        sys.exit(main())
