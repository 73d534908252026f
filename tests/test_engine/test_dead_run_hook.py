import math
import re
from types import SimpleNamespace

import pytest
import torch
from e2e import build_runner, log_of, workerless, write_config
from mmaction.registry import MODELS
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmpretrain.structures import DataSample
from tiny import CLASSES, PRIVACY_BRANCH, action_batch, batch, build_model, changed, snapshot

from spact_mm.engine import DeadRunHook, MinimaxPhaseHook
from spact_mm.models.losses import NTXentLoss

MINIMAX = [
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=3),
]
#: Of the five images of a tiny batch.
BLIND = math.log(9)


class Run:
    """A runner in an epoch of a schedule, and what it was warned of."""

    def __init__(self, model=None, epoch=1, schedule=MINIMAX):
        self.model = model or build_model(anonymizer=dict(type='IdentityAnonymizer'))
        self.epoch, self.iter = epoch, 0
        self.hooks = [MinimaxPhaseHook(schedule)]
        self.message_hub = SimpleNamespace(log_scalars={})
        self.warnings = []
        self.logger = SimpleNamespace(warning=self.warnings.append)

    def log(self, name, *values):
        history = self.message_hub.log_scalars.setdefault(
            f'train/adversaries/{name}', HistoryBuffer()
        )
        for value in values:
            history.update(value)

    def look(self, hook, data=None):
        """Call the hook at the end of an iteration in which it is time to look."""
        self.iter = hook.window - 1
        before = len(self.warnings)
        hook.after_train_iter(self, 0, data or batch(), {})
        return self.warnings[before:]


def watched(run, window=4):
    hook = DeadRunHook(window)
    hook.before_train_epoch(run)
    return hook


@pytest.mark.parametrize(
    ('loss', 'expected'),
    [
        (BLIND, r'L_B is 2\.197 in the mean of its last 4 iterations, and 2\.197 is what .* blind'),
        (BLIND + 0.3, 'blind or has collapsed.*another learning rate'),
        (0.01, 'no less than 0.000 is possible: .* trivial.*stronger augmentation'),
        (1.2, None),
    ],
)
def test_privacy_loss_at_a_bound(loss, expected):
    run = Run()
    hook = watched(run)
    run.log('loss_privacy', *[loss] * 4)
    warnings = run.look(hook)
    assert len(warnings) == (expected is not None)
    assert all(re.search(expected, warning) for warning in warnings)


@pytest.mark.parametrize(('factor', 'is_warned'), [(1.0, True), (1.4, True), (0.9, False)])
def test_recognizer_at_chance_in_the_minimax(factor, is_warned):
    run = Run()
    hook = watched(run)
    run.log('loss_cls', *[factor * math.log(CLASSES)] * 4)
    warnings = run.look(hook)
    assert ['the recognizer is at chance, as L_T is' in w for w in warnings] == [True] * is_warned
    assert all('lower privacy_weight' in w for w in warnings)


def test_before_the_minimax_the_recognizer_may_be_at_chance():
    run = Run(epoch=0)
    hook = watched(run)
    run.log('loss_cls', *[math.log(CLASSES)] * 4)
    assert run.look(hook) == []


def test_values_of_the_stage_before_do_not_count():
    run = Run(epoch=0)
    hook = watched(run)
    run.log('loss_cls', *[math.log(CLASSES)] * 9)
    run.epoch = 1
    hook.before_train_epoch(run)
    run.log('loss_cls', *[math.log(CLASSES)] * 3)
    assert run.look(hook) == []
    run.log('loss_cls', math.log(CLASSES))
    assert len(run.look(hook)) == 1


def test_each_warning_comes_once_an_epoch_while_it_lasts():
    run = Run()
    hook = watched(run)
    run.log('loss_privacy', *[BLIND] * 4)
    assert [len(run.look(hook)) for _ in range(3)] == [1, 0, 0]
    run.epoch = 2
    hook.before_train_epoch(run)
    assert [len(run.look(hook)) for _ in range(2)] == [1, 0]
    run.epoch = 3
    hook.before_train_epoch(run)
    run.log('loss_privacy', *[1.0] * 4)
    assert run.look(hook) == []


def test_nothing_is_looked_at_between():
    run = Run()
    hook = watched(run)
    run.log('loss_privacy', *[BLIND] * 4)
    run.iter = 1
    hook.after_train_iter(run, 1, None, {})
    assert run.warnings == []


class Constant(torch.nn.Module):
    def __init__(self, picture):
        super().__init__()
        self.picture = picture

    def forward(self, frames):
        return self.picture.expand_as(frames)


@pytest.mark.parametrize(
    ('picture', 'text'),
    [
        (torch.full((1, 1, 1, 1), 0.5), 'gives frames of one colour'),
        (torch.rand(1, 3, 32, 32), 'gives the same picture for two clips'),
    ],
)
def test_a_constant_anonymizer(picture, text):
    model = build_model()
    model.anonymizer = Constant(picture)
    run = Run(model)
    hook = watched(run)
    assert run.look(hook) == []
    (warning,) = run.look(hook)
    assert text in warning and 'load the last good checkpoint' in warning


def test_a_constant_anonymizer_is_none_where_the_clips_are_constant_too():
    data = batch()
    data['action'] = action_batch(clips=1)
    data['action']['inputs'] = [torch.full((1, 3, 8, 32, 32), 7, dtype=torch.uint8)]
    run = Run()
    hook = watched(run)
    assert run.look(hook, data) + run.look(hook, data) == []


def test_looking_changes_no_weight_no_mode_and_no_random_state():
    model = build_model()
    model.anonymizer.register_forward_pre_hook(lambda *_: (torch.rand(3), None)[1])
    model.recognizer.train(), model.anonymizer.eval()
    modes = [module.training for module in model.modules()]
    run, before = Run(model), snapshot(model)
    hook = watched(run)
    data, state = batch(), torch.get_rng_state()
    run.look(hook, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert changed(before, model) == set()
    assert [module.training for module in model.modules()] == modes


def test_a_training_without_phases_is_left_alone():
    run = Run()
    run.hooks = []
    hook = watched(run)
    hook.after_train_iter(run, 3, None, {})
    assert run.warnings == []


class Die(Hook):
    """Make f_A give one grey, and the recipe's own hook look in each third iteration."""

    def before_train(self, runner):
        for parameter in runner.model.anonymizer.head.parameters():
            torch.nn.init.zeros_(parameter)
        for hook in runner.hooks:
            if type(hook).__name__ == 'DeadRunHook':
                hook.window = 3


@pytest.mark.slow
def test_a_whole_run_warns_in_each_epoch(tiny_data, tmp_path):
    """Behind a constant f_A that stays so f_T can but guess, and f_B is blind."""
    schedule = [dict(phase=('anonymizer', 'adversaries'), epochs=2)]
    rates = {f'optim_wrapper__{name}__optimizer__lr': 0.0 for name in ('anonymizer', 'recognizer')}
    changes = dict(rates, val_dataloader=None, val_evaluator=None, val_cfg=None)
    changes['param_scheduler'] = dict(anonymizer=[], recognizer=[], privacy_branch=[])
    config = write_config(tmp_path, tiny_data, schedule, **workerless(**changes))
    runner = build_runner(config, tmp_path / 'work')
    runner.register_hook(Die())
    runner.train()
    log = log_of(tmp_path / 'work')
    texts = (
        'the anonymizer gives frames of one colour, .* load the last good checkpoint',
        'the recognizer is at chance, .* lower privacy_weight',
        r'L_B is 1\.946 .* is blind or has collapsed, .* Give privacy_branch another',
    )
    epochs = [re.findall(rf'WARNING - Epoch (\d): {text}', log) for text in texts]
    assert epochs == [['1', '2']] * 3


@pytest.mark.parametrize('temperature', [0.1, 1.0])
def test_bounds_of_nt_xent_are_what_it_gives(temperature):
    loss = NTXentLoss(temperature)
    low, high = loss.bounds(5)
    same = torch.ones(5, 8).double()
    assert loss(same, same).item() == pytest.approx(high, rel=1e-5)
    simplex = torch.eye(5).double() - 0.2
    assert loss(simplex, simplex).item() == pytest.approx(low, rel=1e-4)
    assert MODELS.build(PRIVACY_BRANCH).loss_bounds(5) == NTXentLoss(0.1).bounds(5)


def attribute_branch(**loss):
    kind = 'MultiLabelLinearClsHead' if loss.get('use_sigmoid') else 'LinearClsHead'
    return MODELS.build(
        dict(
            type='AttributePrivacyBranch',
            backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=4, stem_channels=4),
            head=dict(
                type=f'mmpretrain.{kind}',
                num_classes=3,
                in_channels=32,
                loss=dict(type='mmpretrain.CrossEntropyLoss', **loss),
            ),
        )
    )


@pytest.mark.parametrize('loss', [dict(use_sigmoid=True, loss_weight=1 / 3), dict(loss_weight=2.0)])
def test_bound_of_an_attribute_branch_is_the_loss_of_guessing(loss):
    branch = attribute_branch(**loss)
    torch.nn.init.zeros_(branch.head.fc.weight), torch.nn.init.zeros_(branch.head.fc.bias)
    samples = [
        DataSample().set_gt_score(torch.tensor([1.0, 0, 1]))
        if 'use_sigmoid' in loss
        else DataSample().set_gt_label(i)
        for i in range(2)
    ]
    guessed = branch([torch.rand(2, 3, 32, 32)], samples)['loss_privacy'].item()
    low, high = branch.loss_bounds(2)
    assert low == 0 and guessed == pytest.approx(high)


def test_an_attribute_branch_with_unequal_weights_has_no_bounds():
    assert attribute_branch(use_sigmoid=True, pos_weight=[2.0, 1.0, 1.0]).loss_bounds(2) is None


@pytest.mark.parametrize('window', [0, 1.5])
def test_bad_settings_are_refused(window):
    with pytest.raises(ValueError, match='window of DeadRunHook must be'):
        DeadRunHook(window)
