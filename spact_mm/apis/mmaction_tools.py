"""Command-line tools of MMAction2 and MMPretrain, with this package imported first."""

import argparse
import os
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmaction
import mmpretrain
from mmengine.config import Config, DictAction

from ..config_keys import variables_of
from ..engine.run_schedulers import refuse_schedulers
from ..packaged import find_config
from .refusals import refuse_in_one_sentence

#: Upstream modules by name: the module, its title, and how to install it.
_UPSTREAM = dict(
    mmaction=(mmaction, 'MMAction2', 'mmaction2==1.2.0'),
    mmpretrain=(mmpretrain, 'MMPretrain', 'mmpretrain==1.2.0'),
)
#: A warning that the tools' own help lacks.
_TRUST = (
    'A config is a program and runs: use only those that you trust. A checkpoint is read as data.\n'
)


def find_tool(name: str, package: str = 'mmaction') -> Path:
    """Return the path of a tool that MMAction2 or MMPretrain ships, such as ``'train'``.

    Args:
        name (str): Path below ``tools/`` without the suffix.
        package (str): ``'mmaction'`` or ``'mmpretrain'``. Defaults to ``'mmaction'``.

    Raises:
        ValueError: If the package is neither.
        FileNotFoundError: If the installed package does not have the tool.
    """
    if package not in _UPSTREAM:
        raise ValueError(f'There are tools of {" and ".join(_UPSTREAM)}, none of {package!r}.')
    module, title, requirement = _UPSTREAM[package]
    root = Path(module.__file__).resolve().parent
    # The folder of a wheel, and the folder beside the package in a source checkout.
    for folder in (root / '.mim' / 'tools', root.parent / 'tools'):
        path = folder / f'{name}.py'
        if path.is_file():
            return path
    raise FileNotFoundError(
        f'The installed {title} ({root}) has no tools/{name}.py; correct the name, or install it '
        f'from the package index: pip install {requirement}.'
    )


def run_tool(name: str, package: str = 'mmaction') -> None:
    """Run a tool of MMAction2 with this process's arguments, all of its options included.

    ``--cfg-options`` may also name a variable of the config's file, such as ``ucf101_root``. An
    option that would have no effect is refused. ``train`` and ``test`` take configs that come with
    this package by their names (:func:`~spact_mm.packaged.find_config`).

    An error that this package raises (a missing data set, a wrong key, ...) ends the process with
    one sentence and exit code 1; other errors keep their tracebacks. ``SPACT_TRACEBACK=1`` keeps
    all tracebacks. SIGTERM and Ctrl-C also end the process with a sentence, and with exit code 143
    or 130.

    Args:
        name (str): As for :func:`find_tool`.
        package (str): As for :func:`find_tool`. Defaults to ``'mmaction'``.
    """
    if {'-h', '--help'} & set(sys.argv[1:]):
        print(_TRUST, flush=True)
    options = _parse_options()
    with (
        refuse_in_one_sentence(),
        _end_by_signals(),
        variables_of(options.cfg_options or {}),
    ):
        if package == 'mmaction' and name in ('train', 'test') and options.config:
            _find_config(options)
        if name == 'train':
            _refuse_before_building(options)
        runpy.run_path(str(find_tool(name, package)), run_name='__main__')


def _parse_options() -> argparse.Namespace:
    """Return the arguments that are checked here; the tools parse all of them again."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    parser.add_argument('--resume', nargs='?')
    parser.add_argument('--seed', type=int)
    for option in ('--work-dir', '--launcher', '--local-rank', '--local_rank', '--dump'):
        parser.add_argument(option)
    for option in ('--show-dir', '--interval', '--wait-time'):
        parser.add_argument(option)
    for switch in ('--diff-rank-seed', '--deterministic', '--auto-scale-lr'):
        parser.add_argument(switch, action='store_true')
    options, others = parser.parse_known_args()
    options.config = next((word for word in others if not word.startswith('-')), None)
    return options


def _find_config(options: argparse.Namespace) -> None:
    """Replace the config's name in the command line by its path.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    path = find_config(options.config)
    if path != options.config:
        sys.argv[sys.argv.index(options.config, 1)] = options.config = path


def _refuse_before_building(options: argparse.Namespace) -> None:
    """Refuse options of ``tools/train.py`` that conflict with the config, and bad schedulers.

    Raises:
        ValueError: If there is such an option or scheduler.
    """
    seeds = dict(
        seed=options.seed,
        diff_rank_seed=options.diff_rank_seed or None,
        deterministic=options.deterministic or None,
    )
    seeds = {key: value for key, value in seeds.items() if value is not None}
    if not options.config:
        return
    config = Config.fromfile(options.config, import_custom_modules=False)
    given = config.get('randomness') or {}
    for key, value in seeds.items():
        if given and given.get(key) != value:
            raise ValueError(
                f'--{key.replace("_", "-")} changes nothing, as {options.config} has randomness='
                f'{dict(given)}, which comes first; give --cfg-options randomness.{key}={value}.'
            )
    if options.auto_scale_lr and config.get('auto_scale_lr') is None:
        raise ValueError(
            f'--auto-scale-lr needs auto_scale_lr in {options.config}; give it auto_scale_lr = '
            'dict(enable=False, base_batch_size=N), N being the batch, over all processes, that '
            'its learning rates are for.'
        )
    config.merge_from_dict(options.cfg_options or {})
    refuse_schedulers(config)


@contextmanager
def _end_by_signals() -> Iterator[None]:
    """Print the signal that ends the process; a training loop handles signals itself."""
    process = os.getpid()

    def end(number: int, frame) -> None:
        if os.getpid() == process:  # not one of its data workers
            # Unbuffered: the signal may have interrupted a write to a buffer.
            os.write(2, f'Ended by {signal.Signals(number).name}.\n'.encode())
        sys.exit(128 + number)

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
