"""Warnings about running trainings that cannot give a result."""

import math
from collections.abc import Iterator

import torch
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from ..models.frames import fold_frames
from ..models.unwrapped import unwrapped
from ..registration import register
from .phase_hook import MinimaxPhaseHook, ScheduleStage

#: One grey level: pictures that differ by less look the same.
_VISIBLE = 1 / 255
#: Least difference of raw frames for a comparison.
_DIFFERENT = 0.02
#: Distance at which a loss counts as at a bound, as a fraction of the range between the bounds.
_NEAR = 0.02


@register(HOOKS)
class DeadRunHook(Hook):
    """Warn while f_A is constant, f_T is at chance in the minimax, or L_B is at a bound.

    The hook uses the mean of the logged L_T and L_B over the last ``window`` iterations of the
    current stage in which f_T and f_B learn. Once in ``window`` iterations it runs f_A on two clips
    in eval mode; f_A counts as constant if it was constant twice in a row. Each warning is given
    once in an epoch while its cause lasts. No weight and no random state is changed. The bounds of
    L_B come from the privacy branch's ``loss_bounds``. There is no warning for a branch without
    bounds, nor for an L_T that is no plain cross entropy.

    Args:
        window (int): Number of iterations. Defaults to 50.

    Raises:
        ValueError: If ``window`` is below 1.
    """

    # Runs after the values are logged.
    priority = 'LOW'

    def __init__(self, window: int = 50) -> None:
        if not isinstance(window, int) or window < 1:
            raise ValueError(
                f'window of DeadRunHook must be a whole number, 1 or more, but is {window!r}.'
            )
        self.window = window
        self._stage: ScheduleStage | None = None
        #: Number of values of each loss when the stage began, and epoch of the last warning of a
        #: kind.
        self._begin: dict[str, int] = {}
        self._warned: dict[str, int] = {}
        self._was_constant = False

    def before_train_epoch(self, runner: Runner) -> None:
        """Remember where the stage begins."""
        hook = next((hook for hook in runner.hooks if isinstance(hook, MinimaxPhaseHook)), None)
        stage = None if hook is None else hook.stage_at(runner.epoch)
        if stage is not self._stage:
            self._stage = stage
            scalars = runner.message_hub.log_scalars
            self._begin = {name: len(values.data[0]) for name, values in scalars.items()}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Check the numbers if a check is due."""
        if self._stage is None or not is_main_process() or not self.every_n_train_iters(
            runner, self.window
        ):  # fmt: skip
            return
        model = unwrapped(runner.model)
        findings = [*self._about_losses(runner, model, data_batch)]
        if set(self._stage.phases) & {'reconstruction', 'anonymizer'}:
            found = [*_about_frames(model, data_batch)]
            # A network at the start of its training may look constant once, by its running
            # statistics.
            findings += found if self._was_constant else []
            self._was_constant = bool(found)
        for kind, text in findings:
            if self._warned.get(kind) != runner.epoch:
                self._warned[kind] = runner.epoch
                runner.logger.warning(f'Epoch {runner.epoch + 1}: {text}')

    def _about_losses(self, runner: Runner, model, data_batch) -> Iterator[tuple[str, str]]:
        """Yield kind and text of warnings about L_T and L_B."""
        chance = _chance(unwrapped(model.recognizer))
        phase = self._find_phase(model, 'recognizer')
        loss = self._mean(runner, phase, 'loss_cls')
        loss = self._mean(runner, phase, 'loss_action') if loss is None else loss
        is_minimax = 'anonymizer' in self._stage.phases
        if is_minimax and None not in (loss, chance) and loss >= (1 - _NEAR) * chance:
            yield (
                'recognizer',
                f'the recognizer is at chance, as L_T is {loss:.3f} in the mean of its last '
                f'{self.window} iterations and guessing has {chance:.3f}: lower privacy_weight, '
                'set max_action_loss, or give the recognizer a higher learning rate or more '
                'turns.',
            )
        phase = self._find_phase(model, 'privacy_branch')
        loss, bounds = self._mean(runner, phase, 'loss_privacy'), _bounds(model, data_batch)
        if loss is None or bounds is None:
            return
        low, high = bounds
        margin = _NEAR * (high - low)
        text = f'L_B is {loss:.3f} in the mean of its last {self.window} iterations'
        if loss >= high - margin:
            yield (
                'blind',
                f'{text}, and {high:.3f} is what a privacy branch has that tells nothing apart: it '
                'is blind or has collapsed, and the anonymizer learns nothing from it. Give '
                'privacy_branch another learning rate or more turns (the phase adversaries), or '
                'lower privacy_weight.',
            )
        elif loss <= low + margin:
            yield (
                'solved',
                f'{text}, and no less than {low:.3f} is possible: what the privacy branch is '
                'asked is trivial, and the anonymizer learns nothing from it. Use larger batches '
                'or stronger augmentation of the views, or raise privacy_weight.',
            )

    def _find_phase(self, model, network: str) -> str | None:
        """Return the phase of this stage in which a network learns."""
        return next((p for p in self._stage.phases if network in model.phases[p]), None)

    def _mean(self, runner: Runner, phase: str | None, name: str) -> float | None:
        """Return the mean of the last values of this stage; None while there are too few."""
        name = f'train/{phase}/{name}'
        history = runner.message_hub.log_scalars.get(name)
        if history is None:
            return None
        # If values were dropped in between, all present values are new.
        values = history.data[0]
        begin = self._begin.get(name, 0)
        values = values[begin if begin <= len(values) else 0 :][-self.window :]
        return float(values.mean()) if len(values) == self.window else None


def _about_frames(model, data_batch: dict) -> Iterator[tuple[str, str]]:
    """Yield kind and text of warnings about f_A."""
    raw, anonymized = _two_clips(model, data_batch)
    remedy = (
        'Nothing can be learnt from it: load the last good checkpoint, lower the learning rate of '
        'the anonymizer or privacy_weight, or train the phase reconstruction longer.'
    )
    flat = _flatness(anonymized)
    if flat < _VISIBLE and _flatness(raw) > _DIFFERENT:
        yield (
            'constant',
            f'the anonymizer gives frames of one colour, with a spatial standard deviation of '
            f'{flat:.5f} of the range. {remedy}',
        )
    elif len(raw) > 1 and _distance(raw) > _DIFFERENT and _distance(anonymized) < _VISIBLE:
        yield (
            'constant',
            'the anonymizer gives the same picture for two clips, with a mean difference of '
            f'{_distance(anonymized):.5f} of the range. {remedy}',
        )


@torch.no_grad()
def _two_clips(model, data_batch: dict) -> list[Tensor]:
    """Return two clips, or the only one, raw and anonymized by f_A in eval mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    clips = model.data_preprocessor(data_batch, False)['action']['inputs'][:2]
    with torch.random.fork_rng([clips.device] if clips.is_cuda else []):
        pair = [clips, model.anonymize(clips)]
    for module, training in modes:
        module.training = training
    return [
        torch.stack([fold_frames(clip, model.format_shape) for clip in version.split(1)])
        for version in pair
    ]


def _flatness(clips: Tensor) -> float:
    return clips.flatten(-2).std(-1).mean().item()


def _distance(clips: Tensor) -> float:
    return (clips[0] - clips[1]).abs().mean().item()


def _bounds(model, data_batch: dict) -> tuple[float, float] | None:
    """Return the bounds of L_B by the privacy branch; None if it has none."""
    branch = unwrapped(model.privacy_branch)
    if not hasattr(branch, 'loss_bounds'):
        return None
    inputs = data_batch['privacy' if 'privacy' in data_batch else 'action']['inputs']
    has_views = isinstance(inputs[0], (list, tuple))
    return branch.loss_bounds(len(inputs[0]) if has_views else len(inputs))


def _chance(recognizer: nn.Module) -> float | None:
    """Return the loss of guessing; None if the recognizer is no plain classifier."""
    head = getattr(recognizer, 'cls_head', None)
    loss = getattr(head, 'loss_cls', None)
    if type(loss).__name__ != 'CrossEntropyLoss' or head.multi_class:
        return None
    if getattr(loss, 'class_weight', None) is not None:
        return None
    return math.log(head.num_classes) * loss.loss_weight
