"""An archive in jobs of a real Slurm, which is started for this test: docs/anonymize.md."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import slurm as real
from e2e import ROOT
from media import draw_frames, write_video

pytest.importorskip('submitit')
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(real.why_not()), reason=real.why_not())]

TOOL = ROOT / 'tools' / 'anonymize.py'


@pytest.fixture
def cluster():
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix='slurm', dir='/tmp') as folder:
        with real.Cluster(Path(folder) / 'c') as running:
            yield running


def command_of_the_page():
    """Return the command of docs/anonymize.md, for a method and a cluster without GPUs."""
    text = (ROOT / 'docs' / 'anonymize.md').read_text()
    (found,) = re.findall(r'^spact-anonymize archive/ (?:.*\\\n)*.*$', text, re.MULTILINE)
    words = shlex.split(found.replace('\\\n', ' '))
    changed = {'8': '2', 'CKPT': 'blur', '--checkpoint': '--method', 'gpu': 'low', '4:00:00': '30'}
    words = [changed.get(word, word) for word in words[1:]]
    words[words.index('--gpus') + 1] = '0'
    words[words.index('--cpus') + 1] = '1'
    assert words[words.index('--shards') + 1] == '2'
    return [sys.executable, str(TOOL), *words]


def test_archive_is_shared_a_killed_job_loses_nothing_and_the_same_command_goes_on(
    tmp_path, cluster
):
    archive, out = tmp_path / 'archive', tmp_path / 'anonymized'
    archive.mkdir()
    for index in range(4):
        write_video(archive / f'{index}.mp4', draw_frames(6, 48, 64))
    # The second file of the first job lasts until the job is stopped in it.
    write_video(archive / '2.mp4', np.repeat(draw_frames(8, 480, 640), 30, 0))
    environment = dict(cluster.environment, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT))

    def start(*command):
        return subprocess.Popen(
            list(map(str, command)), cwd=tmp_path, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_for(condition, process):
        deadline = time.monotonic() + 120
        while not condition():
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def lines_of(path):
        return path.read_text().splitlines() if path.exists() else []

    def signal_job(name):
        job = json.loads((out / '.shards' / '1' / 'job.json').read_text())['job']
        command = ['scancel', *([] if name is None else [f'--signal={name}']), job]
        subprocess.run(command, env=environment, check=True)
        return job

    # A job is killed by hand, its first file being done and its second half done.
    tool = start(*command_of_the_page())
    wait_for(lambda: list(out.glob('.2.mp4.*.part')), tool)
    signal_job('STOP')
    second = start(sys.executable, TOOL, archive, '--method', 'blur', '--out', out)
    said = second.communicate()[0]
    assert second.returncode == 1 and 'Another run writes to' in said, said
    signal_job(None)
    said = tool.communicate(timeout=300)[0]
    assert tool.returncode == 1, said
    assert f'Not done: {archive}/2.mp4: its job ended before' in said
    assert '3 files, 18 frames in' in said and '1 could not be done.' in said
    assert len(lines_of(out / 'manifest.jsonl')) == 3 and not (out / '.shards').exists()
    assert not list(out.glob('.*.part'))

    # The tool is killed; its job goes on, and the same command takes it over.
    tool = start(*command_of_the_page())
    wait_for(lambda: list(out.glob('.2.mp4.*.part')), tool)
    job = signal_job('STOP')
    tool.kill()
    tool.communicate()
    other = start(sys.executable, TOOL, archive, '--method', 'blur', '--out', out)
    said = other.communicate()[0]
    assert other.returncode == 1 and 'were given to Slurm' in said, said
    tool = start(*command_of_the_page())
    assert f'Jobs of an earlier run go on: {job} (shard 1)' in next(
        line for line in tool.stdout if 'earlier run' in line
    )
    signal_job('CONT')
    said = tool.communicate(timeout=300)[0]
    assert tool.returncode == 0 and '4 of 4 files are done already.' in said, said

    # Ctrl-C ends the jobs.
    tool = start(*command_of_the_page(), '--size', '40')
    wait_for(lambda: list(out.glob('.2.mp4.*.part')), tool)
    tool.send_signal(signal.SIGINT)
    said = tool.communicate(timeout=300)[0]
    assert tool.returncode == 130 and 'the same command goes on from here' in said, said
    wait_for(lambda: not cluster.run('squeue', '--noheader').strip(), start('sleep', '300'))

    # What comes out is what comes out of one process.
    tool = start(*command_of_the_page())
    said = tool.communicate(timeout=300)[0]
    assert tool.returncode == 0, said
    one = start(sys.executable, TOOL, archive, '--method', 'blur', '--out', tmp_path / 'one')
    said = one.communicate(timeout=300)[0]
    assert one.returncode == 0, said
    for name in [f'{index}.mp4' for index in range(4)]:
        assert (out / name).read_bytes() == (tmp_path / 'one' / name).read_bytes()
    newest = {json.loads(line)['output']: line for line in lines_of(out / 'manifest.jsonl')}
    assert sorted(newest.values()) == sorted(lines_of(tmp_path / 'one' / 'manifest.jsonl'))
    assert sorted(os.listdir(out)) == sorted(['.lock', *(f'{i}.mp4' for i in range(4)),
                                              'manifest.jsonl'])  # fmt: skip
