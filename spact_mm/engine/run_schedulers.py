"""Checks of parameter schedulers against the length of their run."""

from collections.abc import Iterator, Mapping, Sequence

from .phase_hook import parse_schedule
from .stage_schedulers import resolve_stages

#: Assumed iterations of an epoch before the data are read; enough for every ramp.
_MANY = 1000


def refuse_schedulers(config: Mapping) -> None:
    """Refuse schedulers that do not fit the run of a config, before anything is built.

    Args:
        config (Mapping): A whole config.

    Raises:
        ValueError: If a scheduler begins, ends or has a milestone beyond the run, or at no boundary
            of stages of its schedule.
    """
    train_cfg = config.get('train_cfg') or {}
    schedulers = config.get('param_scheduler')
    if train_cfg.get('type') == 'MinimaxTrainLoop':
        # For another class of hook the loop makes the same check when it is built.
        hooks = [hook for hook in config.get('custom_hooks') or () if 'schedule' in hook]
        if len(hooks) == 1:
            resolve_stages(schedulers, parse_schedule(hooks[0]['schedule']), _MANY)
    elif isinstance(train_cfg.get('max_epochs'), int):
        refuse_schedulers_beyond(schedulers, train_cfg['max_epochs'])


def refuse_schedulers_beyond(
    schedulers: Mapping | Sequence | None, max_epochs: int, max_iters: int | None = None
) -> None:
    """Refuse epochs or iterations of schedulers that a run does not reach.

    Args:
        schedulers (Mapping | Sequence, optional): ``param_scheduler`` of a config.
        max_epochs (int): Epochs of the run.
        max_iters (int, optional): Iterations of the run. None, the default, if they are not known
            yet.

    Raises:
        ValueError: If there is such a number.
    """
    for key, scheduler in _walk(schedulers, 'param_scheduler'):
        by_epoch = scheduler.get('by_epoch', True)
        limit, last = ('max_epochs', max_epochs) if by_epoch else ('max_iters', max_iters)
        begin = scheduler.get('begin', 0)
        reached = dict(
            # A scheduler needs at least one step.
            begin=begin + 1,
            end=scheduler.get('end') or 0,
            T_max=begin + (scheduler.get('T_max') or 0),
            total_steps=begin + (scheduler.get('total_steps') or 0),
            milestones=begin + max(scheduler.get('milestones') or [0]),
        )
        for name, value in reached.items():
            if last is not None and value > last:
                raise ValueError(
                    f'{key}.{name} ({scheduler["type"]}) reaches to {value}, but train_cfg.{limit} '
                    f'is {last}: what it is for never comes; lower it with the run (end and T_max '
                    'may be left out and are then those of the run), or take the scheduler out.'
                )


def _walk(node, key: str) -> Iterator[tuple[str, Mapping]]:
    """Yield each scheduler of a config with its key."""
    if isinstance(node, Mapping):
        if 'type' in node:
            yield key, node
        else:
            for name, child in node.items():
                yield from _walk(child, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for index, child in enumerate(node):
            yield from _walk(child, f'{key}.{index}')
