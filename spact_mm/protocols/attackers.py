"""Settings and results of a protocol's attackers."""

import math
from collections.abc import Mapping
from copy import deepcopy

from mmengine.config import Config

#: Suffix of the name of an attacker's stage that trains twice as long.
TWICE = '_twice'
#: Number of measurements of an attacker during its training.
_MEASURED = 4
#: Settings of schedulers that count epochs or iterations.
_LENGTHS = ('begin', 'end', 'T_max', 'total_steps', 'milestones', 'step_size', 'warm_up_iters')


def prepare_attacker(config: Config, where: str, is_trained: bool = True) -> None:
    """Make a config measure its attacker on the validation split four times during the training.

    Args:
        config (Config): Changed in place.
        where (str): Name of the config in an error.
        is_trained (bool): Whether the attacker is trained; otherwise no ``train_cfg`` is needed.
            Defaults to True.

    Raises:
        ValueError: If the config has no validation split, or a training without epochs.
    """
    if not config.get('val_dataloader') or not config.get('val_evaluator'):
        raise ValueError(
            f'{where} is an attacker, but has no val_dataloader and val_evaluator: give it a '
            "validation split of the training persons, as attackers are not chosen on the test's."
        )
    config.val_cfg = config.get('val_cfg') or {}
    if not is_trained and not config.get('train_cfg'):
        return
    epochs = (config.get('train_cfg') or {}).get('max_epochs')
    if epochs is None:
        raise ValueError(f'{where} is an attacker, whose train_cfg needs max_epochs.')
    config.train_cfg.update(val_begin=1, val_interval=max(1, epochs // _MEASURED))


def lengthen(config: Config, factor: int = 2) -> None:
    """Make a training and its schedulers longer.

    Args:
        config (Config): Config with ``train_cfg.max_epochs``; changed in place.
        factor (int): Factor of the length. Defaults to 2.
    """
    config.train_cfg.max_epochs *= factor
    if 'val_interval' in config.train_cfg:
        config.train_cfg.val_interval *= factor
    schedulers = deepcopy(config.get('param_scheduler')) or []
    for scheduler in [schedulers] if isinstance(schedulers, Mapping) else schedulers:
        for key in _LENGTHS:
            value = scheduler.get(key)
            if isinstance(value, (list, tuple)):
                scheduler[key] = [item * factor for item in value]
            elif value is not None and not math.isinf(value):
                scheduler[key] = value * factor
    if schedulers:
        config.param_scheduler = schedulers


def collect_validation(
    found: Mapping[str, Mapping[str, float]], epochs: int, attacker: Mapping[str, str]
) -> dict[str, dict]:
    """Return an attacker's results on the validation split, by part of its training.

    Args:
        found (Mapping): ``{finished epochs: {metric: value}}``, as written by
            :class:`~spact_mm.engine.ValidationFileHook`.
        epochs (int): Number of epochs of the training.
        attacker (Mapping[str, str]): ``score`` and ``chance``, names of metrics.

    Returns:
        dict[str, dict]: ``{part: {'score': value, 'chance': value}}``; the part is a decimal such
        as ``'0.25'``.

    Raises:
        KeyError: If there is no such metric.
    """
    parts = {}
    for done, metrics in found.items():
        parts[f'{int(done) / epochs:.4g}'] = measure_attacker(metrics, attacker)
    return parts


def measure_attacker(metrics: Mapping[str, float], attacker: Mapping[str, str]) -> dict:
    """Return ``score`` and ``chance``, the metrics that ``attacker`` names.

    Raises:
        KeyError: If there is no such metric.
    """
    absent = [name for name in attacker.values() if name not in metrics]
    if absent:
        raise KeyError(
            f'An attacker is measured by {absent[0]!r}, which its evaluator does not yield; choose '
            f'from {sorted(metrics)} in attacker of its stage.'
        )
    return {key: float(metrics[name]) for key, name in attacker.items()}
