"""Parts of command lines that several tools share."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Any

from .packaged import find_model, list_models


def positive(text: str) -> int:
    """Return a positive whole number."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not positive')
    return value


def quality(text: str) -> int:
    """Return a quality (CRF) of x264."""
    value = int(text)
    if not 0 <= value <= 51:
        raise argparse.ArgumentTypeError(f'{value} is not within 0 to 51')
    return value


def seconds(text: str) -> float:
    """Return a time above zero."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} is no time above zero')
    return value


def in_own_words(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser of an argument whose own sentence argparse shows."""

    def parse_argument(text: str):
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def add_anonymizer_arguments(parser: argparse.ArgumentParser, methods: Iterable[str]):
    """Add ``--checkpoint``, ``--model`` or ``--method``, and ``--config``: the anonymizer.

    Args:
        parser (argparse.ArgumentParser): Parser of the tool.
        methods (Iterable[str]): Names of the obfuscations.

    Returns:
        The group of the first three, one of which is required, for further choices. ``--model``
        sets ``checkpoint``.
    """
    parser.add_argument(
        '--config',
        help='where the checkpoint does not name its anonymizer; a config is a program and runs: '
        'give only one that you trust, while a checkpoint is read as data',
    )
    # Usage texts show a group only if its arguments follow each other.
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument('--checkpoint', help='of a minimax training, or of a model behind its f_A')
    how.add_argument(
        '--model',
        dest='checkpoint',
        type=in_own_words(lambda name: str(find_model(name))),
        metavar='NAME',
        help=f'a checkpoint that comes with this package: {", ".join(list_models())}',
    )
    how.add_argument('--method', choices=sorted(methods), help='an obfuscation instead')
    return how


def run_command(
    command: Callable[[argparse.Namespace], int | None], args: argparse.Namespace
) -> int:
    """Return the exit code of a command; an unusable input gives one sentence and 2."""
    try:
        return command(args) or 0
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
