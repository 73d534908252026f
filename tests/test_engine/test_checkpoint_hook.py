import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from collections import OrderedDict, deque
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import spact_mm  # noqa: F401
from spact_mm.engine import checkpoint_files
from spact_mm.engine.plain_types import from_plain, to_plain
from spact_mm.models.anonymizers.checkpoint import list_names
from spact_mm.safe_checkpoint import UnsafeCheckpointError

_NUMBERS = count()


class Toy(BaseModel):
    def __init__(self, width=3, wraps=False):
        super().__init__()
        body = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
        # torch's DataParallel passes everything through on a CPU.
        self.body = nn.DataParallel(body) if wraps else body
        self.head = nn.Linear(width, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.head(self.body(inputs))
        return dict(loss=out.square().mean()) if mode == 'loss' else [out]


class Points(torch.utils.data.Dataset):
    metainfo = dict(classes=('a', 'b'), weights=np.array([0.25, 0.75], dtype=np.float32))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index, 1.0]))


def make_runner(work_dir, epochs=2, hook=None, model=None, **kwargs):
    loader = dict(
        dataset=Points(),
        batch_size=4,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    return Runner(
        model=model or Toy(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01)),
        param_scheduler=dict(type='MultiStepLR', milestones=[1]),
        default_hooks=dict(
            checkpoint={'type': 'PlainCheckpointHook', 'interval': 1, **(hook or {})}
        ),
        default_scope='mmaction',
        experiment_name=f'checkpoint_hook_{os.getpid()}_{next(_NUMBERS)}',
        randomness=dict(seed=0),
        **kwargs,
    )


def log_of(runner):
    return ''.join(path.read_text() for path in Path(runner.log_dir).glob('*.log'))


def hub_of(runner):
    state = runner.message_hub.state_dict()
    scalars = {name: buffer.data for name, buffer in state['log_scalars'].items()}
    return scalars, dict(state['runtime_info']), dict(state['resumed_keys'])


def assert_same(left, right):
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for pair in zip(left, right, strict=True):
            assert_same(*pair)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    else:
        assert left == right


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A run of two epochs, whose folder must not be changed."""
    folder = tmp_path_factory.mktemp('finished')
    runner = make_runner(folder, hook=dict(max_keep_ckpts=3))
    runner.message_hub.update_info('bias', np.float64(0.5))
    runner.message_hub.update_info('table', np.arange(6, dtype=np.int16).reshape(2, 3))
    runner.train()
    return runner


@pytest.fixture
def copied(finished, tmp_path):
    for path in Path(finished.work_dir).glob('*'):
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_files_hold_plain_types_only(finished):
    names = {path.name for path in Path(finished.work_dir).glob('*.pth')}
    assert names == {'epoch_1.pth', 'epoch_2.pth'}
    for name in names:
        path = Path(finished.work_dir) / name
        checkpoint = torch.load(path, weights_only=True)
        assert checkpoint['meta']['epoch'] == int(name[-5])
        assert list(checkpoint['state_dict'])[0] == 'body.0.weight'


def test_message_hub_survives_resume(finished, copied):
    expected = hub_of(finished)
    runner = make_runner(copied, epochs=2, resume=True)
    runner.train()
    scalars, info, resumed = hub_of(runner)
    assert_same(scalars, expected[0])
    assert 'train/loss' in scalars and len(scalars['train/loss'][0]) == 4
    assert info['bias'] == 0.5
    assert_same(info['table'], np.arange(6, dtype=np.int16).reshape(2, 3))
    # MMEngine sets the counters of a new start, and the names are those of the run.
    differing = {'cfg', 'experiment_name', 'last_ckpt', 'epoch', 'iter'}
    assert set(info) == set(expected[1]) and resumed == expected[2]
    for name in set(info) - differing - {'bias', 'table', 'dataset_meta'}:
        assert info[name] == expected[1][name], name
    assert_same(info['dataset_meta'], Points.metainfo)


def test_resumed_run_equals_uninterrupted_one(tmp_path):
    torch.manual_seed(0)
    whole = make_runner(tmp_path / 'whole', epochs=3)
    start = {name: value.clone() for name, value in whole.model.state_dict().items()}
    whole.train()
    model = Toy()
    model.load_state_dict(start)
    killed = make_runner(tmp_path / 'parts', epochs=3, model=model)
    killed.register_hook(_StopBeforeSecondEpoch())
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    parts = make_runner(tmp_path / 'parts', epochs=3, resume=True)
    parts.train()
    assert_same(dict(parts.model.state_dict()), dict(whole.model.state_dict()))
    assert len(parts.message_hub.get_scalar('train/loss').data[0]) == 6


def test_checkpoints_of_unmodified_mmengine_resume(tmp_path):
    make_runner(tmp_path, epochs=1, hook=dict(type='CheckpointHook')).train()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    runner = make_runner(tmp_path, epochs=2, resume=True)
    runner.train()
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 4


def test_resume_skips_truncated_newest(copied):
    newest = copied / 'epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[:-100])
    runner = make_runner(copied, resume=True)
    runner.call_hook('before_run')
    assert runner._load_from == str(copied / 'epoch_1.pth')
    assert 'Skipped epoch_2.pth' in log_of(runner)
    runner.train()
    assert runner.epoch == 2
    assert checkpoint_files.is_whole(newest)


def test_resume_without_checkpoint_starts_from_scratch(tmp_path):
    runner = make_runner(tmp_path, epochs=1, resume=True)
    runner.train()
    assert f'There is no checkpoint to resume in {tmp_path}' in log_of(runner)
    assert runner.epoch == 1


def test_resume_ignores_leftovers_of_a_longer_run(copied):
    (copied / checkpoint_files.ORDER).unlink()  # as of a run before there was one
    leftover = copied / 'epoch_9.pth'
    leftover.write_bytes((copied / 'epoch_2.pth').read_bytes())
    os.utime(leftover, (1, 1))
    listed = checkpoint_files.list_checkpoints(str(copied), 'epoch_{}.pth')
    assert [path.name for path in listed] == ['epoch_2.pth', 'epoch_1.pth']


def test_resume_prefers_a_checkpoint_newer_than_the_pointer(copied):
    (copied / checkpoint_files.ORDER).unlink()
    (copied / 'last_checkpoint').write_text(str(copied / 'epoch_1.pth'))
    os.utime(copied / 'last_checkpoint', (1, 1))
    listed = checkpoint_files.list_checkpoints(str(copied), 'epoch_{}.pth')
    assert [path.name for path in listed] == ['epoch_2.pth', 'epoch_1.pth']


def test_checkpoint_of_another_model_is_refused(copied):
    class Wider(Toy):
        def __init__(self):
            super().__init__()
            self.extra = nn.Linear(1, 1)

    for resume in (True, False):
        runner = make_runner(
            copied, model=Wider(), resume=resume, load_from=str(copied / 'epoch_2.pth')
        )
        with pytest.raises(ValueError, match=r'epoch_2.pth is .* no extra.weight, extra.bias: '):
            runner.train()
    runner = make_runner(copied, model=Toy(width=4), load_from=str(copied / 'epoch_2.pth'))
    with pytest.raises(ValueError, match=r'other shapes of body.0.weight, .* and 4 more'):
        runner.train()


def test_unexpected_weights_are_refused_at_resume_only(copied):
    path = copied / 'epoch_2.pth'
    checkpoint = torch.load(path, weights_only=True)
    checkpoint['state_dict']['stranger'] = torch.zeros(1)
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match='it has also stranger'):
        make_runner(copied, resume=True).train()
    make_runner(copied, epochs=1, load_from=str(path)).train()


def test_strict_can_be_switched_off(copied):
    runner = make_runner(
        copied, epochs=1, model=Toy(width=4), hook=dict(strict=False),
        load_from=str(copied / 'epoch_2.pth'),
    )  # fmt: skip
    runner.train()
    assert runner.epoch == 1


def test_weights_only_file_cannot_be_resumed(copied):
    path = copied / 'weights.pth'
    checkpoint = torch.load(copied / 'epoch_2.pth', weights_only=True)
    del checkpoint['optimizer']
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=f'{path} cannot be resumed, .* no optimizer'):
        make_runner(copied, resume=True, load_from=str(path)).train()


def test_wrapped_and_single_models_exchange_checkpoints(tmp_path):
    first = make_runner(tmp_path, epochs=1, model=Toy(wraps=True))
    assert 'body.module.0.weight' in first.model.state_dict()
    first.train()
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert list(saved) == list(Toy().state_dict())
    assert 'body' in saved._metadata and 'body.module' not in saved._metadata
    second = make_runner(tmp_path, epochs=1, resume=True)
    second.train()
    assert_same(dict(second.model.state_dict()), dict(saved))
    third = make_runner(tmp_path, epochs=1, model=Toy(wraps=True), resume=True)
    third.train()
    assert_same(list(third.model.state_dict().values()), list(saved.values()))


def test_wrapped_names_of_unmodified_mmengine_are_understood(tmp_path):
    hook = dict(type='CheckpointHook')
    first = make_runner(tmp_path, epochs=1, model=Toy(wraps=True), hook=hook)
    first.train()
    single = make_runner(tmp_path, epochs=1, resume=True)
    single.train()
    assert_same(list(single.model.state_dict().values()), list(first.model.state_dict().values()))


def test_failure_while_saving_keeps_what_there_is(tmp_path, monkeypatch):
    hook = dict(max_keep_ckpts=1)
    make_runner(tmp_path, epochs=1, hook=hook).train()
    before = {path.name: path.read_bytes() for path in tmp_path.glob('*.pth')}
    pointer = (tmp_path / 'last_checkpoint').read_text()

    def fail(descriptor):
        raise OSError('disk failed')

    runner = make_runner(tmp_path, epochs=2, hook=hook, resume=True)
    monkeypatch.setattr(checkpoint_files.os, 'fsync', fail)
    with pytest.raises(OSError, match='disk failed'):
        runner.train()
    assert {path.name: path.read_bytes() for path in tmp_path.glob('*.pth')} == before
    assert (tmp_path / 'last_checkpoint').read_text() == pointer
    monkeypatch.undo()
    make_runner(tmp_path, epochs=3, hook=hook, resume=True).train()
    assert {path.name for path in tmp_path.glob('*.pth*')} == {'epoch_3.pth'}


class _StopBeforeSecondEpoch(Hook):
    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            raise KeyboardInterrupt


class Payload:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, 'w')


def test_payload_is_refused_and_not_run(copied):
    path, marker = copied / 'epoch_2.pth', copied / 'marker'
    checkpoint = torch.load(path, weights_only=True)
    checkpoint['message_hub']['runtime_info']['x'] = Payload(marker)
    torch.save(checkpoint, path)
    name = f'{open.__module__}.open'  # another module since Python 3.12
    with pytest.raises(UnsafeCheckpointError, match=f'{path} is not loaded, .* {name}'):
        make_runner(copied).load_checkpoint(str(path))
    with pytest.raises(UnsafeCheckpointError):
        make_runner(copied, resume=True).train()
    assert not marker.exists()


def test_plain_types_round_trip():
    value = OrderedDict(
        array=np.array([[1.5, 2], [3, 4]], dtype=np.float32),
        scalar=np.array(3),
        words=np.array(['a', 'bc']),
        nested=[(1, {'x': np.arange(3)}), {2, 3}, None, b'x', 1j, True],
    )
    assert_same(from_plain(to_plain(value)), value)
    buffer = HistoryBuffer([1.0, 2.5], [1, 2], max_length=7)
    plain = to_plain(buffer)
    assert type(plain) is dict and plain['__history__'].dtype == torch.float64
    assert_same(from_plain(plain).data, buffer.data)
    assert from_plain(plain).max_length == 7
    assert to_plain((np.float32(0.5), np.bool_(True), deque([1]), Path('a/b'), range(2))) == (
        0.5,
        True,
        [1],
        'a/b',
        [0, 1],
    )
    with pytest.raises(TypeError, match='hub.x cannot be saved in a checkpoint, .* a Random'):
        import random

        to_plain({'x': random.Random(0)}, 'hub')


@pytest.mark.slow
def test_two_processes_and_one_exchange_checkpoints(tmp_path):
    script = tmp_path / 'train.py'
    script.write_text(
        textwrap.dedent("""
            import sys, torch
            import spact_mm
            from mmengine.runner import Runner
            from mmengine.model import BaseModel
            from torch import nn

            class Model(BaseModel):
                def __init__(self):
                    super().__init__()
                    self.body, self.head = nn.Linear(2, 3), nn.Linear(3, 1)
                def forward(self, inputs, data_samples=None, mode='tensor'):
                    return self.head(self.body(inputs))
                def train_step(self, data, optim_wrapper):
                    for child in optim_wrapper.values():
                        child.zero_grad()
                    loss = self(torch.stack(data['inputs'])).square().mean()
                    loss.backward()
                    for child in optim_wrapper.values():
                        child.step()
                    return dict(loss=loss.detach())

            from mmengine.optim import OptimWrapper, OptimWrapperDict
            model = Model()
            optim = OptimWrapperDict(**{
                name: OptimWrapper(torch.optim.Adam(getattr(model, name).parameters(), 0.01))
                for name in ('body', 'head')})
            data = [dict(inputs=torch.tensor([i, 1.0])) for i in range(8)]
            runner = Runner(
                model, sys.argv[2], launcher=sys.argv[1], resume=True, default_scope='mmaction',
                train_dataloader=dict(dataset=data, batch_size=2,
                    sampler=dict(type='DefaultSampler'), collate_fn=dict(type='pseudo_collate')),
                train_cfg=dict(by_epoch=True, max_epochs=int(sys.argv[3])), optim_wrapper=optim,
                env_cfg=dict(dist_cfg=dict(backend='gloo')),
                cfg=dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel')),
                default_hooks=dict(checkpoint=dict(type='PlainCheckpointHook')))
            runner.train()
            assert runner.epoch == int(sys.argv[3])
        """)
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1'}
    single = [sys.executable, str(script), 'none']
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2']
    torchrun += ['--master_port', '0', '--standalone', str(script), 'pytorch']
    names, steps = [], []
    for epochs, command in enumerate((torchrun, single, torchrun), start=1):
        done = subprocess.run(
            [*command, str(tmp_path / 'run'), str(epochs)],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        saved = torch.load(tmp_path / f'run/epoch_{epochs}.pth', weights_only=True)
        names.append(list(saved['state_dict']))
        step = next(iter(saved['optimizer']['body']['state'].values()))['step']
        steps.append(int(step))
    assert names == [['body.weight', 'body.bias', 'head.weight', 'head.bias']] * 3
    # Eight samples in batches of two: two steps an epoch for each of two processes, or four.
    assert steps == [2, 6, 8]


def train_one_cycle(work_dir, epochs, **kwargs):
    runner = make_runner(work_dir, epochs=epochs, **kwargs)
    runner.param_schedulers = dict(type='OneCycleLR', eta_max=0.1, total_steps=4, by_epoch=True)
    runner.train()
    return runner.optim_wrapper.get_lr()['lr'][0]


def test_schedulers_that_keep_functions_are_saved_and_resumed(tmp_path):
    whole = train_one_cycle(tmp_path / 'whole', 3)
    torch.load(tmp_path / 'whole' / 'epoch_2.pth', weights_only=True)
    (tmp_path / 'cut').mkdir()
    shutil.copy(tmp_path / 'whole' / 'epoch_2.pth', tmp_path / 'cut')
    assert train_one_cycle(tmp_path / 'cut', 3, resume=True) == whole


class Spoil(Hook):
    """Put a number into a tensor at the end of the second epoch."""

    def __init__(self, choose, value):
        self.choose, self.value = choose, value

    def after_train_epoch(self, runner):
        if runner.epoch == 1:
            with torch.no_grad():
                self.choose(runner).view(-1)[0] = self.value


def _moment(runner):
    return next(iter(runner.optim_wrapper.optimizer.state.values()))['exp_avg_sq']


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(
    ('choose', 'name'),
    [
        (lambda runner: runner.model.head.weight, 'head.weight'),
        (lambda runner: runner.model.body[1].running_var, 'body.1.running_var'),
        (_moment, 'optimizer.state.0.exp_avg_sq'),
    ],
)
def test_numbers_that_are_not_finite_are_not_written(tmp_path, choose, name, value):
    runner = make_runner(tmp_path, epochs=3)
    runner.register_hook(Spoil(choose, value))
    with pytest.raises(RuntimeError, match='^No checkpoint is written in epoch 2, ') as error:
        runner.train()
    assert f'{name} would hold numbers that are not finite' in str(error.value)
    assert f'the last good checkpoint is {tmp_path}/epoch_1.pth' in str(error.value)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_1.pth')


def test_another_runs_checkpoint_is_not_named_as_the_last_good_one(tmp_path):
    note = tmp_path / 'last_checkpoint'
    note.write_text('old.pth')
    os.utime(note, (1, 1))
    runner = make_runner(tmp_path, epochs=2)
    hook = Spoil(lambda runner: runner.model.head.weight, float('nan'))
    hook.after_train_iter = lambda runner, *_, **__: (
        runner.model.head.weight.data.fill_(float('nan'))
    )
    runner.register_hook(hook)
    with pytest.raises(RuntimeError, match='this run has no checkpoint yet'):
        runner.train()


def test_masks_may_be_infinite(tmp_path):
    model = Toy()
    model.register_buffer('mask', torch.full((2, 2), float('-inf')).triu(1))
    make_runner(tmp_path, epochs=1, model=model).train()
    assert (
        torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']['mask'].isinf().any()
    )


def test_names_of_a_damaged_file_stay_in_one_line():
    assert list_names(['a', 'b\nc', 'd\x1b[31m']) == 'a, b?c, d?[31m'
    assert list_names([*'abcde', 7]) == 'a, b, c and 3 more'
    assert len(list_names(['x' * 10_000])) == 200
