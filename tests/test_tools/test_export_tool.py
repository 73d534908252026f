import runpy
import sys

import pytest
from e2e import ROOT


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['export.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'export.py'), run_name='__main__')


def test_it_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, 'pixelate', tmp_path / 'a.onnx')
    said = capsys.readouterr().out
    assert f'{tmp_path}/a.onnx' in said and 'inputs frames; no noise.' in said
    assert 'ONNX Runtime and PyTorch differ by ' in said


def test_a_missing_checkpoint_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as end:
        run_tool(monkeypatch, tmp_path / 'none.pth', tmp_path / 'a.onnx')
    assert 'none.pth' in end.value.code and '\n' not in end.value.code
    assert not (tmp_path / 'a.onnx').exists()
