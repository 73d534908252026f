"""The printed and the written results of a benchmark."""

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

import spact_mm
from spact_mm.files import write_whole
from spact_mm.protocols.stage import current_commit


def print_ratios(compared: Mapping[str, Mapping]) -> None:
    """Print the comparisons."""
    print(f'\n{"comparison":54}{"ratio":>7}{"range":>16}{"CPU":>7}{"memory":>8}')
    for name, result in compared.items():
        spread = f'{result["ratio_min"]:.2f} to {result["ratio_max"]:.2f}'
        memory = f'{result["memory_ratio"]:8.2f}' if 'memory_ratio' in result else ''
        print(f'{name:54}{result["ratio"]:7.2f}{spread:>16}{result["cpu_ratio"]:7.2f}{memory}')


def describe(device: str) -> str:
    """Return a description of the device."""
    if device == 'cuda':
        return torch.cuda.get_device_name()
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return f'{line.split(":", 1)[1].strip()}, {torch.get_num_threads()} threads'
    return platform.processor()


def check_json(path: Path | None) -> None:
    """Refuse a path of a file that is no earlier result, before anything is measured."""
    if path is None or not os.path.lexists(path):
        return
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or 'run' not in found:
        sys.exit(f'{path} is there, and no result of this tool: give another --json, or move it.')


def write_json(args: argparse.Namespace, result: Mapping) -> None:
    """Write a result to the file of the command line, if there is one."""
    if args.json:
        content = json.dumps(dict(run=describe_run(args), **result), indent=2) + '\n'
        write_whole(args.json, content)


def describe_run(args: argparse.Namespace) -> dict:
    """Return the settings needed to repeat the run."""
    return dict(
        command=shlex.join(['python', 'tools/benchmark.py', *sys.argv[1:]]),
        commit=current_commit(),
        machine=describe(getattr(args, 'device', 'cpu')),
        torch=torch.__version__,
        spact_mm=spact_mm.__version__,
        rounds=args.rounds,
    )
