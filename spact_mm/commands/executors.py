"""Options of the command line that say where stages run."""

import argparse
from pathlib import Path

from ..protocols.executor import Executor
from ..protocols.slurm import SlurmExecutor
from ..protocols.slurm_cluster import SlurmCluster, SlurmOptions
from ..protocols.stage_process import LocalExecutor
from .slurm_options import add_slurm_options, find_slurm_options


def add_executor_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--executor``, and what only Slurm has."""
    parser.add_argument(
        '--jobs',
        '--array-parallelism',
        type=int,
        help='stages at a time; default: one a GPU, or one a core up to four; of Slurm 64, queued '
        'or running',
    )
    parser.add_argument(
        '--executor',
        choices=('local', 'slurm'),
        default='local',
        help='where stages run: in processes of this machine, or as jobs of Slurm, with one file '
        "system for all nodes (pip install 'spact_mm[slurm]')",
    )
    add_slurm_options(parser, 'a stage', 'is saved and queued again')


def make_executor(args: argparse.Namespace, work_dir: Path) -> Executor:
    """Return what the options say.

    Args:
        args (argparse.Namespace): Of a parser with :func:`add_executor_options`.
        work_dir (Path): Jobs leave their own files in its folder ``slurm``.

    Raises:
        ValueError: If an option has no effect or a wrong value.
        RuntimeError: If there is no Slurm.
    """
    given = find_slurm_options(args)
    if args.executor == 'local':
        return LocalExecutor(args.jobs)
    if args.jobs is not None:
        given['jobs'] = args.jobs
    options = SlurmOptions(**given)
    return SlurmExecutor(SlurmCluster(work_dir / 'slurm', options), options.jobs)
