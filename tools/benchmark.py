"""Compare this package with plain implementations: same work, same machine, in turn.

python tools/benchmark.py step [--clips 2] [--pairs 4] [--variants NAME ...] [--json FILE]
python tools/benchmark.py data [--folder work_dirs/benchmark] [--json FILE]
python tools/benchmark.py anonymize [--sizes 112 224] [--json FILE]
python tools/benchmark.py files [--checkpoint CKPT] [--json FILE]
python tools/benchmark.py stages [--count 10000] [--json FILE]

Each variant is a separate process; the variants run in turn, A B A B ..., one at a time. Ratios are
of neighbouring rounds; their median and range are printed. `step` first checks in float64 that both
loops yield the same parameters, and refuses to compare them otherwise. `stages` compares nothing:
it measures the overhead of a large protocol whose stages do nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from benchmarks import anonymize, compare, data, files, stages, step
from benchmarks.compare import compare_pairs, show
from benchmarks.results import check_json, print_ratios, write_json
from benchmarks.step_comparison import run_step

from spact_mm.apis import METHODS, refuse_in_one_sentence
from spact_mm.packaged import list_models

CASES = dict(step=step.Round, data=data.Samples, anonymize=anonymize.Frames)


def run_data(args: argparse.Namespace) -> dict:
    """Compare the recipe's loading with a sequential reader."""
    compared, rows = {}, {}
    for kind in args.kinds:
        count = args.samples or data.COUNTS[kind]
        show(f'{count} {kind}')
        files = data.make_files(Path(args.folder), kind, count)
        variants = {v.name: v for v in data.variants(files, args.config)}
        *slower, fast = variants
        pairs = [(name, fast) for name in slower]
        with tempfile.TemporaryDirectory() as folder:
            saved = {name: f'{folder}/{name}.npz' for name in ('sequential', 'recipe')}
            calls = {n: [dict(call='save', options=dict(file=f))] for n, f in saved.items()}
            times, found, _ = compare_pairs(variants, pairs, args.rounds, args.warmup, calls)
            difference = data.mean_difference(*saved.values())
        for (name, _), result in zip(pairs, found.values(), strict=True):
            key = kind if name == 'sequential' else f'{kind}, {name}'
            compared[key] = dict(result, mean_difference=difference)
        rows[kind] = {name: compare.summarize(timings) for name, timings in times.items()}
        for name, row in rows[kind].items():
            print(f'{kind:12}{name:12}{1000 * row["cpu_seconds"] / count:9.2f} ms CPU a sample')
        print(f'{kind:12}mean difference {difference:.2f} of 255')
    print_ratios(compared)
    return dict(comparisons=compared, variants=rows)


def run_anonymize(args: argparse.Namespace) -> dict:
    """Compare anonymizing with the network as it was trained."""
    compared, rows = {}, {}
    for size in args.sizes:
        options = dict(config=args.config, size=size, count=args.frames, device=args.device)
        variants = {v.name: v for v in anonymize.variants(dict(options, batch_size=args.batch))}
        key, pairs = f'{size}x{size}', [tuple(variants)]
        with tempfile.TemporaryDirectory() as folder:
            saved = {name: f'{folder}/{name}.npz' for name in variants}
            calls = {
                name: [dict(call='peak'), dict(call='save', options=dict(file=file))]
                for name, file in saved.items()
            }
            times, found, answers = compare_pairs(variants, pairs, args.rounds, args.warmup, calls)
            difference = data.mean_difference(*saved.values())
        peaks = {name: first['bytes'] for name, (first, _) in answers.items()}
        compared[key] = dict(
            next(iter(found.values())),
            memory_ratio=peaks['spact_mm'] / peaks['eager'],
            mean_difference=difference,
        )
        rows[key] = {}
        for name, timings in times.items():
            row = rows[key][name] = compare.summarize(timings)
            row['frames_per_second'] = args.frames / row['seconds']
            print(f'{key:10}{name:10}{row["frames_per_second"]:9.2f} frames/s')
    print_ratios(compared)
    return dict(comparisons=compared, variants=rows)


def run_files(args: argparse.Namespace) -> dict:
    """Anonymize whole files, from start to end, beside deface."""
    found = files.commands(args.methods, args.models, args.checkpoint)
    rows = {}
    for size in args.sizes:
        for cores in args.cores:
            key = f'{size[0]}x{size[1]}, {cores} cores'
            rows[key] = files.compare_files(
                size, cores, found, args.frames, args.rounds, Path(args.folder)
            )
            for name, row in rows[key].items():
                ratio = f'{row["ratio"]:8.2f} of deface' if 'ratio' in row else ''
                print(
                    f'{key:20}{name:18}{row["frames_per_second"]:8.1f} frames/s, start '
                    f'{row["start_seconds"]:5.1f} s, CPU {row["cpu_seconds"]:6.1f} s, '
                    f'{row["memory_mb"]:5.0f} MB{ratio}',
                    flush=True,
                )
    return dict(files=rows)


def run_stages(args: argparse.Namespace) -> dict:
    """Measure what the tool takes for each stage of a large protocol."""
    found = stages.measure(args.config, args.count, args.jobs)
    print(
        f'{found["stages"]} stages: {found["plan_ms"]:.1f} ms each to plan, {found["run_ms"]:.1f} '
        f'to start and to end; memory {found["memory_before_mib"]:.0f} MiB before, '
        f'{found["memory_of_plan_mib"]:.0f} with the plan, {found["memory_of_run_mib"]:.0f} at most'
    )
    return dict(stages=found)


def frame_size(text: str) -> tuple[int, int]:
    """Return the numbers of a text such as ``'640x360'``, both even, as H.264 requires."""
    width, height = map(int, text.split('x'))
    if min(width, height) < 16 or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(f'{text} is no size of two even numbers from 16 on')
    return width, height


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)

    def add(name: str, run: Callable, rounds: int) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument('--config', default=str(step.CONFIG), help='a minimax recipe')
        command.add_argument('--rounds', type=int, default=rounds)
        command.add_argument('--warmup', type=int, default=1)
        command.add_argument('--json', type=Path, help='write the result to this file')
        return command

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    command = add('step', run_step, 5)
    command.epilog = 'With --rounds 0 the memory is compared, and nothing is timed.'
    command.add_argument('--clips', type=int, default=2)
    command.add_argument('--pairs', type=int, default=4, help='images, two views each')
    command.add_argument('--variants', nargs='+', help='compare these with plain')
    command.add_argument(
        '--memory-runs', type=int, choices=range(1, 10), default=3, metavar='N',
        help='the peak of memory is the median of so many runs, from 1 to 9',
    )  # fmt: skip
    command.add_argument('--fit', type=float, help='how many clips fit into so many GiB')
    command.add_argument('--device', default=device)
    command = add('data', run_data, 5)
    command.add_argument('--folder', default='work_dirs/benchmark', help='of the files it makes')
    command.add_argument('--kinds', nargs='+', choices=list(data.COUNTS), default=list(data.COUNTS))
    command.add_argument('--samples', type=int, help='samples of a round')
    command = add('anonymize', run_anonymize, 7)
    command.add_argument('--sizes', nargs='+', type=int, default=[112, 224])
    command.add_argument('--frames', type=int, default=16)
    command.add_argument('--batch', type=int, default=16)
    command.add_argument('--device', default=device)
    command = commands.add_parser('files', help=run_files.__doc__)
    command.set_defaults(run=run_files)
    command.add_argument('--rounds', type=int, default=3)
    command.add_argument('--json', type=Path, help='write the result to this file')
    command.add_argument(
        '--sizes', nargs='+', type=frame_size, default=[(640, 360), (1280, 720)], metavar='WxH'
    )
    command.add_argument('--cores', nargs='+', type=int, default=[1, 2])
    command.add_argument('--frames', type=int, default=250)
    command.add_argument('--methods', nargs='*', choices=sorted(METHODS), default=sorted(METHODS))
    command.add_argument(
        '--models', nargs='*', choices=list_models(), default=list_models(), help='by each backend'
    )
    command.add_argument('--checkpoint', help='of an f_A, at the size of the file')
    command.add_argument('--folder', default='work_dirs/benchmark', help='of the files it makes')
    command = commands.add_parser('stages', help=run_stages.__doc__)
    command.set_defaults(run=run_stages, rounds=1)
    command.add_argument('--config', default=str(stages.CONFIG), help='a protocol')
    command.add_argument('--count', type=int, default=10_000, help='stages, by as many seeds')
    command.add_argument('--jobs', type=int, default=64)
    command.add_argument('--json', type=Path, help='write the result to this file')
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    if sys.argv[1:] == ['work']:
        compare.serve(CASES)
        return
    args = parse_args()
    check_json(args.json)
    write_json(args, args.run(args))


if __name__ == '__main__':
    with refuse_in_one_sentence():
        main()
