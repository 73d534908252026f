import re
from types import SimpleNamespace

import pytest
import torch
from e2e import build_runner, load, log_of, workerless, write_config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from test_atomic_step import PlainModel, plain_batch

from spact_mm.engine import NonFiniteHook

SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=2),
]


class Poison(Hook):
    """Make the inputs of some iterations (counted over the run) NaN."""

    def __init__(self, iterations):
        self.iterations = iterations

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter in self.iterations:
            inputs = data_batch['action']['inputs']
            inputs[1] = inputs[1].float() * float('nan')


def train(config, work_dir, iterations, **changes):
    runner = build_runner(config, work_dir, **changes)
    runner.register_hook(Poison(iterations))
    runner.train()
    return runner


def is_finite(value):
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return all(map(is_finite, value)) if isinstance(value, (list, tuple)) else True


@pytest.fixture(scope='module')
def config(tmp_path_factory, tiny_data):
    return write_config(
        tmp_path_factory.mktemp('finite'),
        tiny_data,
        SCHEDULE,
        **workerless(val_dataloader=None, val_evaluator=None, val_cfg=None),
    )


@pytest.mark.slow
def test_training_goes_on_from_bad_batches_and_says_so(config, tmp_path):
    train(config, tmp_path, {2, 8, 9, 20})
    checkpoint = load(tmp_path / 'epoch_3.pth')
    assert all(is_finite(checkpoint[part]) for part in ('state_dict', 'optimizer'))
    log = log_of(tmp_path)
    found = re.findall(r'Skipped iteration (\d+) of epoch (\d+) \(phase (\w+)\)', log)
    # Of 7 iterations an epoch.
    assert [f[:2] for f in found] == [('3', '1'), ('2', '2'), ('3', '2'), ('7', '3')]
    assert found[0][2] == 'reconstruction'
    assert '1 in a row of at most 10, 4 in all' in log
    assert 'action inputs that are not finite: ' in log
    assert 'nan' not in re.sub(r'\[\d+/\d+\].*?time', '', log).split('Skipped')[0]
    assert checkpoint['message_hub']['runtime_info']['bad_steps']['total'] == 4
    losses = checkpoint['message_hub']['log_scalars']['train/adversaries/loss_action']
    assert is_finite(losses)


@pytest.mark.slow
def test_too_many_in_a_row_stop_the_run_and_the_last_good_checkpoint_is_named(config, tmp_path):
    changes = {'default_hooks.non_finite.max_bad_steps': 3}
    with pytest.raises(RuntimeError, match='^3 iterations in a row were skipped') as error:
        train(config, tmp_path, set(range(7, 21)), **changes)
    # Each phase counts by itself: 7, 9, 11 of one, 8, 10 of the other.
    assert 'iteration 5 of epoch 2 (phase ' in str(error.value)
    assert f'the last good checkpoint is {tmp_path}/epoch_1.pth' in str(error.value)
    assert 'NonFiniteHook.max_bad_steps is 3' in str(error.value)
    assert not (tmp_path / 'epoch_2.pth').exists()


class PoisonGradient(Hook):
    """Make one number of f_B's gradients infinite, once."""

    def before_train(self, runner):
        parameter = next(runner.model.privacy_branch.parameters())
        self.count = 0
        parameter.register_hook(self.spoil)

    def spoil(self, gradient):
        self.count += 1
        return gradient * float('inf') if self.count == 2 else gradient


@pytest.mark.slow
def test_a_run_goes_on_from_an_infinite_gradient(tiny_data, tmp_path):
    """The recipe's own hooks see to it; the loss of the iteration is as good as any."""
    without = workerless(val_dataloader=None, val_evaluator=None, val_cfg=None)
    # The early check of a training counts as no iteration.
    schedule = [dict(phase='adversaries', epochs=1)]
    config = write_config(tmp_path, tiny_data, schedule, **without)
    runner = build_runner(config, tmp_path / 'work', **{'param_scheduler.anonymizer': []})
    hook = PoisonGradient()
    runner.register_hook(hook)
    runner.train()
    assert hook.count > 2
    assert is_finite(load(tmp_path / 'work' / 'epoch_1.pth')['state_dict'])
    log = log_of(tmp_path / 'work')
    assert log.count('Skipped iteration') == 1
    assert '(phase adversaries), not finite: gradients of privacy_branch' in log


@pytest.mark.slow
def test_ten_in_a_row_end_a_run_that_sets_nothing(tiny_data, tmp_path):
    without = workerless(val_dataloader=None, val_evaluator=None, val_cfg=None)
    schedule = [dict(phase='reconstruction', epochs=2)]
    config = write_config(tmp_path, tiny_data, schedule, **without)
    with pytest.raises(RuntimeError, match='^10 iterations in a row were skipped') as error:
        train(config, tmp_path / 'work', set(range(3, 14)))
    assert f'the last good checkpoint is {tmp_path}/work/epoch_1.pth' in str(error.value)
    assert not (tmp_path / 'work' / 'epoch_2.pth').exists()


def run_plain(hook, batches, hub=None, epoch=0):
    """Drive the hook as a runner does, with an MMEngine model."""
    model = PlainModel()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    warnings = []
    info = {} if hub is None else hub
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=wrapper,
        message_hub=SimpleNamespace(runtime_info=info, update_info=info.__setitem__),
        logger=SimpleNamespace(warning=warnings.append),
        epoch=epoch,
        work_dir='/nowhere',
        timestamp='20260101_000000',
        _load_from=None,
        _resume=False,
    )
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    for index, data in enumerate(batches):
        outputs = model.train_step(data, wrapper)
        hook.after_train_iter(runner, index, data, outputs)
    hook.after_train(runner)
    return warnings, info


def test_a_resumed_run_goes_on_counting():
    bad = [plain_batch(float('nan'))] * 2
    warnings, info = run_plain(NonFiniteHook(max_bad_steps=3), bad)
    assert len(warnings) == 2 and info['bad_steps'] == dict(total=2, in_a_row=dict(train=2))
    with pytest.raises(RuntimeError, match='^3 iterations in a row .* this run has no checkpoint'):
        run_plain(NonFiniteHook(max_bad_steps=3), bad, info)


def test_a_good_iteration_ends_the_row():
    bad, good = plain_batch(float('nan')), plain_batch()
    _, info = run_plain(NonFiniteHook(max_bad_steps=2), [bad, good, bad, good, bad])
    assert info['bad_steps'] == dict(total=3, in_a_row=dict(train=1))


def test_the_warning_names_the_samples_that_are_not_finite():
    samples = [DataSample(metainfo=dict(img_path=f'{i}.jpg')) for i in range(3)]
    batch = pseudo_collate([dict(inputs=torch.ones(2), data_samples=sample) for sample in samples])
    batch['inputs'][1] = torch.tensor([1.0, float('inf')])

    def warn(data):
        hook = NonFiniteHook()
        runner = SimpleNamespace(
            message_hub=SimpleNamespace(runtime_info={}, update_info=lambda *args: None),
            logger=SimpleNamespace(warning=lambda text: texts.append(text)),
            epoch=0,
        )
        texts = []
        hook._step = SimpleNamespace(problem='not finite: x')
        hook.after_train_iter(runner, 4, data, {})
        return texts[0]

    assert 'Its batch: inputs that are not finite: 1.jpg.' in warn(batch)
    assert 'Its batch: privacy inputs that are not finite: 1.jpg.' in warn(dict(privacy=batch))
    batch['inputs'][1] = torch.ones(2)
    assert warn(batch).endswith('Its batch: 0.jpg, 1.jpg, 2.jpg.')
    assert warn(batch).startswith('Skipped iteration 5 of epoch 1, not finite: x.')


@pytest.mark.parametrize('value', [0, 2.5, None])
def test_bad_settings_are_refused(value):
    with pytest.raises(ValueError, match='max_bad_steps of NonFiniteHook must be'):
        NonFiniteHook(max_bad_steps=value)


@pytest.mark.parametrize('name', ['net.linear.weight', 'net.norm.running_var'])
def test_weights_that_are_not_finite_to_begin_with_are_refused(name):
    model = PlainModel()
    model.state_dict()[name].view(-1)[0] = float('nan')
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    runner = SimpleNamespace(model=model, optim_wrapper=wrapper)
    with pytest.raises(ValueError, match=f'^Before the first iteration {name} hold numbers'):
        NonFiniteHook().before_train(runner)
