import json
import socket
import sys
from types import SimpleNamespace

import pytest
from e2e import (
    ROOT,
    build_runner,
    call_tool,
    digest,
    load,
    log_of,
    metrics_of,
    run_process,
    workerless,
    write_config,
)

pytestmark = pytest.mark.slow

#: The two processes end after its third epoch.
SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=2),
]

#: Compares the loss of two processes with that of one which has the whole batch.
NT_XENT = """
import torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
import spact_mm
from spact_mm.models.losses import NTXentLoss

dist.init_process_group('gloo')
rank = dist.get_rank()
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4)).double()
views = torch.randn(2, 8, 6, dtype=torch.float64)

whole = NTXentLoss(gather=False)(net(views[0]), net(views[1]))
expected = torch.autograd.grad(whole, list(net.parameters()))

mine = views[:, 4 * rank : 4 * rank + 4]
wrapped = DistributedDataParallel(net)
z = wrapped(mine.flatten(0, 1)).view(2, 4, -1)
loss = NTXentLoss(gather=True)(z[0], z[1])
loss.backward()
torch.testing.assert_close(loss, whole, rtol=0, atol=1e-9)
largest = 0
for parameter, gradient in zip(net.parameters(), expected):
    torch.testing.assert_close(parameter.grad, gradient, rtol=0, atol=1e-9)
    largest = max(largest, gradient.abs().max().item())
assert largest > 1e-3
alone = NTXentLoss(gather=False)(z[0], z[1])
assert abs(alone.item() - loss.item()) > 1e-2, 'the negatives of the others make no difference'
print(f'equal {rank}\\n', end='', flush=True)
dist.destroy_process_group()
"""

#: Trains in several processes what each of them also trains alone on the whole batch.
ROUNDS = """
import copy, torch
import spact_mm
import mmaction.models
from mmengine.dist import get_rank, get_world_size, init_dist
from mmengine.model import convert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS, init_default_scope
from mmengine.runner.checkpoint import get_state_dict
from torch import nn
from sync_batch_norm import synchronize_on_cpus
from tiny import action_batch, build_model, build_optimizers, privacy_batch

init_default_scope('mmaction')
init_dist('pytorch', backend='gloo')
rank, world = get_rank(), get_world_size()
torch.manual_seed(0)
unet = dict(type='UNetAnonymizer', base_channels=4, num_levels=2, with_cp={with_cp})
settings = dict(anonymizer=unet, privacy_weight=0.7)
least_norms, least_moved = (20, 100) if {priced} else (40, 150)
if {priced}:
    # The noise of a process is its own, as are the mean and the power of its frames.
    channel = dict(type='GaussianChannel', anonymizer=unet, known_noise=True, momentum=0.0)
    settings = dict(type='PricedAnonymization', anonymizer=channel, privacy_branch=None)
    settings.update(target_action_loss=0.5, rate_weight=1e-3)
single = build_model(**settings).double()
for block in single.anonymizer.modules():
    if isinstance(block, nn.Sequential):
        # Their true gradient is zero, and Adam makes steps of the rounding noise.
        block[0].bias.requires_grad_(False), block[3].bias.requires_grad_(False)
start = {{name: value.clone() for name, value in single.state_dict().items()}}
model = copy.deepcopy(single)
if single.privacy_branch is not None:
    single.privacy_branch.loss_module.gather = False
if {sync_bn}:
    synchronize_on_cpus()
    model = convert_sync_batchnorm(model, 'torch')
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in model.modules()) > least_norms
cfg = dict(type='MMSeparateDistributedDataParallel')
model = MODEL_WRAPPERS.build(cfg, default_args=dict(module=model, broadcast_buffers=False))
# With the usual 1e-8, gradients as small as the rounding make steps of their own.
adam = dict(eps=1e-5)
optimizers = {{network: build_optimizers(network, optimizer=adam) for network in (single, model)}}
for _ in range(2):
    for phase in ('anonymizer', 'adversaries'):
        whole = dict(action=action_batch(6), privacy=privacy_batch(6))
        part = {{key: dict(value) for key, value in whole.items()}}
        for key in ('inputs', 'data_samples'):
            part['action'][key] = whole['action'][key][rank::world]
        part['privacy']['inputs'] = [view[rank::world] for view in whole['privacy']['inputs']]
        part['privacy']['data_samples'] = whole['privacy']['data_samples'][rank::world]
        single.set_phase(phase), model.module.set_phase(phase)
        single.train_step(whole, optimizers[single])
        model.train_step(part, optimizers[model])
expected, found = single.state_dict(), get_state_dict(model)
assert list(expected) == list(found)
worst = moved = 0
for name, value in expected.items():
    if value.is_floating_point():
        scale = value.abs().max().clamp(min=1e-12)
        worst = max(worst, ((found[name] - value).abs().max() / scale).item())
        moved += not torch.equal(value, start[name])
    else:
        assert torch.equal(found[name], value), name
assert moved > least_moved, moved
print(f'largest difference {{worst:.1e}}')
assert (worst <= 1e-8) == {sync_bn}, worst
print(f'done {{rank}}\\n', end='', flush=True)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope='module')
def two_processes(tiny_data, tmp_path_factory):
    """Return a run of `tools/dist_train.sh` with two processes."""
    tmp_path = tmp_path_factory.mktemp('two')
    config = write_config(tmp_path, tiny_data, SCHEDULE, **workerless())
    work_dir = tmp_path / 'work'
    part = (
        'train_cfg.max_epochs=3',
        'train_cfg.val_begin=3',
        'custom_hooks.0.allow_partial=True',
    )
    options = ('--cfg-options', 'env_cfg.dist_cfg.backend=gloo', *part)
    done = run_process(
        tmp_path / 'logs',
        *(ROOT / 'tools' / 'dist_train.sh', config, 2, '--work-dir', work_dir, '--seed', 3),
        *options,
        PORT=free_port(),
    )
    assert done.code == 0, done.stderr
    return SimpleNamespace(config=config, work_dir=work_dir)


def test_two_processes_train_in_step(two_processes):
    work_dir = two_processes.work_dir
    log = log_of(work_dir)
    for phase in ('reconstruction/loss_l1', 'adversaries/loss_privacy', 'anonymizer/loss_action'):
        assert phase in log
    # 15 of 30 videos each, in batches of 4.
    assert 'Epoch(train) [1][3/3]' in log

    for epoch in (1, 2, 3):
        state = load(work_dir / f'epoch_{epoch}.pth')['state_dict']
        saved = {name: digest(value) for name, value in state.items()}
        for rank in (0, 1):
            held = json.loads((work_dir / f'rank{rank}_epoch{epoch}.json').read_text())
            assert {name for name in held if held[name] != saved.get(name)} == set()
            assert set(held) == set(saved)


def test_tools_take_the_checkpoint_in_one_process(tiny_data, two_processes, tmp_path, monkeypatch):
    checkpoint = two_processes.work_dir / 'epoch_3.pth'
    state = load(checkpoint)['state_dict']
    single = build_runner(two_processes.config, tmp_path / 'single')
    assert list(state) == list(single.model.state_dict())
    call_tool(monkeypatch, 'test', two_processes.config, checkpoint, work_dir=tmp_path / 'test')
    top1 = metrics_of(tmp_path / 'test')['acc/top1']
    assert f'acc/top1: {top1:.4f}' in log_of(two_processes.work_dir).splitlines()[-1]


def test_one_process_goes_on_where_two_stopped(tiny_data, two_processes, tmp_path):
    config = write_config(tmp_path, tiny_data, SCHEDULE, **workerless())
    checkpoint = two_processes.work_dir / 'epoch_3.pth'
    runner = build_runner(config, tmp_path / 'work', resume=True, load_from=str(checkpoint))
    runner.train()
    before, after = load(checkpoint), load(tmp_path / 'work' / 'epoch_4.pth')
    assert after['meta']['epoch'] == 4
    # Epochs of 3 iterations in two processes, then one of 7, in minimax two of three and three of
    # seven for the anonymizer, as the first turn after 7 is the adversaries'.
    expected = dict(
        anonymizer=(3 + 2, 3 + 2 + 3), recognizer=(3 + 1, 3 + 1 + 4), privacy_branch=(4, 8)
    )
    for name, steps in expected.items():
        states = [next(iter(c['optimizer'][name]['state'].values())) for c in (before, after)]
        assert tuple(state['step'].item() for state in states) == steps


def run_script(folder, content, processes):
    script = folder / 'script.py'
    script.write_text(content)
    launcher = ('-m', 'torch.distributed.run', '--nproc_per_node', processes)
    done = run_process(folder, sys.executable, *launcher, '--master_port', free_port(), script)
    assert done.code == 0, done.stderr
    return done.stdout


def test_nt_xent_over_two_processes_equals_that_of_one(tmp_path):
    printed = run_script(tmp_path, NT_XENT, 2)
    assert 'equal 0' in printed and 'equal 1' in printed


@pytest.mark.parametrize(
    ('processes', 'sync_bn', 'with_cp', 'priced'),
    [
        (2, True, False, False),
        (3, True, True, False),
        (2, False, False, False),
        (2, True, False, True),
    ],
)
def test_processes_with_parts_of_a_batch_equal_one_with_the_whole(
    tmp_path, processes, sync_bn, with_cp, priced
):
    script = ROUNDS.format(sync_bn=sync_bn, with_cp=with_cp, priced=priced)
    printed = run_script(tmp_path, script, processes)
    assert all(f'done {rank}' in printed for rank in range(processes))
