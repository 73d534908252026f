"""Channels-last for models without a setting for it."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..models.memory_format import use_channels_last
from ..registration import register


@register(HOOKS)
class ChannelsLastHook(Hook):
    """Store the weights of a model's convolutions channels-last; the results stay the same.

    For recognizers and classifiers of MMAction2 and MMPretrain; :class:`MinimaxAnonymization` has
    an argument for it. :func:`spact_mm.models.memory_format.use_channels_last` describes where this
    format is faster.
    """

    def before_run(self, runner: Runner) -> None:
        """Change the format; weights that are loaded later keep it."""
        use_channels_last(runner.model)
