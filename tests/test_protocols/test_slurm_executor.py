"""Stages as jobs of clusters that do as they are told: no Slurm is needed."""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict

import spact_mm
from spact_mm.commands.executors import add_executor_options, make_executor
from spact_mm.protocols import run_stages, slurm, slurm_cluster
from spact_mm.protocols import stage as stage_module
from spact_mm.protocols.executor import JOB_NOTE
from spact_mm.protocols.slurm import SlurmExecutor
from spact_mm.protocols.slurm_cluster import (
    FORGOTTEN,
    JobState,
    NotNow,
    SlurmCluster,
    SlurmOptions,
    parse_time,
)
from spact_mm.protocols.slurm_job import INTERRUPTED, StageJob
from spact_mm.protocols.stage import Stage
from spact_mm.protocols.stage_process import LocalExecutor


def finish(folder):
    folder = Path(folder)
    (folder / 'weights.pth').touch()
    stage_hash = json.loads((folder / 'stage.json').read_text())['hash']
    result = dict(metrics={}, seconds=1.0, config_hash=stage_hash)
    (folder / 'result.json').write_text(json.dumps(result))


class FakeCluster:
    """A cluster whose jobs go through the states of a script, a state a question."""

    def __init__(self, folder, **scripts):
        self.folder = folder
        #: By the name of the stage, a list for each submission.
        self.scripts = scripts
        self.jobs, self.cancelled, self.submissions = {}, [], []
        self.answers = True

    def submit(self, jobs, name):
        self.submissions.append([Path(job.folder).name for job in jobs])
        ids = []
        for job in jobs:
            script = self.scripts.get(Path(job.folder).name, [['COMPLETED']]).pop(0)
            if isinstance(script, Exception):
                raise script
            ids.append(str(len(self.jobs)))
            self.jobs[ids[-1]] = [name, Path(job.folder), list(script)]
        return ids

    def ask(self):
        if not self.answers:
            raise NotNow('no controller')
        states = {}
        for job, (name, folder, script) in self.jobs.items():
            state, _, reason = (script.pop(0) if len(script) > 1 else script[0]).partition(' ')
            if state == 'COMPLETED':
                finish(folder)
            if state == 'INTERRUPTED':
                (folder / INTERRUPTED).write_text(name)
                state = 'FAILED'
            if state != 'FORGOTTEN':
                states[job] = JobState(state, name, 'node1', reason)
        return states

    def cancel(self, jobs, names=()):
        if not self.answers:
            raise NotNow('no controller')
        self.cancelled += [*jobs, *names]
        for job, (name, _, script) in self.jobs.items():
            if job in jobs or name in names:
                script[:] = ['CANCELLED']


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    for name in ('_POLL_SECONDS', '_RETRY_SECONDS', '_LAG_SECONDS'):
        monkeypatch.setattr(slurm, name, 0.0)
    monkeypatch.setattr(slurm.time, 'sleep', lambda seconds: None)


def make(folder, name, *needs, config=None):
    config = ConfigDict(config or {})
    return Stage(name, 'm', 0, None, folder / name, config, True, {}, list(needs))


def run(work, stages, jobs=8, **scripts):
    cluster, told = FakeCluster(work / 'slurm', **scripts), []
    failed = run_stages(stages, executor=SlurmExecutor(cluster, jobs, told.append))
    return cluster, told, failed


def test_stages_are_submitted_together_as_their_needs_are_done(tmp_path):
    a, b = make(tmp_path, 'a'), make(tmp_path, 'b')
    stages = [make(tmp_path, 'c', a), a, b, make(tmp_path, 'd', a, b)]
    cluster, _, failed = run(tmp_path, stages, a=[['PENDING Priority', 'RUNNING', 'COMPLETED']])
    assert failed == {}
    assert cluster.submissions == [['a', 'b'], ['c', 'd']]
    assert not list(tmp_path.glob(f'*/{JOB_NOTE}'))
    for stage in stages:
        (stage.folder / 'result.json').unlink()
    cluster, *_ = run(tmp_path, stages, jobs=1)
    assert cluster.submissions == [['a'], ['c'], ['b'], ['d']]


def test_lost_jobs_are_submitted_again_and_failures_are_not(tmp_path):
    names = ('preempted', 'forgotten', 'interrupted', 'lost', 'failed', 'memory', 'cancelled')
    stages = {name: make(tmp_path, name) for name in names}
    cluster, told, failed = run(
        tmp_path,
        list(stages.values()),
        preempted=[['RUNNING', 'PENDING BeginTime', 'COMPLETED']],
        forgotten=[['FORGOTTEN'], ['COMPLETED']],
        interrupted=[['INTERRUPTED'], ['PREEMPTED'], ['COMPLETED']],
        lost=[['NODE_FAIL']] * 4,
        failed=[['FAILED NonZeroExitCode']],
        memory=[['OUT_OF_MEMORY']],
        cancelled=[['CANCELLED']],
    )
    assert set(failed) == {stages[name].id for name in ('lost', 'failed', 'memory', 'cancelled')}
    count = sum(cluster.submissions, []).count
    assert [count(name) for name in names] == [1, 2, 3, 4, 1, 1, 1]
    said = ' '.join(told)
    assert 'preempted: preempted, or its node is lost' in said
    assert 'on node1 is lost (NODE_FAIL); it is submitted again' in said
    last = {name: stage.log.read_text() for name, stage in stages.items() if stage.log.exists()}
    assert last['lost'].endswith('left no result: NODE_FAIL (4 times without progress).\n')
    assert last['failed'].endswith('left no result: FAILED (NonZeroExitCode).\n')
    assert last['memory'].endswith('OUT_OF_MEMORY; give it more, by --slurm mem=64G.\n')
    assert 'somebody has cancelled it' in last['cancelled']


def test_result_decides_and_not_the_word_of_slurm(tmp_path):
    """A job that Slurm calls completed has left nothing, and one that it calls failed has."""
    empty, late = make(tmp_path, 'empty'), make(tmp_path, 'late')

    class Cluster(FakeCluster):
        def ask(self):
            states = super().ask()
            (tmp_path / 'empty' / 'result.json').unlink(missing_ok=True)
            finish(tmp_path / 'late')
            return states

    cluster = Cluster(tmp_path / 'slurm', late=[['FAILED']])
    failed = run_stages([empty, late], executor=SlurmExecutor(cluster, 2, print))
    assert set(failed) == {empty.id}
    assert 'left no result: COMPLETED' in empty.log.read_text()
    # What only lost its weights has a result from before.
    late.weights.unlink()
    lost = FakeCluster(tmp_path / 'slurm', late=[['FAILED']])
    users = [late, make(tmp_path, 'user', late)]
    assert set(run_stages(users, executor=SlurmExecutor(lost, 2, print))) == {s.id for s in users}


def test_what_slurm_does_not_take_now_follows_and_what_it_refuses_ends_the_run(tmp_path):
    stage = make(tmp_path, 'a')
    script = [NotNow('Unable to contact slurm controller'), NotNow('again'), ['COMPLETED']]
    cluster, told, failed = run(tmp_path, [stage], a=script)
    assert failed == {} and len(cluster.submissions) == 3
    assert told[0].startswith('Slurm takes no jobs now, they are submitted later: Unable to')
    other = make(tmp_path, 'b')
    with pytest.raises(RuntimeError, match='no such partition'):
        run(tmp_path, [other], b=[RuntimeError('no such partition')])
    assert not (other.folder / JOB_NOTE).exists()


def test_interruption_between_starts_cancels_the_whole_submission(tmp_path):
    def interrupt(event, *_):
        raise KeyboardInterrupt

    cluster = FakeCluster(tmp_path / 'slurm', a=[['RUNNING']], b=[['RUNNING']])
    with pytest.raises(KeyboardInterrupt):
        run_stages(
            [make(tmp_path, 'a'), make(tmp_path, 'b')],
            on_event=interrupt,
            executor=SlurmExecutor(cluster, 2, print),
        )
    assert sorted(cluster.cancelled) == ['0', '1']


def test_why_jobs_wait_and_a_silent_controller_are_told_once(tmp_path):
    a, b = make(tmp_path, 'a'), make(tmp_path, 'b')
    waiting = ['PENDING Nodes DRAINED'] * 3
    cluster = FakeCluster(tmp_path / 'slurm', a=[[*waiting, 'COMPLETED']], b=[[*waiting, 'FAILED']])
    told, ticks = [], []

    def on_event(event, *_):
        if event == 'tick':
            ticks.append(event)
            cluster.answers = len(ticks) not in (2, 3)

    executor = SlurmExecutor(cluster, 2, told.append)
    assert set(run_stages([a, b], on_event=on_event, executor=executor)) == {b.id}
    assert [s.split(':')[0] for s in told] == ['Jobs wait, such as 0', told[1].split(':')[0]]
    assert told[1].startswith('Slurm does not answer')


def test_interruption_cancels_jobs_and_a_silent_controller_keeps_their_notes(tmp_path):
    stages = [make(tmp_path, 'a'), make(tmp_path, 'b')]

    def interrupt(event, *_):
        if event == 'tick':
            cluster.answers = answers
            raise KeyboardInterrupt

    for answers in (True, False):
        cluster = FakeCluster(tmp_path / 'slurm', a=[['RUNNING']], b=[['PENDING']])
        executor = SlurmExecutor(cluster, 2, print)
        with pytest.raises(KeyboardInterrupt):
            run_stages(stages, on_event=interrupt, executor=executor)
        assert cluster.cancelled == (['0', '1'] if answers else [])
        assert [(s.folder / JOB_NOTE).exists() for s in stages] == [not answers] * 2
    # The next run finds them, and no other executor takes their stages.
    with pytest.raises(RuntimeError, match='was given to Slurm and may run there'):
        run_stages(stages, executor=LocalExecutor(1))
    cluster.answers, told = True, []
    for job in cluster.jobs.values():
        job[2][:] = ['RUNNING', 'COMPLETED']
    assert run_stages(stages, executor=SlurmExecutor(cluster, 2, told.append)) == {}
    assert cluster.submissions == [['a', 'b']]
    assert told == ['Jobs of an earlier run go on: 0 (m, seed 0: a), 1 (m, seed 0: b).']


def test_a_tool_that_is_killed_while_it_cancels_leaves_no_job_alone(tmp_path):
    stage = make(tmp_path, 'a')
    cluster = FakeCluster(tmp_path / 'slurm', a=[['RUNNING']])
    executor = SlurmExecutor(cluster, 2, print)
    (running,) = executor.start([stage])

    def cancel(*_):
        raise KeyboardInterrupt

    cluster.cancel = cancel
    with pytest.raises(KeyboardInterrupt):
        executor.stop([running])
    note = stage.folder / JOB_NOTE
    assert json.loads(note.read_text())['job'] == '0'
    # As SIGKILL leaves it.
    note.rename(note.with_name(f'.{JOB_NOTE}'))
    del cluster.cancel
    cluster.answers = False
    with pytest.raises(RuntimeError, match='does not answer .* jobs of an earlier run may be'):
        run_stages([stage], executor=SlurmExecutor(cluster, 2, print))
    cluster.answers = True
    cluster.scripts['a'] = [['COMPLETED']]
    assert run_stages([stage], executor=SlurmExecutor(cluster, 2, print)) == {}
    assert cluster.cancelled == ['0'] and cluster.submissions == [['a'], ['a']]


@pytest.mark.parametrize(
    'changes',
    [dict(hash='other'), dict(job=''), dict(name='spact-reused')],
    ids=['another configuration', 'a killed submission', 'an id of before'],
)
def test_jobs_of_before_that_are_not_wanted_are_cancelled(tmp_path, changes):
    stage = make(tmp_path, 'a')
    stage.prepare()
    note = dict(job='0', name='spact-old', hash=stage.hash, folder=str(tmp_path / 'slurm'))
    (stage.folder / JOB_NOTE).write_text(json.dumps(note | changes))
    cluster = FakeCluster(tmp_path / 'slurm')
    cluster.jobs['0'] = ['spact-old', stage.folder, ['RUNNING']]
    assert run_stages([stage], executor=SlurmExecutor(cluster, 2, print)) == {}
    assert cluster.submissions == [['a']]
    expected = [] if 'name' in changes else ['0'] if 'hash' in changes else ['spact-old']
    assert cluster.cancelled == expected


def test_a_job_whose_note_is_gone_does_nothing(tmp_path):
    stage = make(tmp_path, 'a')
    stage.prepare()
    job = StageJob(str(stage.folder), 'spact-1', finish)
    job()
    (stage.folder / JOB_NOTE).write_text(json.dumps(dict(name='spact-2')))
    job()
    assert stage.read_result() is None and not stage.log.exists()


@pytest.mark.parametrize(
    'text, minutes',
    [('30', 30), ('90:30', 91), ('4:00:00', 240), ('1-0', 1440), ('1-2:30', 1590)],
)
def test_times_are_read_as_slurm_does(text, minutes):
    assert parse_time(text) == minutes


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_executor_options(parser)
    return parser.parse_args(arguments)


def test_options_reach_slurm_and_none_is_without_effect(tmp_path, monkeypatch):
    pytest.importorskip('submitit')
    monkeypatch.setattr(slurm_cluster.shutil, 'which', lambda name: name)
    given = ['--partition', 'gpu', '--gpus', '2', '--cpus', '6', '--time', '1-0']
    given += ['--array-parallelism', '7', '--slurm', 'account=us', 'mem=32G']
    executor = make_executor(options('--executor', 'slurm', *given), tmp_path)
    assert executor.jobs == 7
    text = executor.cluster._executor._make_submission_file_text('command', 'id')
    for line in ('partition=gpu', 'gpus-per-node=2', 'cpus-per-task=6', 'time=1440', 'account=us',
                 'mem=32G', 'requeue', 'signal=USR2@120'):  # fmt: skip
        assert f'#SBATCH --{line}\n' in text
    assert 'launch.sh' in executor.cluster._executor.python
    assert isinstance(make_executor(options('--jobs', '2'), tmp_path), LocalExecutor)
    for more, words in [
        (['--partition', 'gpu'], '--partition has no effect without --executor slurm'),
        (['--slurm', 'mem=1'], '--slurm has no effect without'),
        (['--executor', 'slurm', '--slurm', 'mem'], 'mem is no KEY=VALUE'),
        (['--executor', 'slurm', '--slurm', 'requeue=1'], 'is set by this tool'),
        (['--executor', 'slurm', '--slurm', 'time=5'], 'Give --time in place of'),
        (['--executor', 'slurm', '--time', 'soon'], 'is no time of Slurm'),
        (['--executor', 'slurm', '--gpus', '-1'], 'gpus must be 0 or more'),
        (['--jobs', '0'], 'must be 1 or more'),
    ]:
        with pytest.raises(ValueError, match=words):
            make_executor(options(*more), tmp_path)
    monkeypatch.setattr(slurm_cluster.shutil, 'which', lambda name: None)
    with pytest.raises(RuntimeError, match='There is no sbatch here'):
        make_executor(options('--executor', 'slurm'), tmp_path)
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(RuntimeError, match='needs submitit: pip install'):
        make_executor(options('--executor', 'slurm'), tmp_path)


def interrupted_once(folder):
    """Be told, the first time, that the job's time is over."""
    folder = Path(folder)
    print('begin', flush=True)
    if not (folder / 'told').exists():
        (folder / 'told').touch()
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(60)
    (folder / 'weights.pth').touch()
    stage_hash = json.loads((folder / 'stage.json').read_text())['hash']
    result = dict(metrics={}, seconds=1.0, config_hash=stage_hash)
    (folder / 'result.json').write_text(json.dumps(result))


def test_submitit_queues_a_job_again_whose_time_is_over(tmp_path, monkeypatch):
    """The real submitit, with its executor of this machine in place of Slurm."""
    submitit = pytest.importorskip('submitit')
    cloudpickle = pytest.importorskip('cloudpickle')
    monkeypatch.undo()
    monkeypatch.setattr(slurm, '_POLL_SECONDS', 0.1)

    class Cluster(SlurmCluster):
        def __init__(self, folder):
            self.folder, self.jobs = folder, {}
            self._executor = submitit.LocalExecutor(folder)

        def submit(self, jobs, name):
            found = self._executor.submit_array(jobs)
            self.jobs |= {job.job_id: (job, name) for job in found}
            return [job.job_id for job in found]

        def ask(self):
            states = {job: (FORGOTTEN.name if j.done() else 'RUNNING', name)
                      for job, (j, name) in self.jobs.items()}  # fmt: skip
            return {job: JobState(*state) for job, state in states.items()}

    stage = make(tmp_path, 'a')
    # Or the job would import all of this package.
    modules = spact_mm, sys.modules[__name__]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        executor = SlurmExecutor(Cluster(tmp_path / 'slurm'), 2, print, interrupted_once)
        assert run_stages([stage], executor=executor) == {}
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    log = stage.log.read_text()
    assert log.count('begin') == 2 and 'SIGUSR2: the stage is interrupted.' in log
    assert not (stage.folder / INTERRUPTED).exists() and not (tmp_path / 'slurm').exists()


def test_options_are_checked():
    with pytest.raises(ValueError, match='jobs must be 1 or more, but is 0'):
        SlurmOptions(jobs=0)


@pytest.mark.parametrize('is_job', [True, False])
def test_nodes_share_no_store_of_frames(monkeypatch, is_job):
    config = Config(dict(model=dict(data_preprocessor=dict(cache=dict(folder='frames')))))
    monkeypatch.setenv('SLURM_JOB_ID', '1') if is_job else monkeypatch.delenv('SLURM_JOB_ID', False)
    monkeypatch.setattr(stage_module.socket, 'gethostname', lambda: 'node1')
    stage_module._separate_frames(config)
    assert config.model.data_preprocessor.cache.folder == ('frames/node1' if is_job else 'frames')
    stage_module._separate_frames(Config(dict(model=dict())))
