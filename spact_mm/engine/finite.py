"""Checks that checkpoints hold only finite numbers."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor, nn

from .atomic_step import STATISTICS


def find_non_finite(parts: dict, buffers: Iterable[str]) -> str:
    """Name the weights, statistics and optimizer states that are not finite.

    Infinities are allowed in buffers other than running statistics: attention masks have them.

    Args:
        parts (dict): ``state_dict``, and optionally ``ema_state_dict`` and ``optimizer``. Other
            entries are not checked.
        buffers (Iterable[str]): The names of buffers in ``state_dict``.

    Returns:
        str: The first names and the number of further ones; empty if all numbers are finite.
    """
    allowed = {name for name in buffers if name.rpartition('.')[2] not in STATISTICS}
    allowed |= {f'ema_state_dict.module.{name}' for name in allowed}
    tensors = {
        name: value
        for part in ('state_dict', 'ema_state_dict', 'optimizer')
        for name, value in _tensors(parts.get(part, {}), '' if part == 'state_dict' else part)
        if value.is_floating_point() or value.is_complex()
    }
    verdicts = [
        (~value.isnan() if name in allowed else value.isfinite()).all()
        for name, value in tensors.items()
    ]
    bad = [name for name, is_fine in zip(tensors, verdicts, strict=True) if not is_fine]
    return ', '.join(bad[:3]) + (f' and {len(bad) - 3} more' if len(bad) > 3 else '')


def refuse_non_finite(runner, checkpoint: dict, buffers: Iterable[str]) -> None:
    """Stop the run instead of writing numbers that are not finite.

    Args:
        runner (Runner): The runner.
        checkpoint (dict): The checkpoint to save.
        buffers (Iterable[str]): The names of buffers in its ``state_dict``.

    Raises:
        RuntimeError: If a number is not finite.
    """
    bad = find_non_finite(checkpoint, buffers)
    if bad:
        raise RuntimeError(
            f'No checkpoint is written in epoch {runner.epoch + 1}{phase_of(runner)}, because '
            f'{bad} would hold numbers that are not finite; {last_checkpoint(runner)}; lower the '
            'learning rate or set clip_grad before you go on from there.'
        )


def refuse_to_begin(model: nn.Module) -> None:
    """Stop before the first iteration if loaded weights are not finite.

    Args:
        model (nn.Module): The model to train.

    Raises:
        ValueError: If a parameter or running statistic is not finite.
    """
    bad = find_non_finite(dict(state_dict=model.state_dict()), dict(model.named_buffers()))
    if bad:
        raise ValueError(
            f'Before the first iteration {bad} hold numbers that are not finite, so that nothing '
            'can be learnt: choose another checkpoint for --resume, load_from or init_cfg.'
        )


def last_checkpoint(runner) -> str:
    """Return a sentence on the last checkpoint of this run, or the one it began with."""
    note = Path(runner.work_dir) / 'last_checkpoint'
    path = runner._load_from if runner._resume else None
    # Older files are from another run in this folder.
    start = time.mktime(time.strptime(runner.timestamp, '%Y%m%d_%H%M%S'))
    if note.is_file() and note.stat().st_mtime >= start:
        path = note.read_text().strip()
    return f'the last good checkpoint is {path}' if path else 'this run has no checkpoint yet'


def phase_of(runner) -> str:
    """Return `` (phase ...)`` if the training has phases."""
    phase = runner.message_hub.runtime_info.get('phase')
    return f' (phase {phase})' if phase else ''


def _tensors(value, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested containers, with dotted names."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(item, f'{name}.{key}' if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _tensors(item, f'{name}.{index}')
