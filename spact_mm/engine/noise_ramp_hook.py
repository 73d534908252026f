"""A linear ramp of the noise at the beginning of a training."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models import GaussianChannel
from ..registration import register
from .phase_hook import MinimaxPhaseHook
from .stage_schedulers import resolve_epoch


@register(HOOKS)
class NoiseRampHook(Hook):
    """Raise the noise of a :class:`GaussianChannel` linearly from a part to the full noise.

    Untrained networks may learn nothing in full noise, although there is something to learn. This
    hook is for the training of f_A and f_T, of fresh action targets and of attackers. Validation
    and tests have the full noise, and f_A's price on information is for the full noise.

    Args:
        low (float): Share of the noise's standard deviation until ``begin``, in [0, 1). Defaults to
            0.1.
        begin (int | float | str): Epoch at whose beginning the noise starts to rise; in a minimax
            training also a name of its schedule, such as ``'minimax'`` or ``'minimax+2'``, as for
            schedulers. Defaults to 0.
        end (int | float | str): Epoch, given in the same way, from which on the noise is full.
            Defaults to 1.

    Raises:
        ValueError: If ``low`` is out of range.
    """

    # Runs before the phase hook, which measures whether f_T is ready.
    priority = 'VERY_HIGH'

    def __init__(
        self, low: float = 0.1, begin: int | float | str = 0, end: int | float | str = 1
    ) -> None:
        if not 0 <= low < 1:
            raise ValueError(f'low of NoiseRampHook must be in [0, 1), but is {low}.')
        self.low, self.begin, self.end = low, begin, end
        self._channels: list[GaussianChannel] = []
        self._epochs = (0.0, 0.0)

    def before_train(self, runner: Runner) -> None:
        """Find the channels and the epochs of the ramp.

        Raises:
            ValueError: If there is no channel, or the ramp does not end between its beginning and
                the end of the run.
        """
        self._channels = [m for m in runner.model.modules() if isinstance(m, GaussianChannel)]
        if not self._channels:
            raise ValueError(
                'NoiseRampHook has no effect, as the model has no GaussianChannel: take it out of '
                'custom_hooks, or put a channel around the anonymizer.'
            )
        stages = [h.all_stages for h in runner.hooks if isinstance(h, MinimaxPhaseHook)]
        self._epochs = tuple(
            resolve_epoch(value, stages[0] if stages else [], f'{key} of NoiseRampHook')
            for key, value in (('begin', self.begin), ('end', self.end))
        )
        begin, end = self._epochs
        if not 0 <= begin < end <= runner.max_epochs:
            raise ValueError(
                f'NoiseRampHook raises the noise from epoch {begin} to {end}, but the run has '
                f'{runner.max_epochs}: let it begin before it ends, and end before the run does.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the noise, as a validation has changed it."""
        self.before_train_iter(runner, 0)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the noise of this iteration, which depends only on its position in the run."""
        begin, end = self._epochs
        epoch = runner.epoch + batch_idx / len(runner.train_dataloader)
        risen = min(max((epoch - begin) / (end - begin), 0.0), 1.0)
        self._set(self.low + (1 - self.low) * risen)

    def before_val(self, runner: Runner) -> None:
        """Set the full noise for a validation."""
        self._set(1.0)

    def after_train(self, runner: Runner) -> None:
        """Set the full noise at the end."""
        self._set(1.0)

    def _set(self, scale: float) -> None:
        for channel in self._channels:
            channel.noise_scale = scale
