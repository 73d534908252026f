import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def srun(tmp_path, monkeypatch):
    """A command of that name that prints its arguments."""
    command = tmp_path / 'srun'
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')


def run(*arguments, **environment):
    done = subprocess.run(
        [ROOT / 'tools' / 'slurm_train.sh', *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    'gpus, expected', [({}, (8, 8)), ({'GPUS': '2'}, (2, 2)), ({'GPUS': '32'}, (32, 8))]
)
def test_slurm_shares_the_gpus_out_over_nodes(srun, gpus, expected):
    words = run('gpu', 'spact', 'a.py', **gpus)
    assert words[:2] == ['--partition=gpu', '--job-name=spact']
    assert f'--ntasks={expected[0]}' in words
    assert f'--ntasks-per-node={expected[1]}' in words and f'--gres=gpu:{expected[1]}' in words


def test_slurm_passes_options_on(srun):
    words = run('gpu', 'spact', 'a b.py', '--amp', SRUN_ARGS='--qos high')
    assert words[words.index('--qos') + 1] == 'high'
    assert words[-5:] == [str(ROOT / 'tools/train.py'), 'a b.py', '--launcher', 'pytorch', '--amp']
