"""Channels-last for models that have no switch for it."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models.memory_format import use_channels_last
from ..registration import register


@register(HOOKS)
class ChannelsLastHook(Hook):
    """Store a model's convolutions channels-last; what they compute stays the same.

    For the recognizers and classifiers of MMAction2 and MMPretrain; of
    :class:`MinimaxAnonymization` it is an argument. See
    :func:`spact_mm.models.memory_format.use_channels_last` for where it is faster.
    """

    def before_run(self, runner: Runner) -> None:
        """Change the format; weights that are loaded later keep it."""
        use_channels_last(runner.model)
