"""Options of the command line that say what a job asks of Slurm."""

import argparse
from collections.abc import Sequence


def add_slurm_options(parser: argparse.ArgumentParser, job: str, at_the_end: str):
    """Add them, in a group.

    Args:
        parser (argparse.ArgumentParser): Of the tool.
        job (str): Work of a job, such as ``'a stage'``.
        at_the_end (str): Its fate when its time is over, for ``--help``.

    Returns:
        The group, for further options.
    """
    group = parser.add_argument_group('with --executor slurm')
    group.add_argument('--partition', help="default: the cluster's")
    group.add_argument('--gpus', type=int, help=f'of {job}; default: 1; 0 where there are none')
    group.add_argument('--cpus', type=int, help=f'cores of {job}; default: 8')
    group.add_argument(
        '--time',
        help=f'after which {job} {at_the_end}: minutes, h:mm:ss or d-h; default: 4:00:00',
    )
    group.add_argument(
        '--slurm', nargs='+', metavar='KEY=VALUE', help='other options of sbatch: account=…, mem=…'
    )
    return group


def find_slurm_options(args: argparse.Namespace) -> dict:
    """Return those that are given, as arguments of :class:`SlurmOptions`.

    Raises:
        ValueError: If one has no effect or a wrong value.
    """
    given = {name: getattr(args, name) for name in ('partition', 'gpus', 'cpus', 'time')}
    given = {name: value for name, value in given.items() if value is not None}
    if args.slurm:
        given['more'] = _read_pairs(args.slurm)
    if given and args.executor == 'local':
        name = next(iter(given)).replace('more', 'slurm')
        raise ValueError(f'--{name} has no effect without --executor slurm.')
    return given


def _read_pairs(texts: Sequence[str]) -> dict[str, str]:
    wrong = [text for text in texts if '=' not in text.strip('=')]
    if wrong:
        raise ValueError(f'--slurm {wrong[0]} is no KEY=VALUE.')
    return {key.lstrip('-'): value for key, value in (text.split('=', 1) for text in texts)}
