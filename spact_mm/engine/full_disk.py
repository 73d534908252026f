"""Ending a training with one sentence if the disk is full."""

import errno
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error means that nothing more can be written (disk, quota or limit)."""
    return isinstance(error, OSError) and error.errno in _FULL


def full_disk_error(error: OSError, what: str, last_checkpoint: str | None) -> OSError:
    """Return the error with one sentence for a full disk.

    Args:
        error (OSError): An error for which :func:`is_full` is true.
        what (str): The content to write, for an error that does not name a file.
        last_checkpoint (str, optional): The last whole checkpoint.
    """
    kept = 'there is no checkpoint yet'
    if last_checkpoint is not None:
        kept = f'the last whole checkpoint is {last_checkpoint}'
    return OSError(
        f'{error.filename or what} cannot be written ({error.strerror}); {kept}: free space and go '
        'on with --resume.'
    )


@contextmanager
def refuse_full_disk(
    logger: logging.Logger, what: str, last_checkpoint: Callable[[], str | None]
) -> Iterator[None]:
    """Turn errors of a full disk into one sentence, for checkpoints and logs alike.

    Args:
        logger (logging.Logger): The logger, whose files are included; they are no longer written
            after such an error.
        what (str): The content to write, for an error that does not name a file.
        last_checkpoint (Callable): Function that returns the last whole checkpoint, None if there
            is none.

    Raises:
        OSError: With this sentence.
    """
    files = [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
    for handler in files:
        handler.handleError = _raise_if_full
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        for handler in files:
            handler.handleError = _ignore
        raise full_disk_error(error, what, last_checkpoint()) from error
    for handler in files:
        del handler.handleError


def _raise_if_full(record: logging.LogRecord) -> None:
    """Replace ``Handler.handleError``, which prints a traceback for each line and continues."""
    if is_full(sys.exc_info()[1]):
        raise
    logging.lastResort.handleError(record)


def _ignore(record: logging.LogRecord) -> None:
    """Ignore a line of the log, as the error has been reported."""
