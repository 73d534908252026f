import json
import os
import subprocess
import sys

import pytest

from spact_mm.apis import refuse_in_one_sentence
from spact_mm.apis.dpia import draft_dpia
from spact_mm.apis.outputs import MANIFEST


def test_file_that_this_package_cannot_open_is_named(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps(dict(output='a.mp4')))
    with pytest.raises(SystemExit) as caught, refuse_in_one_sentence():
        draft_dpia(tmp_path, tmp_path / 'none.json')
    assert str(caught.value) == (
        f'FileNotFoundError: {tmp_path}/none.json: No such file or directory'
    )


def test_file_that_another_package_cannot_open_keeps_its_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), refuse_in_one_sentence():
        os.stat(tmp_path / 'none')


def test_file_that_a_tool_cannot_open_is_named(tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(
        'from pathlib import Path\n'
        'from spact_mm.apis.refusals import refuse_in_one_sentence\n'
        'with refuse_in_one_sentence():\n'
        '    Path("names.txt").read_text()\n'
    )
    run = subprocess.run([sys.executable, tool], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == 'FileNotFoundError: names.txt: No such file or directory\n'
