"""Stages as jobs of a real Slurm, which is started for these tests."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import slurm as real
from e2e import ROOT, workerless, write_config
from mmengine.config import Config, ConfigDict

import spact_mm
from spact_mm.protocols import run_stages
from spact_mm.protocols import slurm as slurm_executor
from spact_mm.protocols.executor import JOB_NOTE
from spact_mm.protocols.slurm import SlurmExecutor
from spact_mm.protocols.slurm_cluster import SlurmCluster, SlurmOptions
from spact_mm.protocols.stage import Stage, run_stage

pytest.importorskip('submitit')
cloudpickle = pytest.importorskip('cloudpickle')
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(real.why_not()), reason=real.why_not())]


def stand_in(folder):
    """Write a result; do before what the name says."""
    folder = Path(folder)
    with open(folder.parent / 'journal', 'a') as journal:
        journal.write(folder.name + '\n')
    if folder.name == 'fail':
        raise ValueError('no such luck')
    if folder.name.startswith('long'):
        while not (folder.parent / f'go_{folder.name}').exists():
            time.sleep(0.05)
    (folder / 'weights.pth').touch()
    (folder / 'environment').write_text(json.dumps(dict(os.environ)))
    stage_hash = json.loads((folder / 'stage.json').read_text())['hash']
    result = dict(metrics={}, seconds=1.0, config_hash=stage_hash)
    (folder / 'result.json').write_text(json.dumps(result))


@pytest.fixture(scope='module')
def cluster():
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix='slurm', dir='/tmp') as folder:
        with real.Cluster(Path(folder) / 'c') as running:
            yield running


@pytest.fixture
def work(tmp_path, cluster, monkeypatch):
    """Return a work dir from which the stand-ins run, in jobs that import none of this package."""
    monkeypatch.setenv('SLURM_CONF', cluster.environment['SLURM_CONF'])
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    paths = [str(ROOT), str(ROOT / 'tests')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([*paths, os.environ.get('PYTHONPATH', '')]))
    monkeypatch.setattr(slurm_executor, '_POLL_SECONDS', 0.3)
    monkeypatch.setattr(slurm_executor, '_RETRY_SECONDS', 1.0)
    for module in (spact_mm, sys.modules[__name__]):
        cloudpickle.register_pickle_by_value(module)
    yield tmp_path
    for module in (spact_mm, sys.modules[__name__]):
        cloudpickle.unregister_pickle_by_value(module)


def executor(work, told=None, run=stand_in, **options):
    options = SlurmOptions(**dict(dict(gpus=0, cpus=1, time='10'), **options))
    tell = print if told is None else told.append
    return SlurmExecutor(SlurmCluster(work / 'slurm', options), options.jobs, tell, run)


def make(folder, name, *needs, config=None):
    config = ConfigDict(x=1) if config is None else config
    return Stage(name, 'm', 0, None, folder / name, config, True, {}, list(needs))


def run(stages, executor, on_tick=lambda: None):
    """Run stages, and give up where something waits for ever."""
    deadline = time.monotonic() + 300

    def on_event(event, *_):
        assert time.monotonic() < deadline
        if event == 'tick':
            on_tick()

    return run_stages(stages, on_event=on_event, executor=executor)


def journal(work):
    path = work / 'journal'
    return path.read_text().split() if path.exists() else []


def wait_for(condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def be_tool(stages, executor):
    """Run stages as the command does, also where this process ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_stages(stages, executor=executor)


def in_background(work, stages, told=None):
    """Start a tool in another process."""
    tool = multiprocessing.get_context('fork').Process(
        target=be_tool, args=(stages, executor(work, told))
    )
    tool.start()
    return tool


def job_of(stage):
    return json.loads((stage.folder / JOB_NOTE).read_text())['job']


def test_stages_run_after_what_they_need_and_others_after_a_failure(work):
    a, bad = make(work, 'a'), make(work, 'fail')
    b, after = make(work, 'b', a), make(work, 'after', bad)
    failed = run([b, after, a, bad], executor(work, gpus=1))
    assert failed == {bad.id: bad.log, after.id: bad.log}
    assert sorted(journal(work)[:2]) == ['a', 'fail'] and journal(work)[2:] == ['b']
    assert bad.log.read_text().strip().endswith('ValueError: no such luck')
    environment = json.loads((b.folder / 'environment').read_text())
    assert environment['SLURM_GPUS_PER_NODE'] == '1' and environment['SLURM_CPUS_PER_TASK'] == '1'
    assert environment['MALLOC_TRIM_THRESHOLD_']  # of the launcher
    # What is left in the work dir are results.
    assert not (work / 'slurm').exists() and not (a.folder / JOB_NOTE).exists()
    with pytest.raises(RuntimeError, match='Slurm refuses the jobs .*correct --partition'):
        run([make(work, 'c')], executor(work, partition='nowhere'))


def test_training_is_preempted_saved_queued_again_and_goes_on(work, cluster, tiny_data):
    schedule = (dict(phase='reconstruction', epochs=1),)
    path = write_config(work / 'recipe', tiny_data, schedule, **workerless())
    config = Config.fromfile(path)
    config.custom_imports.imports.append('slurm_pause')
    config.custom_hooks.append(dict(type='PauseHook'))
    config.train_cfg.update(val_interval=100, val_begin=100)
    stage, told = make(work, 'train', config=config._cfg_dict), []
    reached = stage.folder / 'run' / 'reached'

    def preempt():
        if reached.exists():
            reached.rename(reached.with_name('was_reached'))
            subprocess.run(
                ['sbatch', '--partition=high', '--exclusive', '--output=/dev/null', '--wrap=true'],
                env=cluster.environment, check=True, capture_output=True,
            )  # fmt: skip

    assert run([stage], executor(work, told, run_stage, partition='low'), preempt) == {}
    log = stage.log.read_text()
    assert 'the training ends after iteration 3 of' in log and 'resumed epoch: 0, iter: 3' in log
    assert log.count('Slurm: job ') == 2
    assert any('preempted, or its node is lost' in sentence for sentence in told)
    assert stage.weights.is_file() and stage.read_result()['seconds'] > 0


def test_time_that_is_over_queues_the_job_again(work):
    stage, told = make(work, 'long'), []

    def end():
        if journal(work) == ['long'] and not told:
            subprocess.run(['scancel', '--signal=USR2', job_of(stage)], check=True)
            told.append('the time is over')
        elif told and 'Requeued job' in stage.log.read_text():
            (work / 'go_long').touch()

    assert run([stage], executor(work), end) == {}
    assert journal(work) == ['long', 'long']
    assert 'SIGUSR2: the stage is interrupted.' in stage.log.read_text()


def test_drained_and_dead_nodes_are_told_and_cost_nothing(work, cluster):
    stage, told, done = make(work, 'long'), [], []

    def set_node(state, *more):
        assert subprocess.run(['scontrol', 'update', f'nodename={real.NODE}', f'state={state}',
                               *more]).returncode == 0  # fmt: skip
        done.append(state)

    def trouble():
        if done == ['drain'] and any('DRAINED' in sentence for sentence in told):
            set_node('resume')
        elif done == ['drain', 'resume'] and journal(work) == ['long']:
            set_node('down', 'reason=test')
        elif done[-1] == 'down' and any('its node is lost' in sentence for sentence in told):
            (work / 'go_long').touch()
            set_node('resume')

    set_node('drain', 'reason=test')
    assert run([stage], executor(work, told), trouble) == {}
    assert done == ['drain', 'resume', 'down', 'resume'] and journal(work) == ['long', 'long']


def test_tool_and_controller_are_killed_and_no_stage_runs_twice(work, cluster):
    stages = [make(work, 'long1'), make(work, 'long2')]
    stages.append(make(work, 'after', stages[0]))
    tool = in_background(work, stages)
    wait_for(lambda: sorted(journal(work)) == ['long1', 'long2'])
    tool.kill()
    tool.join()
    cluster.wait_for_saved_state()
    cluster.stop('slurmctld')
    (work / 'go_long1').touch()
    wait_for(lambda: stages[0].read_result())
    cluster.start_controller()
    # One of the two has another configuration now.
    stages[1] = make(work, 'long2', config=ConfigDict(load_from='other'))
    told = []

    def go():
        if journal(work).count('long2') == 2:
            (work / 'go_long2').touch()

    assert run(stages, executor(work, told), go) == {}
    assert sorted(journal(work)) == ['after', 'long1', 'long2', 'long2']

    # The same configuration goes on.
    stage = make(work, 'long3')
    tool = in_background(work, [stage])
    wait_for(lambda: 'long3' in journal(work))
    tool.kill()
    tool.join()
    job = job_of(stage)
    with pytest.raises(RuntimeError, match='was given to Slurm and may run there'):
        run_stages([stage])
    assert run([stage], executor(work, told), (work / 'go_long3').touch) == {}
    assert f'{job} (m, seed 0: long3)' in told[-1]
    assert journal(work).count('long3') == 1


def test_interruption_cancels_the_jobs(work, cluster):
    stage = make(work, 'long')
    tool = in_background(work, [stage])
    wait_for(lambda: journal(work) == ['long'])
    job = job_of(stage)
    os.kill(tool.pid, signal.SIGINT)
    tool.join(300)
    assert tool.exitcode is not None and not (stage.folder / JOB_NOTE).exists()
    wait_for(lambda: not cluster.run('squeue', '--noheader', f'--jobs={job}').strip())
    assert journal(work) == ['long']


def test_slurm_train_trains_in_two_tasks(work, cluster, tiny_data):
    settings = workerless(env_cfg__dist_cfg__backend='gloo', train_cfg__val_begin=100)
    schedule = (dict(phase='reconstruction', epochs=1),)
    path = write_config(work / 'recipe', tiny_data, schedule, **settings)
    environment = dict(
        cluster.environment, PYTHONPATH=os.environ['PYTHONPATH'], OMP_NUM_THREADS='1'
    )
    environment |= dict(GPUS='2', CPUS_PER_TASK='1', SPACT_PYTHON=sys.executable)
    command = [ROOT / 'tools' / 'slurm_train.sh', 'low', 'name', path, '--work-dir', work / 'run']
    done = subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (
        json.loads((work / 'run' / f'rank{r}_epoch1.json').read_text()) for r in (0, 1)
    )
    # The statistics of BatchNorm are each process's own.
    trained = {key for key in first if 'running' not in key and 'num_batches' not in key}
    assert trained and all(first[key] == second[key] for key in trained)
