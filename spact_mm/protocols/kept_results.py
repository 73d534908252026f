"""The results of stages in one small file, which outlasts their work dir."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ..files import write_whole
from .stage import Stage
from .stage_files import is_result, write_json

#: Name of the file in a work dir.
KEPT_RESULTS = 'results.jsonl'
#: What a result says of its stage.
_PLACE = ('config_hash', 'method', 'seed', 'fold', 'name')


def keep_results(stages: Sequence[Stage], path: str | os.PathLike) -> None:
    """Write the results of the stages that are done, one a line.

    Args:
        stages (Sequence[Stage]): Stages, done or not.
        path: The file to write.
    """
    results = [result for stage in stages if (result := stage.read_result()) is not None]
    lines = [json.dumps(result, separators=(',', ':'), sort_keys=True) for result in results]
    write_whole(path, ''.join(f'{line}\n' for line in lines))


def take_results(stages: Sequence[Stage], path: str | os.PathLike) -> int:
    """Give stages that are not done the results of :func:`keep_results`.

    Args:
        stages (Sequence[Stage]): Stages, done or not. Folders of stages with a result are made.
        path: The file, of any protocol or of several.

    Returns:
        int: How many stages took a result.

    Raises:
        ValueError: If a line is no result, or no result is one of these stages.
        OSError: If the file cannot be read.
    """
    found = find_results(stages, path)
    for stage, result in found.items():
        stage.prepare()
        write_json(stage.folder / 'result.json', result)
    return len(found)


def find_results(stages: Sequence[Stage], path: str | os.PathLike) -> dict[Stage, dict]:
    """Return the results of :func:`keep_results` for stages that are not done.

    A result is of the stage of its name, method, seed and fold, if config, lists of data and needed
    stages are exactly the same. Weights are not among the results: a training whose weights another
    stage needs is done again.

    Args:
        stages (Sequence[Stage]): Stages, done or not.
        path: The file, of any protocol or of several.

    Returns:
        dict: Result by stage.

    Raises:
        ValueError: If a line is no result, or no result is one of these stages.
        OSError: If the file cannot be read.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise OSError(
            f'{path} cannot be read ({error.strerror}): give the {KEPT_RESULTS} of an earlier run, '
            'or leave it out.'
        ) from None
    kept = {}
    for number, line in enumerate(lines, 1):
        try:
            result = json.loads(line)
        except (ValueError, RecursionError):
            result = None
        if not isinstance(result, dict) or not is_result(result):
            raise ValueError(
                f'Line {number} of {path} is no result of a stage: give the {KEPT_RESULTS} of a '
                "protocol's work dir, or take this line out."
            )
        kept[json.dumps([result.get(key) for key in _PLACE])] = result
    own = [(stage, kept[key]) for stage in stages if (key := _find_key(stage)) in kept]
    if not own:
        raise ValueError(
            f'{path} has {len(kept)} results, and none is of these stages: their configs, seeds or '
            'lists of data are others, or the data are not there yet. Leave the file out, or check '
            'out the version that made it and write the data first.'
        )
    return {stage: result for stage, result in own if stage.read_result() is None}


def _find_key(stage: Stage) -> str:
    return json.dumps([stage.hash, stage.method, stage.seed, stage.fold, stage.name])
