"""Options of the command line that say where stages run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..protocols.executor import Executor
from ..protocols.slurm import SlurmExecutor
from ..protocols.slurm_cluster import SlurmCluster, SlurmOptions
from ..protocols.stage_process import LocalExecutor


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
    group = parser.add_argument_group('with --executor slurm')
    group.add_argument('--partition', help="default: the cluster's")
    group.add_argument('--gpus', type=int, help='of a stage; default: 1; 0 where there are none')
    group.add_argument('--cpus', type=int, help='cores of a stage, with data workers; default: 8')
    group.add_argument(
        '--time',
        help='after which a stage is saved and queued again: minutes, h:mm:ss or d-h; '
        'default: 4:00:00',
    )
    group.add_argument(
        '--slurm', nargs='+', metavar='KEY=VALUE', help='other options of sbatch: account=…, mem=…'
    )


def make_executor(args: argparse.Namespace, work_dir: Path) -> Executor:
    """Return what the options say.

    Args:
        args (argparse.Namespace): Of a parser with :func:`add_executor_options`.
        work_dir (Path): Jobs leave their own files in its folder ``slurm``.

    Raises:
        ValueError: If an option has no effect or a wrong value.
        RuntimeError: If there is no Slurm.
    """
    given = {name: getattr(args, name) for name in ('partition', 'gpus', 'cpus', 'time')}
    given = {name: value for name, value in given.items() if value is not None}
    if args.slurm:
        given['more'] = _read_pairs(args.slurm)
    if args.executor == 'local':
        if given:
            name = next(iter(given)).replace('more', 'slurm')
            raise ValueError(f'--{name} has no effect without --executor slurm.')
        return LocalExecutor(args.jobs)
    if args.jobs is not None:
        given['jobs'] = args.jobs
    options = SlurmOptions(**given)
    return SlurmExecutor(SlurmCluster(work_dir / 'slurm', options), options.jobs)


def _read_pairs(texts: Sequence[str]) -> dict[str, str]:
    wrong = [text for text in texts if '=' not in text.strip('=')]
    if wrong:
        raise ValueError(f'--slurm {wrong[0]} is no KEY=VALUE.')
    return {key.lstrip('-'): value for key, value in (text.split('=', 1) for text in texts)}
