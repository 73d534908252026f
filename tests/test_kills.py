import sys

import pytest
from e2e import ROOT, run_process


@pytest.mark.slow
def test_a_sample_of_kills_loses_nothing(tmp_path):
    """The whole campaign is ``python tests/kill_training.py``."""
    variants = ('epochs', 'iterations, files', 'fresh target, iterations')
    script = ROOT / 'tests' / 'kill_training.py'
    options = ('--kills', 6, '--seed', 5, '--variant', *variants)
    done = run_process(tmp_path, sys.executable, script, *options, timeout=900)
    assert done.code == 0, done.stdout + done.stderr
    table = [line.split() for line in done.stdout.splitlines() if ' of ' in line]
    assert len(table) == len(variants) + 1
    trials, kills, resumed, lost, equal, _, compared = table[-1][-7:]
    assert int(kills) >= 6 and int(resumed) > 0 and lost == '0' and equal == compared == trials
