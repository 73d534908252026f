"""Attackers of a protocol: their validation split and the length of their training."""

import json
import math
from types import SimpleNamespace

import pytest
from mmaction.registry import HOOKS
from mmengine.config import Config

from spact_mm.protocols.attackers import (
    collect_validation,
    lengthen,
    measure_attacker,
    prepare_attacker,
)


def config(**changes):
    return Config(
        dict(
            train_cfg=dict(max_epochs=12),
            val_dataloader=dict(batch_size=1),
            val_evaluator=dict(type='PrivacyAttributeMetric'),
            **changes,
        )
    )


def test_attacker_is_measured_four_times():
    ready = config()
    prepare_attacker(ready, 'The stage')
    assert ready.train_cfg.to_dict() == dict(max_epochs=12, val_begin=1, val_interval=3)
    assert ready.val_cfg == {}


def test_attacker_without_a_validation_split_is_refused():
    bare = config()
    bare.val_dataloader = None
    with pytest.raises(ValueError, match="The stage 'x' is an attacker, but has no val_dataloader"):
        prepare_attacker(bare, "The stage 'x'")


def test_attacker_who_only_tests_needs_no_training():
    ready = config()
    ready.train_cfg = None
    with pytest.raises(ValueError, match="The stage 'x' is an attacker, whose train_cfg needs"):
        prepare_attacker(ready, "The stage 'x'")
    prepare_attacker(ready, "The stage 'x'", is_trained=False)
    assert ready.train_cfg is None and ready.val_cfg == {}


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        (
            dict(type='OneCycleLR', total_steps=12, eta_max=0.1),
            dict(type='OneCycleLR', total_steps=24, eta_max=0.1),
        ),
        (
            [dict(type='LinearLR', begin=0, end=3), dict(type='CosineAnnealingLR', begin=3)],
            [dict(type='LinearLR', begin=0, end=6), dict(type='CosineAnnealingLR', begin=6)],
        ),
        (
            [dict(type='MultiStepLR', milestones=[4, 8])],
            [dict(type='MultiStepLR', milestones=[8, 16])],
        ),
    ],
)
def test_longer_training_has_longer_schedules(before, after):
    longer = config(param_scheduler=before)
    prepare_attacker(longer, '')
    lengthen(longer)
    assert longer.train_cfg.max_epochs == 24 and longer.train_cfg.val_interval == 6
    assert Config(dict(s=longer.param_scheduler)).to_dict()['s'] == after


def test_end_that_never_comes_stays():
    longer = config(param_scheduler=[dict(type='ConstantLR', end=math.inf)])
    lengthen(longer)
    assert longer.param_scheduler[0].end == math.inf


NAMES = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')


def test_validation_is_told_by_parts_of_the_training():
    found = {str(n): {'privacy/cMAP': n / 10, 'privacy/cMAP_chance': 0.4} for n in (3, 6, 12)}
    assert collect_validation(found, 12, NAMES) == {
        '0.25': dict(score=0.3, chance=0.4),
        '0.5': dict(score=0.6, chance=0.4),
        '1': dict(score=1.2, chance=0.4),
    }


def test_unknown_metric_is_named():
    with pytest.raises(KeyError, match="'privacy/cMAP', which its evaluator does not yield"):
        measure_attacker({'acc/top1': 1.0}, NAMES)


def test_hook_adds_to_the_validations_of_before(tmp_path):
    path = tmp_path / 'validation.json'
    hook = HOOKS.build(dict(type='ValidationFileHook', path=str(path)))
    hook.after_val_epoch(SimpleNamespace(epoch=3), {'a': 0.5})
    hook.after_val_epoch(SimpleNamespace(epoch=6), {'a': 1})
    assert json.loads(path.read_text()) == {'3': {'a': 0.5}, '6': {'a': 1.0}}


def test_damaged_validations_are_begun_anew(tmp_path, caplog):
    path = tmp_path / 'validation.json'
    path.write_bytes(b'\xff{')
    warnings = []
    runner = SimpleNamespace(epoch=3, logger=SimpleNamespace(warning=warnings.append))
    HOOKS.build(dict(type='ValidationFileHook', path=str(path))).after_val_epoch(runner, {'a': 1})
    assert json.loads(path.read_text()) == {'3': {'a': 1.0}}
    assert 'validation.json is damaged' in warnings[0]
