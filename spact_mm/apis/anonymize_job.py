"""Anonymize a file into a folder of outputs, and note there that it is done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..files import lock_folder
from .anonymize_file import FileResult, anonymize_file
from .changes import changes_path
from .leftover import LeftoverCheck
from .manifest import Manifest
from .outputs import LOCK, Job


def anonymize_job(job: Job, manifest: Manifest, check: LeftoverCheck, **options) -> FileResult:
    """Anonymize a file into the folder of a manifest, and note it there once it is whole.

    Args:
        job (Job): What goes in and comes out.
        manifest (Manifest): Of the folder, which the process has locked by :func:`lock_outputs`.
        check (LeftoverCheck): Anonymizes the frames, and measures what is left of them, which is
            noted too.
        **options: As for :func:`anonymize_file`. Changes are written beside the output, too.

    Returns:
        FileResult: What was written.

    Raises:
        ValueError: If the source cannot be read, or too much of it is left.
        FileExistsError: If there is something of that name which this tool has not written.
        OSError: If the output cannot be written.
    """

    def facts(result: FileResult) -> dict:
        known = {k: v for k, v in asdict(result).items() if k != 'output' and v is not None}
        return {**known, **check.facts}

    manifest.check_replaceable(job)
    log = options.get('changes')
    path = None if log is None else changes_path(job.output)
    result = anonymize_file(
        job,
        check,
        before_replace=lambda result: manifest.claim(job, **facts(result)),
        **options,
    )
    if log is not None:
        log.write(path)
    manifest.add(job, **facts(result))
    return result


@contextmanager
def lock_outputs(out: str | Path) -> Iterator[None]:
    """Keep a folder of outputs to one run: this process, or those that torchrun has started.

    Args:
        out (str | Path): The folder; it is made.

    Raises:
        RuntimeError: If another run uses it.
        OSError: If it cannot be written to.
    """
    refusal = (
        f'Another run writes to {out}: wait for it, or give another --out (out_dir in Python).'
    )
    if int(os.environ.get('WORLD_SIZE', 1)) == 1:
        with lock_folder(out, refusal, name=LOCK):
            yield
        return
    names = ('TORCHELASTIC_RUN_ID', 'MASTER_ADDR', 'MASTER_PORT', 'WORLD_SIZE')
    run = ' '.join(os.environ.get(name, '-') for name in names)
    # Where that tells no runs apart, the ranks do.
    rank = f'{LOCK}.{int(os.environ.get("RANK", 0))}'
    with lock_folder(out, refusal, run, LOCK), lock_folder(out, refusal, name=rank):
        yield
