"""Command-line arguments shared by several tools."""

import argparse
from collections.abc import Iterable


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


def add_anonymizer_arguments(parser: argparse.ArgumentParser, methods: Iterable[str]):
    """Add ``--checkpoint`` or ``--method``, and ``--config``, which choose the anonymizer.

    Args:
        parser (argparse.ArgumentParser): Parser of the tool.
        methods (Iterable[str]): Names of the obfuscations.

    Returns:
        The group of the first two, one of which is required, for further choices.
    """
    parser.add_argument(
        '--config',
        help='where the checkpoint does not name its anonymizer; a config is a program and runs: '
        'give only one that you trust, while a checkpoint is read as data',
    )
    # Usage texts show a group only if its arguments follow each other.
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument('--checkpoint', help='of a minimax training, or of a model behind its f_A')
    how.add_argument('--method', choices=sorted(methods), help='an obfuscation instead')
    return how
