"""What ``tools/anonymize.py`` says of what is left."""

import json
import sys

import cv2
import numpy as np
import pytest
from e2e import ROOT, run_process
from media import write_video

TOOL = ROOT / 'tools' / 'anonymize.py'


@pytest.mark.slow
def test_numbers_are_told_and_noted_and_force_is_needed(tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    write_video(source / 'walk.mp4')
    # Of ten pixels, a block of the mosaic is one pixel.
    rng = np.random.default_rng(0)
    cv2.imwrite(str(source / 'tiny.png'), rng.integers(0, 256, (10, 10, 3), np.uint8))
    arguments = (sys.executable, TOOL, source, '--method', 'pixelate', '--out', out)
    done = run_process(tmp_path / 'logs', *arguments)
    assert done.code == 1, done.stderr
    assert f'Not done: {source / "tiny.png"} is not written: its frames come out as' in done.stdout
    assert not (out / 'tiny.png').exists()
    (entry,) = map(json.loads, (out / 'manifest.jsonl').read_text().splitlines())
    assert (
        0 < entry['left'] < 1 and 0 < entry['change'] < 1 and entry['detail_left'] < entry['left']
    )
    assert f'Left: {entry["left"]:.2f}, of detail {entry["detail_left"]:.2f}; ' in done.stdout

    done = run_process(tmp_path / 'logs', *arguments, '--force')
    assert done.code == 0, done.stderr
    assert '1 of 2 files are done already.' in done.stdout
    assert 'Left: 1.00, of detail 1.00; change 0.00. WARNING: its frames come' in done.stdout
    assert (out / 'tiny.png').exists()
