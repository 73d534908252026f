"""Files of an archive as jobs of a cluster that does as it is told: no Slurm is needed."""

import json
import os
import sys
from pathlib import Path

import pytest
from media import draw_frames, write_video

from spact_mm.apis import AnonymizeInferencer, Manifest, lock_outputs
from spact_mm.commands import anonymize as command
from spact_mm.commands import anonymize_shards as shards_command
from spact_mm.protocols import slurm
from spact_mm.protocols.executor import JOB_NOTE
from spact_mm.protocols.slurm_cluster import JobState

KILLED = 'killed'


class Cluster:
    """Jobs run where they are submitted; some are killed when they have begun their second file."""

    def __init__(self, folder, kill=()):
        self.folder, self.kill = folder, set(kill)
        self.states, self.submitted, self.cancelled = {}, [], []

    def submit(self, jobs, name):
        ids = []
        for job in jobs:
            folder = Path(job.folder)
            self.submitted.append(folder.name)
            ids.append(str(len(self.states)))
            state = 'COMPLETED'
            with pytest.MonkeyPatch.context() as patch:
                if folder.name in self.kill:
                    patch.setattr(AnonymizeInferencer, 'anonymize_frames', self._die_at_second())
                try:
                    job.run(folder)
                except SystemExit:
                    state = 'CANCELLED'
                except Exception as error:
                    (folder / 'log.txt').write_text(str(error))
                    state = 'FAILED'
            self.states[ids[-1]] = JobState(state, name)
        return ids

    @staticmethod
    def _die_at_second():
        whole, seen = AnonymizeInferencer.anonymize_frames, []

        def anonymize_frames(inferencer, frames, noise=None):
            seen.append(noise)
            if len(set(map(id, seen))) > 1:
                raise SystemExit(KILLED)
            return whole(inferencer, frames, noise)

        return anonymize_frames

    def ask(self):
        return self.states

    def cancel(self, jobs, names=()):
        self.cancelled += [*jobs, *names]
        self.states.update({job: JobState('CANCELLED', self.states[job].job_name) for job in jobs})


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Return a folder of five small videos."""
    for name in ('_POLL_SECONDS', '_RETRY_SECONDS', '_LAG_SECONDS'):
        monkeypatch.setattr(slurm, name, 0.0)
    monkeypatch.setattr(slurm.time, 'sleep', lambda seconds: None)
    monkeypatch.setattr(shards_command.signal, 'signal', lambda *_: None)
    folder = tmp_path / 'in' / 'deep'
    folder.mkdir(parents=True)
    for index in range(5):
        write_video(folder / f'{index}.mp4', draw_frames(3, 32 + 2 * index, 48))
    return tmp_path / 'in'


@pytest.fixture
def run(archive, monkeypatch):
    """Return what runs the tool in this process."""

    def call(*options, out, cluster=None, inputs=(archive,)):
        cluster = cluster or Cluster(out / '.shards' / 'slurm')
        monkeypatch.setattr(shards_command, 'make_cluster', lambda args: cluster)
        given = ('--method', 'blur', '--out', out, *options)
        monkeypatch.setattr(sys, 'argv', ['anonymize.py', *map(str, (*inputs, *given))])
        return command.anonymize(command.parse_args())

    return call


def in_shards(count):
    return '--executor', 'slurm', '--shards', count


def read(out):
    files = {p.name: p.read_bytes() for p in (out / 'deep').iterdir()}
    lines = (out / 'manifest.jsonl').read_text().splitlines()
    return files, sorted(lines)


def test_shards_do_what_one_process_does(tmp_path, run, capsys):
    assert run(out=tmp_path / 'one') == 0
    capsys.readouterr()
    cluster = Cluster(tmp_path)
    assert run(*in_shards(2), out=tmp_path / 'out', cluster=cluster) == 0
    said = capsys.readouterr().out
    assert 'shard 1 is done: 3 of 3 files.' in said and 'shard 2 is done: 2 of 2 files.' in said
    assert '5 files, 15 frames in' in said and '0 could not be done.' in said
    assert read(tmp_path / 'out') == read(tmp_path / 'one')
    assert len(read(tmp_path / 'out')[1]) == 5
    # Nothing is left that names a source, or that another run would wait for.
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        '.lock',
        'deep',
        'manifest.jsonl',
    ]
    # What is done stays done, for a run without jobs, too.
    assert run(*in_shards(9), out=tmp_path / 'out') == 0
    assert '5 of 5 files are done already.' in capsys.readouterr().out
    assert run(out=tmp_path / 'out') == 0
    assert '5 of 5 files are done already.' in capsys.readouterr().out


def test_no_more_jobs_than_files(tmp_path, run):
    cluster = Cluster(tmp_path)
    assert run(*in_shards(9), out=tmp_path / 'out', cluster=cluster) == 0
    assert cluster.submitted == ['1', '2', '3', '4', '5']


def test_what_a_killed_job_has_done_stays_and_the_next_run_does_the_rest(tmp_path, run, capsys):
    out = tmp_path / 'out'
    cluster = Cluster(tmp_path, kill='1')
    assert run(*in_shards(2), out=out, cluster=cluster) == 1
    text = capsys.readouterr()
    assert 'shard 1 has FAILED: 1 of 3 files.' in text.out
    assert f'Not done: {tmp_path}/in/deep/2.mp4: its job ended before' in text.out
    assert '3 files, 9 frames in' in text.out and '2 could not be done.' in text.out
    assert 'the end of its log:' in text.err and 'somebody has cancelled it' in text.err
    files, lines = read(out)
    assert sorted(files) == ['0.mp4', '1.mp4', '3.mp4'] and len(lines) == 3
    before = {path: path.stat().st_mtime_ns for path in out.rglob('*.mp4')}
    assert run(*in_shards(2), out=out) == 0
    assert '3 of 5 files are done already.' in capsys.readouterr().out
    assert run(out=tmp_path / 'one') == 0
    assert read(out) == read(tmp_path / 'one')
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def leave_jobs(run, out, monkeypatch, *options):
    """Run the tool until its jobs have ended, one of them early, and kill it before it asks."""

    def die(*_):
        raise SystemExit(KILLED)

    cluster = Cluster(out.parent, kill='1')
    with monkeypatch.context() as patch:
        patch.setattr(shards_command.SlurmExecutor, 'wait', die)
        patch.setattr(shards_command.SlurmExecutor, 'stop', lambda *_: None)
        with pytest.raises(SystemExit, match=KILLED):
            run(*in_shards(2), *options, out=out, cluster=cluster)
    assert (out / '.shards' / '1' / JOB_NOTE).exists()
    return cluster


def test_jobs_of_a_killed_tool_are_taken_over(tmp_path, run, monkeypatch, capsys):
    out = tmp_path / 'out'
    cluster = leave_jobs(run, out, monkeypatch)
    with pytest.raises(RuntimeError, match='were given to Slurm, and jobs may write there'):
        run(out=out)
    with (
        pytest.raises(RuntimeError, match='were given to Slurm'),
        lock_outputs(out),
    ):
        pass
    cluster.kill = set()
    assert run(*in_shards(2), out=out, cluster=cluster) == 0
    # Its share is done by a job of the same share; the second has left its result.
    assert cluster.submitted == ['1', '2', '1'] and not cluster.cancelled
    assert '5 of 5 files are done already.' in capsys.readouterr().out
    assert len(read(out)[1]) == 5 and not (out / '.shards').exists()


def test_jobs_with_other_options_are_cancelled_and_what_they_did_is_done_anew(
    tmp_path, run, monkeypatch, capsys
):
    out = tmp_path / 'out'
    cluster = leave_jobs(run, out, monkeypatch)
    first = cluster.states['1'] = JobState('RUNNING', cluster.states['1'].job_name)
    cluster.kill = set()
    assert run(*in_shards(2), '--size', 16, out=out, cluster=cluster) == 0
    assert 'with other options are cancelled' in capsys.readouterr().out
    assert first.is_alive and cluster.cancelled == ['1']
    assert cluster.submitted == ['1', '2', '1', '2']
    entries = [json.loads(line) for line in read(out)[1]]
    assert {e['output'] for e in entries if e['height'] == 16} == {
        f'deep/{index}.mp4' for index in range(5)
    }


def test_job_that_still_ends_is_waited_for(tmp_path, run, monkeypatch):
    out = tmp_path / 'out'
    leave_jobs(run, out, monkeypatch)
    folder = out / '.shards' / '1'
    (folder / JOB_NOTE).unlink()
    (out / '.shards' / '2' / JOB_NOTE).unlink()
    with slurm_lock(folder), pytest.raises(RuntimeError, match='still ends: wait for it'):
        run(out=out)
    assert run(out=out) == 0
    assert len(read(out)[1]) == 5 and not (out / '.shards').exists()


def slurm_lock(folder):
    from spact_mm.protocols.slurm_job import _alone

    return _alone(folder)


def test_output_that_got_its_name_in_a_killed_job_is_recorded(tmp_path, run, capsys):
    """The job dies between the rename and the line; its process id may be another's by now."""
    out = tmp_path / 'out'
    assert run(out=out) == 0
    folder = out / '.shards' / '3'
    folder.mkdir(parents=True)
    *lines, last = (out / 'manifest.jsonl').read_text().splitlines(keepends=True)
    (out / 'manifest.jsonl').write_text(''.join(lines))
    (folder / f'.manifest.jsonl.{os.getppid()}.part').write_text(last)
    capsys.readouterr()
    assert run(*in_shards(2), out=out) == 0
    assert '5 of 5 files are done already.' in capsys.readouterr().out


def test_damaged_lines_of_a_job_are_kept_as_such(tmp_path, run):
    out = tmp_path / 'out'
    assert run(out=out) == 0
    folder = out / '.shards' / '3'
    folder.mkdir(parents=True)
    first, *lines = (out / 'manifest.jsonl').read_text().splitlines(keepends=True)
    (out / 'manifest.jsonl').write_text(''.join(lines))
    (folder / 'manifest.jsonl').write_text(first.replace('"bytes"', '"bytes'))
    assert Manifest(out, {}).num_broken == 1
    assert run(out=out) == 0  # by the hash in the line it is known as an output of this tool


def test_what_cannot_be_done_is_named_once(tmp_path, archive, run, capsys):
    (archive / 'broken.mp4').write_text('no video')
    out = tmp_path / 'out'
    assert run(*in_shards(3), out=out, inputs=(archive, 'absent.mp4')) == 1
    said = capsys.readouterr().out
    end = said[said.index('shard 3 is done') :]
    assert end.count(f'Not done: {archive}/broken.mp4') == 1
    assert 'Not done: absent.mp4' in said and '1 could not be done.' in end


def test_leftovers_of_a_node_that_is_gone_are_removed(tmp_path, run):
    out = tmp_path / 'out'
    (out / 'deep').mkdir(parents=True)
    left = out / 'deep' / f'.1.mp4.{os.getppid()}.part'
    left.write_text('half')
    assert run(*in_shards(2), out=out) == 0
    assert not left.exists()


@pytest.mark.parametrize(
    'options, message',
    [
        (('--shards', '2'), '--shards has no effect without --executor slurm'),
        (('--partition', 'gpu'), '--partition has no effect without --executor slurm'),
        (('--executor', 'slurm'), 'needs the number of jobs: give --shards N'),
        ((*in_shards('2'), '--device', 'cpu'), 'leave --device out'),
        ((*in_shards('2'), '--slurm', 'mem'), '--slurm mem is no KEY=VALUE'),
        (in_shards('0'), '0 is not positive'),
    ],
)
def test_options_without_effect_are_refused(options, message, monkeypatch, capsys):
    given = ['anonymize.py', 'a.mp4', '--method', 'blur', '--out', 'out', *options]
    monkeypatch.setattr(sys, 'argv', given)
    with pytest.raises(SystemExit) as ending:
        command.parse_args()
    assert ending.value.code == 2 and message in capsys.readouterr().err


def test_live_and_torchrun_share_no_files(monkeypatch, capsys):
    live = ['anonymize.py', '--live', '-', '-', '--method', 'blur', *in_shards('2')]
    monkeypatch.setattr(sys, 'argv', live)
    with pytest.raises(SystemExit):
        command.parse_args()
    assert '--executor has no effect on --live' in capsys.readouterr().err
    monkeypatch.setenv('WORLD_SIZE', '2')
    files = ['anonymize.py', 'a.mp4', '--out', 'out', '--method', 'blur', *in_shards('2')]
    monkeypatch.setattr(sys, 'argv', files)
    with pytest.raises(SystemExit):
        command.parse_args()
    assert 'leave torchrun out' in capsys.readouterr().err
