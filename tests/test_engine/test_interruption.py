import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch
from e2e import differences, load, log_of, resumable, run_process, write_config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from torch.utils.data import DataLoader
from toy import BATCHES, At, make_runner, train

from spact_mm.apis import find_tool
from spact_mm.engine import interruption
from spact_mm.engine.checkpoint_files import read_order
from spact_mm.engine.interruption import Interruption, _start_shielded, shield_workers


def raiser(number):
    return lambda _: signal.raise_signal(number)


def interrupt(work_dir, iteration, number=signal.SIGTERM, **kwargs):
    """Train until a signal comes in an iteration; return the runner and the exit code."""
    runner = make_runner(work_dir, **kwargs)
    runner.register_hook(At(iteration, raiser(number)))
    with pytest.raises(SystemExit) as end:
        runner.train()
    return runner, end.value.code


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Return the last checkpoint of an uninterrupted run."""
    folder = tmp_path_factory.mktemp('whole')
    train(folder)
    return load(folder / 'epoch_3.pth')


@pytest.mark.parametrize('iteration', [1, BATCHES + 2, 2 * BATCHES])
@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_iteration_and_resume_ends_as_if_none_came(
    whole, tmp_path, iteration, number, code
):
    handlers = [signal.getsignal(number) for number in interruption.SIGNALS]
    assert interrupt(tmp_path, iteration, number)[1] == code
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == handlers
    path = tmp_path / f'interrupted_iter_{iteration}.pth'
    assert (tmp_path / 'last_checkpoint').read_text() == str(path)
    sentence = (
        f'{signal.Signals(number).name}: the training ends after iteration {iteration} of 15; '
        f'{path} is saved, and --resume goes on from it.'
    )
    assert sentence in log_of(tmp_path)
    train(tmp_path, resume=True)
    last = load(tmp_path / 'epoch_3.pth')
    assert differences(resumable(whole), resumable(last)) == []
    # It is of no use after the next epoch's checkpoint.
    assert not path.exists() and path.name not in read_order(tmp_path)


def test_signals_again_and_again_lose_nothing(whole, tmp_path):
    for iteration in (2, 4, 5, 9):
        interrupt(tmp_path, iteration, resume=True)
    assert [path.name for path in tmp_path.glob('inter*.pth')] == ['interrupted_iter_9.pth']
    train(tmp_path, resume=True)
    assert differences(resumable(whole), resumable(load(tmp_path / 'epoch_3.pth'))) == []


def test_what_is_saved_already_is_not_saved_twice(tmp_path):
    hook = dict(by_epoch=False, interval=2, max_keep_ckpts=2)
    runner, code = interrupt(tmp_path, 6, hook=hook)
    assert code == 143
    assert log_of(tmp_path).count('Saving checkpoint at 6 iterations') == 1
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_4.pth', 'iter_6.pth']
    interrupt(tmp_path, 7, hook=hook, resume=True)
    # It counts as one of those to be kept.
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_6.pth', 'iter_7.pth']


def test_before_the_first_iteration_there_is_nothing_to_save(tmp_path, capfd):
    class Early(Hook):
        def before_train_epoch(self, runner):
            signal.raise_signal(signal.SIGTERM)

    runner = make_runner(tmp_path)
    runner.register_hook(Early())
    with pytest.raises(SystemExit) as end:
        runner.train()
    assert end.value.code == 143 and list(tmp_path.glob('*.pth')) == []
    assert 'SIGTERM: the training ends; there is nothing new to save.' in capfd.readouterr().err


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(zero=0.0)


@pytest.mark.parametrize('interval, iterations', [(1, BATCHES), (2, BATCHES + 1)])
def test_a_signal_in_validation_waits_only_for_what_is_not_saved(tmp_path, interval, iterations):
    class InValidation(Hook):
        def before_val(self, runner):
            if runner.epoch == 1:
                signal.raise_signal(signal.SIGTERM)

    train_loader = make_runner(tmp_path / 'other')._train_dataloader
    runner = make_runner(
        tmp_path, hook=dict(interval=interval),
        val_dataloader=dict(train_loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        val_cfg=dict(), val_evaluator=[Nothing()],
    )  # fmt: skip
    runner.register_hook(InValidation())
    with pytest.raises(SystemExit) as end:
        runner.train()
    assert end.value.code == 143 and runner.iter == iterations
    expected = 'epoch_1.pth' if interval == 1 else f'interrupted_iter_{iterations}.pth'
    assert read_order(tmp_path) == [expected]


def test_without_the_hook_that_could_save_the_sentence_says_so(tmp_path):
    runner, code = interrupt(tmp_path, 2, hook=dict(type='CheckpointHook'))
    assert code == 143
    assert 'nothing was saved, as default_hooks.checkpoint is not a' in log_of(tmp_path)


def test_a_second_signal_ends_at_once_unless_it_repeats_the_first(monkeypatch, capfd):
    sent, now = [], [100.0]
    monkeypatch.setattr(interruption.time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(interruption.os, 'kill', lambda pid, number: sent.append(number))
    with Interruption() as wish:
        wish.has_work = True
        signal.raise_signal(signal.SIGTERM)
        assert wish.wanted(1) == signal.SIGTERM
        now[0] += 0.5  # what a launcher passes on
        signal.raise_signal(signal.SIGTERM)
        assert sent == []
        now[0] += 1
        signal.raise_signal(signal.SIGINT)
        assert sent == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert capfd.readouterr().err.count('a second signal ends it at once') == 1


def test_processes_exchange_signals_at_the_same_iterations(monkeypatch):
    calls = []

    def all_reduce(value, op):
        calls.append((int(value), op))
        value.fill_(15)

    monkeypatch.setattr(interruption, 'get_world_size', lambda: 2)
    monkeypatch.setattr(interruption, 'all_reduce', all_reduce)
    answers = [Interruption().wanted(iteration) for iteration in range(1, 11)]
    assert answers == [0, 0, 0, 0, 15] * 2 and calls == [(0, 'max')] * 2


def test_a_loader_goes_on_after_a_signal_to_its_workers():
    loader = DataLoader(torch.arange(40), batch_size=1, num_workers=2, prefetch_factor=1)
    shield_workers(loader)
    batches = iter(loader)
    # One of each worker, which is shielded once it has begun.
    first = [next(batches), next(batches)]
    for worker in batches._workers:
        for name in ('TERM', 'INT'):
            subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
    time.sleep(0.2)
    assert [int(batch) for batch in [*first, *batches]] == list(range(40))


def test_the_parent_still_ends_a_worker():
    ready = multiprocessing.get_context('fork').Event()
    init = partial(_start_shielded, lambda worker: ready.set())
    process = multiprocessing.get_context('fork').Process(target=_wait_after, args=(init,))
    process.start()
    assert ready.wait(10)
    subprocess.run(['kill', '-TERM', str(process.pid)], check=True)
    process.join(0.3)
    assert process.is_alive()
    process.terminate()
    process.join(10)
    assert process.exitcode == 0


def _wait_after(init):
    init(0)
    time.sleep(60)


@pytest.mark.slow
def test_the_unmodified_tool_ends_by_sigterm_and_goes_on(tiny_run, tiny_data, tmp_path):
    """In a session of its own, whose data workers get the signal, too."""
    config = write_config(tmp_path, tiny_data)
    command = (sys.executable, find_tool('train'), config, '--work-dir', tmp_path / 'work')
    options = ('--resume', '--cfg-options', 'randomness.seed=3')
    variables = dict(SPACT_TEST_KILL='3,2', SPACT_TEST_SIGNAL='group')
    done = run_process(tmp_path, 'setsid', '--wait', *command, *options, **variables)
    assert done.code == 143, done.stderr
    assert 'Traceback' not in done.stderr
    assert read_order(tmp_path / 'work')[-1] == f'interrupted_iter_{3 * 7 + 3}.pth'
    done = run_process(tmp_path, *command, *options)
    assert done.code == 0, done.stderr
    expected, actual = (load(p / 'epoch_5.pth') for p in (tiny_run.work_dir, tmp_path / 'work'))
    assert differences(resumable(expected), resumable(actual)) == []


@pytest.mark.slow
def test_a_tool_that_has_not_begun_to_train_says_by_what_it_ends(tmp_path):
    code = (
        'import os, signal, sys\n'
        'from spact_mm.apis import mmaction_tools\n'
        'mmaction_tools.find_tool = lambda *_: sys.argv[1]\n'
        'mmaction_tools.run_tool("test")\n'
    )
    script = tmp_path / 'tool.py'
    script.write_text('import os, signal; os.kill(os.getpid(), signal.SIGINT)')
    done = run_process(tmp_path, sys.executable, '-c', code, script)
    assert (done.code, done.stderr.splitlines()[-1]) == (130, 'Ended by SIGINT.')
    assert os.path.exists(script)
