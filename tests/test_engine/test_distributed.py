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

SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=1),
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
print(f'equal {rank}')
dist.destroy_process_group()
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
    options = ('--cfg-options', 'env_cfg.dist_cfg.backend=gloo')
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
    longer = [*SCHEDULE[:2], dict(SCHEDULE[2], epochs=2)]
    config = write_config(tmp_path, tiny_data, longer, **workerless())
    checkpoint = two_processes.work_dir / 'epoch_3.pth'
    runner = build_runner(config, tmp_path / 'work', resume=True, load_from=str(checkpoint))
    runner.train()
    before, after = load(checkpoint), load(tmp_path / 'work' / 'epoch_4.pth')
    assert after['meta']['epoch'] == 4
    # Epochs of 3 iterations in two processes, then one of 7, in minimax two of three and four of
    # seven for the anonymizer.
    expected = dict(
        anonymizer=(3 + 2, 3 + 2 + 4), recognizer=(3 + 1, 3 + 1 + 3), privacy_branch=(4, 7)
    )
    for name, steps in expected.items():
        states = [next(iter(c['optimizer'][name]['state'].values())) for c in (before, after)]
        assert tuple(state['step'].item() for state in states) == steps


def test_nt_xent_over_two_processes_equals_that_of_one(tmp_path):
    script = tmp_path / 'nt_xent.py'
    script.write_text(NT_XENT)
    launcher = ('-m', 'torch.distributed.run', '--nproc_per_node', 2, '--master_port', free_port())
    done = run_process(tmp_path, sys.executable, *launcher, script)
    assert done.code == 0, done.stderr
    assert 'equal 0' in done.stdout and 'equal 1' in done.stdout
