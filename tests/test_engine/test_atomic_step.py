import copy

import pytest
import torch
from e2e import differences
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, ConstantLR, OptimWrapper
from test_distributed import run_script
from tiny import batch, build_model, build_optimizers, changed, snapshot
from torch import nn

from spact_mm.engine.atomic_step import AtomicStep
from spact_mm.models import MinimaxAnonymization

PHASES = tuple(MinimaxAnonymization.phases)
#: Where the privacy branch is not asked, its images do no harm.
LOADERS = [(phase, loader) for phase in PHASES for loader in ('action', 'privacy')]


def poison(data, loader, value=float('nan')):
    """Put one number into one input."""
    inputs = data[loader]['inputs']
    views = inputs if isinstance(inputs[0], list) else [inputs]
    views[0][1] = views[0][1].float()
    views[0][1].view(-1)[7] = value
    return data


def trained(steps=3):
    """Return a model and its optimizers that have been through each phase."""
    model = build_model(max_action_loss=0.5)
    optimizers = build_optimizers(model, clip_grad=dict(max_norm=1.0))
    step = AtomicStep(model, optimizers)
    for phase in PHASES[:steps]:
        model.set_phase(phase)
        step(batch(), optimizers)
        assert step.problem is None
    return model, optimizers, step


def assert_skipped_without_trace(model, optimizers, step, data, phase):
    """And the next iteration does what it would have done without the bad one."""
    model.set_phase(phase)
    before, states = snapshot(model), copy.deepcopy(optimizers.state_dict())
    assert step(data, optimizers) == {}
    assert step.problem.startswith('not finite: ')
    assert changed(before, model) == set()
    assert differences(states, optimizers.state_dict()) == []
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(('phase', 'loader'), LOADERS)
def test_bad_input_leaves_no_trace(phase, loader, value):
    model, optimizers, step = trained()
    data = poison(batch(), loader, value)
    assert_skipped_without_trace(model, optimizers, step, data, phase)


def test_the_next_step_is_the_one_without_the_bad_batch():
    results = []
    for is_poisoned in (False, True):
        torch.manual_seed(0)
        model, optimizers, step = trained()
        model.set_phase('adversaries')
        good, bad = batch(), poison(batch(), 'action')
        if is_poisoned:
            step(bad, optimizers)
        values = step(good, optimizers)
        results.append([model.state_dict(), optimizers.state_dict(), values])
    assert differences(*results) == []


@pytest.mark.parametrize('phase', PHASES)
def test_bad_gradient_of_a_finite_loss_leaves_no_trace(phase):
    model, optimizers, step = trained()
    name = 'privacy_branch' if phase == 'adversaries' else 'anonymizer'
    parameter = next(getattr(model, name).parameters())
    handle = parameter.register_hook(lambda gradient: gradient * float('nan'))
    assert_skipped_without_trace(model, optimizers, step, batch(), phase)
    assert step.problem == f'not finite: gradients of {name}'
    handle.remove()
    assert step(batch(), optimizers)
    assert step.problem is None


class Overflowing(nn.Module):
    """Its batches overflow the running variance and nothing else."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.linear = nn.Linear(2, 1)
        self.scale = 1.0

    def forward(self, x):
        return self.linear(self.norm(x * self.scale)).square().mean()


class PlainModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.net = Overflowing()

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.net(inputs))


def plain(**settings):
    model = PlainModel()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.1), **settings)
    return model, wrapper, AtomicStep(model, wrapper)


def plain_batch(scale=1.0):
    return dict(inputs=torch.randn(4, 2) * scale)


@pytest.mark.parametrize(
    ('scale', 'problem'),
    [(1e20, 'running statistics of BatchNorm'), (float('nan'), 'the loss of model')],
)
def test_models_of_others_are_protected_too(scale, problem):
    model, wrapper, step = plain()
    step(plain_batch(), wrapper)
    before, state = snapshot(model), copy.deepcopy(wrapper.state_dict())
    assert step(plain_batch(scale), wrapper) == {}
    assert problem in step.problem
    assert changed(before, model) == set()
    assert differences(state, wrapper.state_dict()) == []


def test_a_good_step_is_the_models_own():
    results = []
    for is_checked in (False, True):
        torch.manual_seed(1)
        model, wrapper, step = plain(clip_grad=dict(max_norm=0.1))
        for _ in range(3):
            values = (step if is_checked else model.train_step)(plain_batch(), wrapper)
        results.append([model.state_dict(), wrapper.state_dict(), values])
    assert differences(*results) == []


def test_the_counters_that_schedulers_put_around_steps_stay():
    model, wrapper, step = plain()
    ConstantLR(wrapper, factor=0.5)
    counted = wrapper.step
    assert counted._with_counter
    step(plain_batch(), wrapper)
    assert wrapper.step is counted and wrapper._global_step == 0
    step(plain_batch(float('nan')), wrapper)
    assert wrapper.step is counted and wrapper._global_step == 0


def test_a_bad_batch_takes_what_was_accumulated_along_and_keeps_the_turn():
    model, wrapper, step = plain(accumulative_counts=3)
    before = snapshot(model)
    good = plain_batch()
    step(plain_batch(), wrapper)
    step(plain_batch(float('nan')), wrapper)
    parameters = {name for name, _ in model.named_parameters()}
    assert changed(before, model).isdisjoint(parameters)
    assert all(p.grad is None for p in model.parameters())
    step(good, wrapper)
    assert step.problem is None and wrapper.inner_count == 3
    assert changed(before, model) >= parameters - {'net.norm.weight', 'net.norm.bias'}


def test_a_layer_that_replaces_its_buffer_gets_the_old_one_back():
    model, wrapper, step = plain()
    layer = nn.Module()
    layer.register_buffer('mean', torch.zeros(2))
    model.net.layer = layer
    forward = model.net.forward

    def replace(x):
        layer.mean = layer.mean * 0.9 + x.detach().mean(0)
        return forward(x)

    model.net.forward = replace
    step = AtomicStep(model, wrapper)
    step(plain_batch(), wrapper)
    before = layer.mean.clone()
    step(plain_batch(float('nan')), wrapper)
    assert torch.equal(layer.mean, before)


class Scaler:
    """Stands for a ``GradScaler``, which needs a GPU."""

    def __init__(self, scale):
        self.value = scale
        self.steps = 0

    def is_enabled(self):
        return True

    def get_scale(self):
        return self.value

    def scale(self, loss):
        return loss * 1

    def step(self, optimizer):
        self.steps += 1

    def update(self, new_scale):
        pass


def scaled(scale, static=None):
    model = PlainModel()
    wrapper = AmpOptimWrapper(
        dtype='bfloat16', optimizer=torch.optim.SGD(model.parameters(), lr=0.1)
    )
    wrapper.loss_scaler, wrapper._scale_update_param = Scaler(scale), static
    return model, wrapper, AtomicStep(model, wrapper)


@pytest.mark.parametrize(
    ('scale', 'static', 'is_skipped'), [(1024.0, None, False), (1.0, None, True), (8.0, 8.0, True)]
)
def test_overflow_under_a_loss_scale_is_left_to_the_scaler_while_it_can_help(
    scale, static, is_skipped
):
    model, wrapper, step = scaled(scale, static)
    model.net.linear.weight.register_hook(lambda gradient: gradient * float('inf'))
    step(plain_batch(), wrapper)
    assert (step.problem is not None) == is_skipped
    assert wrapper.loss_scaler.steps == (0 if is_skipped else 1)


#: One of two processes gets a bad number; both skip and stay equal.
PROCESSES = """
import torch
import spact_mm
from mmengine.dist import all_gather, get_rank, init_dist
from mmengine.registry import MODEL_WRAPPERS, init_default_scope
from spact_mm.engine.atomic_step import AtomicStep
from tiny import batch, build_model, build_optimizers, changed, snapshot

init_default_scope('mmaction')
init_dist('pytorch', backend='gloo')
rank = get_rank()
torch.manual_seed(0)
model = build_model(max_action_loss=0.5)
cfg = dict(type='MMSeparateDistributedDataParallel')
wrapped = MODEL_WRAPPERS.build(cfg, default_args=dict(module=model, broadcast_buffers=False))
optimizers = build_optimizers(wrapped, accumulative_counts={counts})
step = AtomicStep(wrapped, optimizers)
torch.manual_seed(rank)
for phase in ('reconstruction', 'anonymizer', 'adversaries'):
    model.set_phase(phase)
    before = snapshot(model)
    data = batch()
    if rank == 1:
        inputs = data['action']['inputs']
        inputs[0] = inputs[0].float() * float('nan')
    assert step(data, optimizers) == {{}} and step.problem, phase
    assert changed(before, model) == set(), phase
    assert all(p.grad is None for p in model.parameters()), phase
    for _ in range({counts}):
        assert step(batch(), optimizers) and step.problem is None, phase
    player = dict(adversaries='recognizer').get(phase, 'anonymizer')
    parameters = dict(getattr(model, player).named_parameters())
    moved = 0
    for name, value in parameters.items():
        mine, others = all_gather(value.detach())
        assert torch.equal(mine, others), name
        moved += not torch.equal(value, before[player + '.' + name])
    assert moved > 5, phase
print(f'done {{rank}}\\n', end='', flush=True)  # one write, as those of two processes mingle
"""


@pytest.mark.slow
@pytest.mark.parametrize('counts', [1, 2])
def test_all_processes_skip_what_one_has_to(tmp_path, counts):
    printed = run_script(tmp_path, PROCESSES.format(counts=counts), 2)
    assert 'done 0' in printed and 'done 1' in printed


def test_a_bad_loss_under_a_loss_scale_is_skipped():
    model, wrapper, step = scaled(1024.0)
    before = snapshot(model)
    step(plain_batch(float('nan')), wrapper)
    assert step.problem == 'not finite: the loss of model, running statistics of BatchNorm'
    assert wrapper.loss_scaler.steps == 0 and changed(before, model) == set()
