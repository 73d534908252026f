"""Compare this package with plain implementations: same work, same machine, in turn.

python tools/benchmark.py step [--clips 2] [--pairs 4] [--variants NAME ...] [--json FILE]
python tools/benchmark.py data [--folder work_dirs/benchmark] [--json FILE]
python tools/benchmark.py anonymize [--sizes 112 224] [--json FILE]
python tools/benchmark.py files [--checkpoint CKPT] [--json FILE]

Each variant is a process of its own; they run in turn, A B A B ..., one at a time. A ratio is that
of neighbouring rounds, its median and its range. `step` first checks in float64 that both loops
yield the same parameters, and refuses to compare what does not.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from benchmarks import anonymize, compare, data, files, machine, step
from benchmarks.compare import Timing, Variant, Worker

import spact_mm
from spact_mm.apis import METHODS, refuse_in_one_sentence
from spact_mm.files import write_whole
from spact_mm.protocols.stage import current_commit

GIB = 2**30
CASES = dict(step=step.Round, data=data.Samples, anonymize=anonymize.Frames)
#: What ``step`` compares by default: as our scripts launch it, the same memory allocation, and the
#: switch that saves memory.
STEP_PAIRS = (
    ('plain', 'spact_mm'),
    ('plain', 'spact_mm, default pages'),
    ('plain', 'checkpointing, default pages'),
)


def show(text: str) -> None:
    """Tell the user what is going on."""
    print(f'  {text}', file=sys.stderr, flush=True)


def compare_pairs(
    variants: Mapping[str, Variant], pairs: Sequence[tuple[str, str]], rounds: int, warmup: int
) -> tuple[dict[str, list[Timing]], dict[str, dict]]:
    """Time the variants of all pairs in turn.

    Returns:
        tuple: The rounds by variant, and the comparisons by ``'slow -> fast'``.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    times = compare.interleave([variants[name] for name in names], rounds, warmup, show)
    compared = {f'{a} -> {b}': compare.compare(times[a], times[b]) for a, b in pairs}
    return times, compared


def ask(variant: Variant, calls: Sequence[Mapping]) -> list[dict]:
    """Start a variant, make the calls, end it, and return the answers."""
    with Worker(variant) as worker:
        return [worker.ask(**call) for call in calls]


def run_step(args: argparse.Namespace) -> dict:
    """Compare a minimax round with the plain loop's."""
    common = dict(config=args.config, clips=args.clips, pairs=args.pairs, device=args.device)
    variants = step.variants(common)
    pairs = choose_pairs(variants, args.variants)
    difference = check_equal_math(common)
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    runs = measure_memory(variants, names, args.memory_runs)
    peaks = {name: median(values) for name, values in runs.items()}
    print(f'\nA round of {args.clips} clips and {args.pairs} images on {describe(args.device)}')
    print(f'Largest relative difference of a parameter or statistic in float64: {difference:.1e}\n')
    if not args.rounds:
        return dict(memory=compare_memory(pairs, peaks), memory_runs=runs)
    result = time_rounds(args, common, variants, pairs, peaks)
    result['memory_runs'] = runs
    for (a, b), comparison in zip(pairs, result['comparisons'].values(), strict=True):
        comparison['memory_ratio'] = peaks[b] / peaks[a]
        comparison['max_parameter_difference'] = difference
    print_ratios(result['comparisons'])
    print('\nGFLOP/s of the machine: ' + ', '.join(
        f'{name} {value / 1e9:.1f}' for name, value in result['ceilings'].items()
    ))  # fmt: skip
    flops = result['flops']
    print(f'Less arithmetic: {flops["plain"] / flops["spact_mm"]:.2f} times.')
    if args.fit:
        write_json(args, result)  # or what was measured is lost if this is interrupted
        result['clips_that_fit'] = estimate_clips(variants, list(peaks), args)
    return result


def choose_pairs(
    variants: Mapping[str, Variant], names: Sequence[str] | None
) -> Sequence[tuple[str, str]]:
    """Return what to compare with what: each named variant with its baseline, or the default.

    Raises:
        ValueError: If there is no variant of a name.
    """
    for name in names or ():
        if name not in variants:
            raise ValueError(f'There is no variant {name!r}; choose from {list(variants)}.')
    if not names:
        return STEP_PAIRS
    return [(step.BASELINES[variants[name].pages], name) for name in names]


def measure_memory(
    variants: Mapping[str, Variant], names: Sequence[str], count: int
) -> dict[str, list[int]]:
    """Return the peaks in bytes of two rounds of each variant, of ``count`` processes in turn."""
    peaks = {name: [] for name in names}
    for run in range(count):
        for name in names:
            show(f'memory of {name}, {run + 1} of {count}')
            calls = [dict(call='run'), dict(call='run'), dict(call='peak')]
            peaks[name].append(ask(variants[name], calls)[-1]['bytes'])
    return peaks


def time_rounds(
    args: argparse.Namespace,
    common: Mapping,
    variants: Mapping[str, Variant],
    pairs: Sequence[tuple[str, str]],
    peaks: Mapping[str, int],
) -> dict:
    """Time the variants in turn, print a table, and return what goes into the JSON file."""
    show('what the machine can do')
    flops = {
        loop: ask(Variant(loop, 'step', dict(common, loop=loop)), [dict(call='flops')])[0]['flops']
        for loop in ('plain', 'spact_mm')
    }
    ceilings = machine.measure_peaks(args.device)
    times, compared = compare_pairs(variants, pairs, args.rounds, args.warmup)
    print(f'{"variant":36}{"s/round":>9}{"CPU s":>9}{"GFLOP/s":>9}{"of peak":>9}{"GiB":>7}')
    rows = {}
    for name, peak in peaks.items():
        row = rows[name] = compare.summarize(times[name])
        work = flops[variants[name].options['loop']]
        rate = work / row['seconds']
        row.update(
            flops=work,
            flop_per_second=rate,
            fraction_of_convolution=rate / ceilings['convolution'],
            peak_memory=peak,
        )
        print(
            f'{name:36}{row["seconds"]:9.3f}{row["cpu_seconds"]:9.3f}{rate / 1e9:9.1f}'
            f'{row["fraction_of_convolution"]:9.2f}{peak / GIB:7.2f}'
        )
    return dict(comparisons=compared, variants=rows, ceilings=ceilings, flops=flops)


def compare_memory(pairs: Sequence[tuple[str, str]], peaks: Mapping[str, int]) -> dict:
    """Print and return the peaks and their ratios."""
    for name, peak in peaks.items():
        print(f'{name:36}{peak / GIB:7.2f} GiB')
    ratios = {f'{a} -> {b}': peaks[b] / peaks[a] for a, b in pairs}
    for name, ratio in ratios.items():
        print(f'{name:64}{ratio:6.2f}')
    return dict(peaks=peaks, ratios=ratios)


def check_equal_math(common: Mapping) -> float:
    """Return the largest difference after a round in float64; refuse one that is too large.

    Raises:
        ValueError: If the loops do not yield the same parameters.
    """
    show(f'parameters after a round in float64, tolerance {step.TOLERANCE:.0e}')
    with tempfile.TemporaryDirectory() as folder:
        files = {loop: f'{folder}/{loop}.pth' for loop in ('plain', 'spact_mm')}
        for loop, file in files.items():
            variant = Variant(loop, 'step', dict(common, loop=loop, double=True))
            ask(variant, [dict(call='run'), dict(call='save', options=dict(file=file))])
        difference, name = step.largest_difference(files['plain'], files['spact_mm'])
    if not difference <= step.TOLERANCE:
        raise ValueError(
            f'The loops do not yield the same parameters: {name} differs by {difference:.1e}, more '
            f'than {step.TOLERANCE:.0e}; nothing is compared.'
        )
    return difference


def estimate_clips(
    variants: Mapping[str, Variant], names: Sequence[str], args: argparse.Namespace
) -> dict[str, int]:
    """Estimate how many clips fit into ``args.fit`` GiB from the peaks of two batch sizes."""
    fits = {}
    print()
    for name in names:
        peaks = {}
        for clips in (args.clips, 2 * args.clips):
            show(f'memory of {name} with {clips} clips')
            variant = replace(variants[name], options=dict(variants[name].options, clips=clips))
            peaks[clips] = ask(variant, [dict(call='run'), dict(call='peak')])[-1]['bytes']
        each = (peaks[2 * args.clips] - peaks[args.clips]) / args.clips
        fits[name] = int((args.fit * GIB - peaks[args.clips]) // each + args.clips)
        print(f'{name}: {each / GIB:.2f} GiB a clip, {fits[name]} clips in {args.fit} GiB')
    return fits


def run_data(args: argparse.Namespace) -> dict:
    """Compare the recipe's loading with a sequential reader."""
    compared, rows = {}, {}
    for kind in args.kinds:
        count = args.samples or data.COUNTS[kind]
        show(f'{count} {kind}')
        files = data.make_files(Path(args.folder), kind, count)
        variants = {v.name: v for v in data.variants(files, args.config)}
        with tempfile.TemporaryDirectory() as folder:
            saved = {name: f'{folder}/{name}.npz' for name in ('sequential', 'recipe')}
            for name, file in saved.items():
                ask(variants[name], [dict(call='save', options=dict(file=file))])
            difference = data.mean_difference(*saved.values())
        *slower, fast = variants
        pairs = [(name, fast) for name in slower]
        times, found = compare_pairs(variants, pairs, args.rounds, args.warmup)
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
        times, found = compare_pairs(variants, [tuple(variants)], args.rounds, args.warmup)
        key = f'{size}x{size}'
        with tempfile.TemporaryDirectory() as folder:
            calls = {
                name: ask(variant, [
                    dict(call='save', options=dict(file=f'{folder}/{name}.npz')),
                    dict(call='peak'),
                ])
                for name, variant in variants.items()
            }  # fmt: skip
            difference = data.mean_difference(*(f'{folder}/{name}.npz' for name in variants))
        peaks = {name: answers[-1]['bytes'] for name, answers in calls.items()}
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
    found = files.commands(args.methods, args.checkpoint)
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
                    f'{row["start_seconds"]:5.1f} s, CPU {row["cpu_seconds"]:6.1f} s{ratio}',
                    flush=True,
                )
    return dict(files=rows)


def frame_size(text: str) -> tuple[int, int]:
    """Return the numbers of ``'640x360'``, both even, as H.264 needs them."""
    width, height = map(int, text.split('x'))
    if min(width, height) < 16 or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(f'{text} is no size of two even numbers from 16 on')
    return width, height


def print_ratios(compared: Mapping[str, Mapping]) -> None:
    """Print the comparisons."""
    print(f'\n{"comparison":54}{"ratio":>7}{"range":>16}{"CPU":>7}{"memory":>8}')
    for name, result in compared.items():
        spread = f'{result["ratio_min"]:.2f} to {result["ratio_max"]:.2f}'
        memory = f'{result["memory_ratio"]:8.2f}' if 'memory_ratio' in result else ''
        print(f'{name:54}{result["ratio"]:7.2f}{spread:>16}{result["cpu_ratio"]:7.2f}{memory}')


def describe(device: str) -> str:
    """Return what computes."""
    if device == 'cuda':
        return torch.cuda.get_device_name()
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return f'{line.split(":", 1)[1].strip()}, {torch.get_num_threads()} threads'
    return platform.processor()


def check_json(path: Path | None) -> None:
    """Refuse, before anything is measured, to replace a file that is no earlier result."""
    if path is None or not os.path.lexists(path):
        return
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or 'run' not in found:
        sys.exit(f'{path} is there, and no result of this tool: give another --json, or move it.')


def write_json(args: argparse.Namespace, result: Mapping) -> None:
    """Write a result to the file that the command line names, if it names one."""
    if args.json:
        content = json.dumps(dict(run=describe_run(args), **result), indent=2) + '\n'
        write_whole(args.json, content)


def describe_run(args: argparse.Namespace) -> dict:
    """Return what a reader of the file needs to repeat the run."""
    return dict(
        command=' '.join(['python', 'tools/benchmark.py', *sys.argv[1:]]),
        commit=current_commit(),
        machine=describe(getattr(args, 'device', 'cpu')),
        torch=torch.__version__,
        spact_mm=spact_mm.__version__,
        rounds=args.rounds,
    )


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
    command.add_argument('--checkpoint', help='of an f_A, by each backend')
    command.add_argument('--folder', default='work_dirs/benchmark', help='of the files it makes')
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1:] == ['work']:
        compare.serve(CASES)
        return
    args = parse_args()
    check_json(args.json)
    write_json(args, args.run(args))


if __name__ == '__main__':
    with refuse_in_one_sentence():
        main()
