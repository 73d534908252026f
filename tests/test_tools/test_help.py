"""What is said before anything is run: a config is a program, a checkpoint is not."""

import runpy
import sys

import pytest
from e2e import ROOT


@pytest.mark.parametrize(
    'tool', ['train', 'test', 'anonymize', 'predict', 'protocol', 'attack', 'export']
)
def test_help_says_that_a_config_is_a_program(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [f'{tool}.py', '--help'])
    # As Python does for a script.
    monkeypatch.syspath_prepend(ROOT / 'tools')
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
    assert not end.value.code
    said = ' '.join(capsys.readouterr().out.split())
    assert 'is a program and runs' in said and 'usage: ' in said


def test_readme_says_that_a_config_is_a_program():
    said = ' '.join((ROOT / 'README.md').read_text().split())
    assert 'A config is a program and runs: use only those that you trust.' in said
