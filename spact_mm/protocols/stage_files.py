"""Reading the JSON files of a stage, which may be damaged or edited."""

import json
import math
import warnings
from numbers import Real
from pathlib import Path

from ..files import write_whole

#: Test result of an attacker's stage without a test.
_NOTHING = dict(score=0.0, chance=0.0)


def read_json(path: Path) -> dict:
    """Return the contents of a file of :func:`write_json`; empty if there is no such file.

    A file with other contents counts as missing, with a warning.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    # Invalid UTF-8, invalid JSON and endless numbers are all ValueErrors.
    except (OSError, ValueError, RecursionError) as error:
        warn_of(path, f'{type(error).__name__}: {str(error)[:80]}')
        return {}
    if not isinstance(content, dict):
        warn_of(path, f'a {type(content).__name__} in place of names and values')
        return {}
    return content


def read_result(path: Path) -> dict:
    """Return the result of a stage; empty if there is none or it is damaged."""
    result = read_json(path)
    if result and not is_result(result):
        warn_of(path, 'no metrics by name, or no seconds')
        return {}
    return result


def read_progress(path: Path) -> tuple[float, float]:
    """Return the finished fraction of a training, and its seconds; 0 if unknown."""
    state = read_json(path)
    done, total, seconds = (state.get(key, 0) for key in ('done', 'total', 'seconds'))
    if not all(map(_is_finite, (done, total, seconds))):
        warn_of(path, 'no numbers')
        return 0.0, 0.0
    return min(max(float(done / max(total, 1)), 0.0), 1.0), max(float(seconds), 0.0)


def write_json(path: Path, content: dict) -> None:
    """Write a file whole or not at all."""
    write_whole(path, json.dumps(content, indent=1))


def warn_of(path: Path, reason: str) -> None:
    """Warn once that a file is damaged and counts as missing."""
    warnings.warn(f'{path} is damaged ({reason}): it counts as not there.', stacklevel=2)


def is_result(result: dict) -> bool:
    """Tell whether a dictionary is a valid result of a stage."""
    metrics, values = result.get('metrics'), result.get('values', {})
    return (
        isinstance(metrics, dict)
        and isinstance(values, dict)
        # Unknown numbers are written as NaN.
        and all(_is_finite(v, or_unknown=True) for v in (*metrics.values(), *values.values()))
        and _is_finite(result.get('seconds'))
        and all(
            isinstance(result.get(key, ''), str)
            for key in ('name', 'commit', 'time', 'config_hash')
        )
        and _is_attacker(result.get('attacker', {}))
    )


def _is_attacker(attacker) -> bool:
    """Tell whether a value is a valid result of an attacker; empty for other stages."""
    if not isinstance(attacker, dict):
        return False
    scores = {key: value for key, value in attacker.items() if key != 'validation'}
    validation = attacker.get('validation', {})
    return (
        isinstance(validation, dict)
        # A stage with twice the training has only the part 2, and no score.
        and (not attacker or '1' in validation or ('2' in validation and not scores))
        and all(isinstance(entry, dict) for entry in validation.values())
        and all(_is_part(part) for part in validation)
        and all({'score', 'chance'} == set(e) for e in (*validation.values(), scores or _NOTHING))
        and all(
            _is_finite(value) and 0 <= value <= 1
            for e in (*validation.values(), scores)
            for value in e.values()
        )
    )


def _is_part(part: str) -> bool:
    try:
        return math.isfinite(float(part))
    except ValueError:
        return False


def _is_finite(value, or_unknown: bool = False) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value)) or or_unknown
    except OverflowError:  # an integer of hundreds of digits
        return False
