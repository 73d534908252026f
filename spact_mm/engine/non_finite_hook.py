"""Skip iterations with NaN or infinity, and stop if there are too many in a row."""

from collections.abc import Iterator

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ..registration import register
from .atomic_step import AtomicStep
from .finite import last_checkpoint, phase_of, refuse_to_begin

#: Keys of a sample's file in MMAction2 and MMPretrain.
_NAMES = ('filename', 'img_path', 'frame_dir', 'video_id')


@register(HOOKS)
class NonFiniteHook(Hook):
    """Skip iterations with a loss, gradient or running statistic that is NaN or infinite.

    For any model and any epoch or iteration loop. A skipped iteration updates no network, no
    optimizer state, no running statistic and no logged mean (see :class:`AtomicStep`). It is
    counted and logged with its phase, its number and facts about its batch. The counts are kept in
    MMEngine's message hub, which checkpoints hold, so a resumed run continues them. Other numbers
    that are not finite, such as an optimizer's own overflow, are not written by
    :class:`~spact_mm.engine.PlainCheckpointHook`.

    Args:
        max_bad_steps (int): The run stops when this many iterations of one phase in a row are
            skipped: one or two may be accidental, a long row does not recover. Defaults to 10.

    Raises:
        ValueError: If ``max_bad_steps`` is below 1.
    """

    # Runs first, so that a skipped iteration is not logged.
    priority = 'HIGHEST'

    def __init__(self, max_bad_steps: int = 10) -> None:
        if not isinstance(max_bad_steps, int) or max_bad_steps < 1:
            raise ValueError(
                f'max_bad_steps of NonFiniteHook must be a whole number, 1 or more, but is '
                f'{max_bad_steps!r}.'
            )
        self.max_bad_steps = max_bad_steps
        self._step: AtomicStep | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the loaded weights.

        Raises:
            ValueError: If they are not finite.
        """
        refuse_to_begin(runner.model)

    def before_train_epoch(self, runner: Runner) -> None:
        """Replace the training step by one with the check."""
        if self._step is None:
            self._step = AtomicStep(runner.model, runner.optim_wrapper)
            runner.model.train_step = self._step

    def after_train(self, runner: Runner) -> None:
        """Restore the training step."""
        if self._step is not None:
            runner.model.train_step = self._step.train_step
            self._step = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Count and report.

        Raises:
            RuntimeError: If too many iterations in a row were skipped.
        """
        hub = runner.message_hub
        counts = hub.runtime_info.get('bad_steps') or dict(total=0, in_a_row={})
        phase = hub.runtime_info.get('phase', 'train')
        if self._step.problem is None:
            if counts['in_a_row'].pop(phase, 0):
                hub.update_info('bad_steps', counts)
            return
        in_a_row = counts['in_a_row'][phase] = counts['in_a_row'].get(phase, 0) + 1
        counts['total'] += 1
        hub.update_info('bad_steps', counts)
        place = f'iteration {batch_idx + 1} of epoch {runner.epoch + 1}{phase_of(runner)}'
        samples = '; '.join(_samples(data_batch)) or 'samples without names'
        runner.logger.warning(
            f'Skipped {place}, {self._step.problem}. No network took it in; {in_a_row} in a row '
            f'of at most {self.max_bad_steps}, {counts["total"]} in all. Its batch: {samples}.'
        )
        if in_a_row >= self.max_bad_steps:
            raise RuntimeError(
                f'{in_a_row} iterations in a row were skipped, the last being {place}, '
                f'{self._step.problem}; {last_checkpoint(runner)}; go on from there with a lower '
                'learning rate or clip_grad, or repair the data. NonFiniteHook.max_bad_steps is '
                f'{self.max_bad_steps}.'
            )


def _samples(batch, loader: str = '') -> Iterator[str]:
    """Yield the names of samples with inputs that are not finite, or of all samples if none has."""
    if not isinstance(batch, dict):
        return
    if 'inputs' not in batch:
        for name, part in batch.items():
            yield from _samples(part, f'{name} ')
        return
    samples = batch.get('data_samples')
    names = [_name(sample) for sample in samples] if samples is not None else []
    bad = sorted(_non_finite(batch['inputs']))
    if bad:
        named = [
            names[i] or f'number {i + 1}' if i < len(names) else f'number {i + 1}' for i in bad
        ]
        yield f'{loader}inputs that are not finite: {", ".join(named)}'
    elif any(names):
        yield f'{loader}{", ".join(name for name in names if name)}'


def _name(sample) -> str | None:
    return next((str(sample.get(key)) for key in _NAMES if sample and key in sample), None)


def _non_finite(inputs) -> set[int]:
    """Return the indices of the samples with inputs that are not finite."""
    if isinstance(inputs, Tensor):
        return {i for i, x in enumerate(inputs) if x.is_floating_point() and not _is_finite(x)}
    views = inputs if len(inputs) and isinstance(inputs[0], (list, tuple)) else [inputs]
    return set().union(
        *(
            {i for i, x in enumerate(view) if isinstance(x, Tensor) and not _is_finite(x)}
            for view in views
        )
    )


def _is_finite(x: Tensor) -> bool:
    return bool(torch.isfinite(x).all())
