"""Anonymize a file into a folder of outputs, and record it in the folder's manifest."""

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
from .outputs import LOCK, Job, find_shards


def anonymize_job(job: Job, manifest: Manifest, check: LeftoverCheck, **options) -> FileResult:
    """Anonymize a file into the folder of a manifest, and record the output there once it is whole.

    Args:
        job (Job): The source and the output.
        manifest (Manifest): Manifest of the folder, which the process has locked by
            :func:`lock_outputs`.
        check (LeftoverCheck): Anonymizes the frames and measures how much of them is left; the
            measurement is recorded too.
        **options: Arguments of :func:`anonymize_file`. Changes are written beside the output, too.

    Returns:
        FileResult: Facts about the written file.

    Raises:
        ValueError: If the source cannot be read, or too much of it is left.
        FileExistsError: If the output's name is taken by something that this tool has not written.
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
def lock_outputs(out: str | Path, has_jobs: bool = False) -> Iterator[None]:
    """Reserve a folder of outputs for one run: this process, or all processes of a torchrun.

    Args:
        out (str | Path): The folder; made if it does not exist.
        has_jobs (bool): Whether jobs of a cluster, which an earlier run may have left behind, are
            looked after by the caller. Defaults to False: they are a reason to refuse.

    Raises:
        RuntimeError: If another run uses the folder.
        OSError: If the folder cannot be written to.
    """
    refusal = (
        f'Another run writes to {out}: wait for it, or give another --out (out_dir in Python).'
    )
    if int(os.environ.get('WORLD_SIZE', 1)) == 1:
        with lock_folder(out, refusal, name=LOCK):
            if not has_jobs:
                _refuse_jobs(out)
            yield
        return
    names = ('TORCHELASTIC_RUN_ID', 'MASTER_ADDR', 'MASTER_PORT', 'WORLD_SIZE')
    run = ' '.join(os.environ.get(name, '-') for name in names)
    # If these variables do not distinguish two runs, a lock for each rank does.
    rank = f'{LOCK}.{int(os.environ.get("RANK", 0))}'
    with lock_folder(out, refusal, run, LOCK), lock_folder(out, refusal, name=rank):
        _refuse_jobs(out)
        yield


def _refuse_jobs(out: str | Path) -> None:
    # A note of a job, also one that is being cancelled.
    if any(note for folder in find_shards(out) for note in folder.glob('*job.json')):
        raise RuntimeError(
            f'Files of {out} were given to Slurm, and jobs may write there: go on with --executor '
            'slurm, where Ctrl-C ends them.'
        )
