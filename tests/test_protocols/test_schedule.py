"""Which stages run when, with commands that stand for training."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.config import ConfigDict

from spact_mm.protocols import lock, run_stages, schedule
from spact_mm.protocols.stage import Stage

#: What a stage does here: write a result, unless its config says to fail.
SCRIPT = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
order = json.loads((folder / 'stage.json').read_text())
with open(folder.parent / 'journal', 'a') as journal:
    journal.write(folder.name + '\\n')
if 'fail' in folder.name:
    sys.exit('no such luck')
result = dict(metrics={}, seconds=1.0, config_hash=order['hash'])
(folder / 'result.json').write_text(json.dumps(result))
"""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    command = [sys.executable, '-c', SCRIPT]
    monkeypatch.setattr(schedule, 'stage_command', lambda folder: [*command, str(folder)])
    monkeypatch.setattr(schedule, 'can_fork', lambda: False)
    monkeypatch.setattr(schedule, '_POLL_SECONDS', 0.02)


def make(folder, name, *needs):
    return Stage(name, 'm', 0, None, folder / name, ConfigDict(x=1), True, {}, list(needs))


def journal(folder):
    return (folder / 'journal').read_text().split()


def test_stages_run_after_what_they_need_and_once(tmp_path):
    a = make(tmp_path, 'a')
    b = make(tmp_path, 'b', a)
    c = make(tmp_path, 'c', a, b)
    events = []
    failed = run_stages([c, b, a], jobs=2, on_event=lambda e, s, r: events.append((e, s)))
    assert not failed
    assert journal(tmp_path) == ['a', 'b', 'c']
    assert [s.name for e, s in events if e == 'done'] == ['a', 'b', 'c']
    assert run_stages([a, b, c], jobs=2) == {}
    assert journal(tmp_path) == ['a', 'b', 'c']


def test_a_changed_stage_and_those_after_it_run_again(tmp_path):
    a = make(tmp_path, 'a')
    run_stages([a, make(tmp_path, 'b', a), make(tmp_path, 'c')], jobs=1)
    changed = make(tmp_path, 'a')
    changed.config.x, changed.hash = 2, 'changed'
    run_stages([changed, make(tmp_path, 'b', changed), make(tmp_path, 'c')], jobs=1)
    assert journal(tmp_path) == ['a', 'b', 'c', 'a', 'b']


def test_others_go_on_after_a_failure(tmp_path):
    bad = make(tmp_path, 'fail')
    failed = run_stages([bad, make(tmp_path, 'after', bad), make(tmp_path, 'other')], jobs=1)
    assert failed == {
        'm, seed 0: fail': tmp_path / 'fail' / 'log.txt',
        'm, seed 0: after': tmp_path / 'fail' / 'log.txt',
    }
    assert (tmp_path / 'fail' / 'log.txt').read_text() == 'no such luck\n'
    assert journal(tmp_path) == ['fail', 'other']


def test_an_interruption_ends_the_stages(tmp_path, monkeypatch):
    sleeper = 'import os, subprocess, sys, time; subprocess.Popen(["sleep", "60"]); time.sleep(60)'
    monkeypatch.setattr(schedule, 'stage_command', lambda folder: [sys.executable, '-c', sleeper])
    groups = []
    popen = subprocess.Popen

    def remember(*args, **kwargs):
        process = popen(*args, **kwargs)
        groups.append(process.pid)
        return process

    monkeypatch.setattr(schedule.subprocess, 'Popen', remember)

    def interrupt(event, stage, running):
        if event == 'tick':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages([make(tmp_path, 'a')], jobs=1, on_event=interrupt)
    (group,) = groups
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        # Also those that the stage started.
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        os.killpg(group, signal.SIGKILL)
        pytest.fail('processes of the stage are left')


def test_devices_and_threads_are_shared_out(tmp_path, monkeypatch):
    environments = []
    popen = subprocess.Popen

    def record(*args, env, **kwargs):
        environments.append(env)
        return popen(*args, env=env, **kwargs)

    monkeypatch.setattr(schedule.subprocess, 'Popen', record)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(schedule, 'count_cores', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    assert schedule.default_jobs() == 2
    run_stages([make(tmp_path, 'a'), make(tmp_path, 'b')])
    assert [e['CUDA_VISIBLE_DEVICES'] for e in environments] == ['3', '5']
    assert {e['OMP_NUM_THREADS'] for e in environments} == {'4'}


def test_a_work_dir_is_used_by_one_at_a_time(tmp_path):
    code = (
        'import sys, pathlib; from spact_mm.protocols import lock\n'
        f'with lock(pathlib.Path({str(tmp_path)!r})): print("in")'
    )
    with lock(tmp_path), pytest.raises(RuntimeError, match='Another process runs a protocol in'):
        with lock(tmp_path):
            pass
    with lock(tmp_path):
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
        assert 'Another process runs a protocol' in done.stderr
    with lock(tmp_path):
        assert (tmp_path / '.lock').exists()


def test_stages_are_forked_from_one_process(tmp_path, monkeypatch):
    """The real thing: what it is told to run is no stage, so each says so in its log."""
    monkeypatch.undo()
    monkeypatch.setattr(schedule, 'can_fork', lambda: True)
    stages = [make(tmp_path, name) for name in 'abc']
    for stage in stages:
        stage.config = ConfigDict(x=stage.name)
    processes = []
    start = schedule.Zygote.start

    def remember(zygote, folder, log):
        processes.append(start(zygote, folder, log))
        return processes[-1]

    monkeypatch.setattr(schedule.Zygote, 'start', remember)
    failed = run_stages(stages, jobs=2)
    assert set(failed) == {stage.id for stage in stages}
    assert [process.returncode for process in processes] == [1, 1, 1]
    assert len({process.pid for process in processes}) == 3
    for stage in stages:
        assert 'Traceback' in stage.log.read_text()


def test_a_forked_stage_is_ended(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(schedule, 'can_fork', lambda: True)
    started = []
    start = schedule.Zygote.start
    monkeypatch.setattr(
        schedule.Zygote, 'start', lambda *args: started.append(start(*args)) or started[-1]
    )

    def interrupt(event, stage, running):
        if event == 'start':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages([make(tmp_path, 'a'), make(tmp_path, 'b')], jobs=1, on_event=interrupt)
    (process,) = started
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
