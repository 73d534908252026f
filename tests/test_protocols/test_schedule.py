"""Which stages run when, with functions that stand for training."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing import spawn
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict

from spact_mm.protocols import estimate_seconds, lock, run_stages, schedule, stage_process
from spact_mm.protocols.stage import Stage


def stand_in(folder):
    """Write a result, unless the name says how to fail."""
    folder = Path(folder)
    with open(folder.parent / 'journal', 'a') as journal:
        journal.write(folder.name + '\n')
    if folder.name == 'fail':
        os.write(2, b'no such luck\n')
        sys.exit(143)
    if folder.name == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if folder.name == 'long':
        subprocess.Popen(['sleep', '60'])
        (folder / 'pid').write_text(str(os.getpid()))
        time.sleep(60)
    (folder / 'weights.pth').touch()
    (folder / 'environment').write_text(json.dumps(dict(os.environ)))
    stage_hash = json.loads((folder / 'stage.json').read_text())['hash']
    result = dict(metrics={}, seconds=1.0, config_hash=stage_hash)
    (folder / 'result.json').write_text(json.dumps(result))


@pytest.fixture
def processes(monkeypatch):
    """Return the list of all processes of stages, which gets those to come."""
    started, start = [], stage_process.StageProcess.start

    def remember(process):
        started.append(process)
        start(process)

    monkeypatch.setattr(stage_process.StageProcess, 'start', remember)
    return started


@pytest.fixture
def fast(monkeypatch):
    """Let stages be forks of this process that run the stand-in."""
    context = multiprocessing.get_context('fork')
    monkeypatch.setattr(stage_process, 'choose_context', lambda: context)
    monkeypatch.setattr(stage_process, 'run_stage', stand_in)
    monkeypatch.setattr(schedule, '_TICK_SECONDS', 0.02)


def make(folder, name, *needs):
    return Stage(name, 'm', 0, None, folder / name, ConfigDict(x=1), True, {}, list(needs))


def journal(folder):
    return (folder / 'journal').read_text().split()


@pytest.mark.usefixtures('fast')
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


@pytest.mark.usefixtures('fast')
def test_a_changed_stage_and_those_after_it_run_again(tmp_path):
    a = make(tmp_path, 'a')
    run_stages([a, make(tmp_path, 'b', a), make(tmp_path, 'c')], jobs=1)
    changed = make(tmp_path, 'a')
    changed.config.x, changed.hash = 2, 'changed'
    run_stages([changed, make(tmp_path, 'b', changed), make(tmp_path, 'c')], jobs=1)
    assert journal(tmp_path) == ['a', 'b', 'c', 'a', 'b']


@pytest.mark.usefixtures('fast')
def test_lost_weights_are_trained_again_where_a_stage_needs_them(tmp_path):
    a = make(tmp_path, 'a')
    b = make(tmp_path, 'b', a)
    run_stages([a, b, make(tmp_path, 'c', b)], jobs=1)
    for name in 'ab':
        (tmp_path / name / 'weights.pth').unlink()
    # All have their results.
    assert run_stages([a, b, make(tmp_path, 'c', b)], jobs=1) == {}
    assert journal(tmp_path) == ['a', 'b', 'c']
    assert run_stages([a, b, make(tmp_path, 'd', b)], jobs=1) == {}
    assert journal(tmp_path) == ['a', 'b', 'c', 'a', 'b', 'd']


@pytest.mark.usefixtures('fast')
def test_others_go_on_after_a_failure(tmp_path, processes):
    bad, killed = make(tmp_path, 'fail'), make(tmp_path, 'killed')
    others = [make(tmp_path, 'after', bad), make(tmp_path, 'other')]
    failed = run_stages([bad, killed, *others], jobs=1)
    assert failed == {
        'm, seed 0: fail': bad.log,
        'm, seed 0: killed': killed.log,
        'm, seed 0: after': bad.log,
    }
    assert [process.exit_code for process in processes] == [143, -signal.SIGKILL, 0]
    assert bad.log.read_text() == 'no such luck\n'
    assert killed.log.read_text().startswith('Ended by SIGKILL; a lack of memory')
    assert journal(tmp_path) == ['fail', 'killed', 'other']


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(group):
    """Tell whether a stage has ended, and those that it started."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.usefixtures('fast')
def test_an_interruption_ends_the_stages(tmp_path):
    stage = make(tmp_path, 'long')

    def interrupt(event, *_):
        if event == 'tick' and (stage.folder / 'pid').exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages([stage], jobs=1, on_event=interrupt)
    wait_for(lambda: is_gone(int((stage.folder / 'pid').read_text())))


@pytest.mark.usefixtures('fast')
def test_a_stage_ends_with_a_tool_that_is_killed(tmp_path):
    stage = make(tmp_path, 'long')
    tool = multiprocessing.get_context('fork').Process(target=run_stages, args=([stage], 1))
    tool.start()
    pid = stage.folder / 'pid'
    wait_for(lambda: pid.exists() and pid.read_text())
    tool.kill()
    wait_for(lambda: is_gone(int(pid.read_text())))


@pytest.mark.usefixtures('fast')
def test_devices_and_threads_are_shared_out(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(stage_process, 'count_cores', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    assert stage_process.default_jobs() == 2
    before, executable = dict(os.environ), spawn.get_executable()
    stages = [make(tmp_path, 'a'), make(tmp_path, 'b')]
    run_stages(stages)
    environments = [json.loads((s.folder / 'environment').read_text()) for s in stages]
    assert [e['CUDA_VISIBLE_DEVICES'] for e in environments] == ['3', '5']
    assert {e['OMP_NUM_THREADS'] for e in environments} == {'4'}
    # Other processes of this one are as ever.
    assert dict(os.environ) == before and spawn.get_executable() == executable


@pytest.mark.slow
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


#: What the server of a tool's stages imports, and the tool.
SERVER = """
import json
import os
from pathlib import Path

from spact_mm.protocols import stage_process

at_import = os.environ.get('PYTORCH_NVML_BASED_CUDA_CHECK')


def stand_in(folder):
    content = json.loads((Path(folder) / 'stage.json').read_text())
    found = dict(at_import=at_import, gpu=os.environ['CUDA_VISIBLE_DEVICES'])
    result = dict(metrics={}, seconds=1.0, config_hash=content['hash'], **found)
    (Path(folder) / 'result.json').write_text(json.dumps(result))


stage_process.run_stage = stand_in
"""
TOOL = """
import multiprocessing
from pathlib import Path

import torch
from mmengine.config import ConfigDict

from spact_mm.protocols import run_stages, stage_process
from spact_mm.protocols.stage import Stage

if __name__ == '__main__':
    torch.cuda.is_available = lambda: True
    context = stage_process.choose_context()
    context.set_forkserver_preload(['server'])
    stage_process.choose_context = lambda: context
    stages = [Stage(n, 'm', 0, None, Path(n), ConfigDict(x=1), True, {}) for n in 'ab']
    assert run_stages(stages, jobs=2) == {}
"""


@pytest.mark.slow
def test_stages_have_a_gpu_each_and_are_forked_from_who_touches_none(tmp_path):
    """Forks have the environment of their server, which is that of the first stage."""
    (tmp_path / 'server.py').write_text(SERVER)
    (tmp_path / 'tool.py').write_text(TOOL)
    environment = dict(os.environ, CUDA_VISIBLE_DEVICES='3,5')
    subprocess.run([sys.executable, 'tool.py'], cwd=tmp_path, env=environment, check=True)
    results = [json.loads((tmp_path / name / 'result.json').read_text()) for name in 'ab']
    assert [result['gpu'] for result in results] == ['3', '5']
    assert {result['at_import'] for result in results} == {'1'}


@pytest.mark.slow
def test_stages_are_forked_from_one_process(tmp_path, processes):
    """The real thing: what it is told to run is no stage, so each says so in its log."""
    stages = [make(tmp_path, name) for name in 'abc']
    failed = run_stages(stages, jobs=2)
    assert set(failed) == {stage.id for stage in stages}
    assert [process.exit_code for process in processes] == [1, 1, 1]
    assert len({process.pid for process in processes}) == 3
    for stage in stages:
        assert 'Traceback' in stage.log.read_text()

    def interrupt(event, *_):
        if event == 'start':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages([make(tmp_path, 'd'), make(tmp_path, 'e')], jobs=1, on_event=interrupt)
    assert processes[-1].exit_code == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(processes[-1].pid, 0)


def test_what_is_left_is_estimated_by_kind():
    seconds = dict(train=[3600.0, 7200.0])
    remaining = [('train', 0.5)] + [('action', 1.0)] * 3 + [('image', 1.0)] * 4
    # Long trainings tell nothing of the short attackers.
    assert estimate_seconds(remaining, seconds) is None
    seconds['action'] = [50.0]
    assert estimate_seconds(remaining, seconds) is None
    seconds['image'] = [10.0, 30.0]
    assert estimate_seconds(remaining, seconds) == 2700 + 3 * 50 + 4 * 20
    # One training is not shared out; other stages are.
    assert estimate_seconds(remaining, seconds, jobs=2) == 2700
    assert estimate_seconds(remaining[1:], seconds, jobs=2) == 115
    # An unknown kind is taken for the mean of the known ones, however often these were done.
    assert estimate_seconds([*remaining[1:], ('clip', 1.0)], seconds) == pytest.approx(
        230 + (5400 + 50 + 20) / 3
    )
    assert estimate_seconds([], {}) == 0 and estimate_seconds(remaining, {}) is None
