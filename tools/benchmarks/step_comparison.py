"""``step``: a round of the minimax against the plain loop's, in time, arithmetic and memory."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from benchmarks import compare, machine, step
from benchmarks.compare import Variant, ask, compare_pairs, show
from benchmarks.results import describe, print_ratios, write_json

GIB = 2**30
#: Default comparisons of ``step``: as launched by the scripts, with the same memory allocation, and
#: with the settings that save memory.
STEP_PAIRS = (
    ('plain', 'spact_mm'),
    ('plain', 'spact_mm, default pages'),
    ('plain', 'checkpointing, default pages'),
)


def run_step(args: argparse.Namespace) -> dict:
    """Compare a minimax round with the plain loop's."""
    common = dict(config=args.config, clips=args.clips, pairs=args.pairs, device=args.device)
    variants = step.variants(common)
    pairs = choose_pairs(variants, args.variants)
    difference, flops = check_equal_math(common)
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    runs = measure_memory(variants, names, args.memory_runs)
    peaks = {name: median(values) for name, values in runs.items()}
    print(f'\nA round of {args.clips} clips and {args.pairs} images on {describe(args.device)}')
    print(f'Largest relative difference of a parameter or statistic in float64: {difference:.1e}\n')
    if not args.rounds:
        return dict(memory=compare_memory(pairs, peaks), memory_runs=runs)
    result = time_rounds(args, variants, pairs, peaks, flops)
    result['memory_runs'] = runs
    for (a, b), comparison in zip(pairs, result['comparisons'].values(), strict=True):
        comparison['memory_ratio'] = peaks[b] / peaks[a]
        comparison['max_parameter_difference'] = difference
    print_ratios(result['comparisons'])
    print('\nGFLOP/s of the machine: ' + ', '.join(
        f'{name} {value / 1e9:.1f}' for name, value in result['ceilings'].items()
    ))  # fmt: skip
    print(f'Less arithmetic: {flops["plain"] / flops["spact_mm"]:.2f} times.')
    if args.fit:
        write_json(args, result)  # so that an interruption does not lose these results
        result['clips_that_fit'] = estimate_clips(variants, list(peaks), args)
    return result


def choose_pairs(
    variants: Mapping[str, Variant], names: Sequence[str] | None
) -> Sequence[tuple[str, str]]:
    """Return the pairs to compare: each named variant with its baseline, or the default.

    Raises:
        ValueError: If there is no variant of that name.
    """
    for name in names or ():
        if name not in variants:
            raise ValueError(f'There is no variant {name!r}; choose from {list(variants)}.')
    if not names:
        return STEP_PAIRS
    return [(step.BASELINES[variants[name].pages], name) for name in names]


def check_equal_math(common: Mapping) -> tuple[float, dict[str, int]]:
    """Do a round of each loop in float64, and refuse too large differences.

    Returns:
        tuple: The largest difference, and the floating-point operations of each loop.

    Raises:
        ValueError: If the loops do not yield the same parameters.
    """
    flops = {}
    show(f'parameters after a round in float64, tolerance {step.TOLERANCE:.0e}')
    with tempfile.TemporaryDirectory() as folder:
        files = {loop: f'{folder}/{loop}.pth' for loop in ('plain', 'spact_mm')}
        for loop, file in files.items():
            variant = Variant(loop, 'step', dict(common, loop=loop, double=True))
            save = dict(call='save', options=dict(file=file))
            *_, flops[loop] = ask(variant, [dict(call='run'), save, dict(call='flops')])
        difference, name = step.largest_difference(files['plain'], files['spact_mm'])
    if not difference <= step.TOLERANCE:
        raise ValueError(
            f'The loops do not yield the same parameters: {name} differs by {difference:.1e}, more '
            f'than {step.TOLERANCE:.0e}; nothing is compared.'
        )
    return difference, {loop: answer['flops'] for loop, answer in flops.items()}


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
    variants: Mapping[str, Variant],
    pairs: Sequence[tuple[str, str]],
    peaks: Mapping[str, int],
    flops: Mapping[str, int],
) -> dict:
    """Time the variants in turn, print a table, and return the entries of the JSON file."""
    show('what the machine can do')
    ceilings = machine.measure_peaks(args.device)
    times, compared, _ = compare_pairs(variants, pairs, args.rounds, args.warmup)
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
    return dict(comparisons=compared, variants=rows, ceilings=ceilings, flops=dict(flops))


def compare_memory(pairs: Sequence[tuple[str, str]], peaks: Mapping[str, int]) -> dict:
    """Print and return the peaks and their ratios."""
    for name, peak in peaks.items():
        print(f'{name:36}{peak / GIB:7.2f} GiB')
    ratios = {f'{a} -> {b}': peaks[b] / peaks[a] for a, b in pairs}
    for name, ratio in ratios.items():
        print(f'{name:64}{ratio:6.2f}')
    return dict(peaks=peaks, ratios=ratios)


def estimate_clips(
    variants: Mapping[str, Variant], names: Sequence[str], args: argparse.Namespace
) -> dict[str, int]:
    """Estimate the clips that fit into ``args.fit`` GiB from the peaks of two batch sizes."""
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
