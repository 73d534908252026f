"""The draft of an impact assessment."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from media import draw_frames, write_video

from spact_mm.apis import AnonymizeInferencer
from spact_mm.apis.dpia import draft_dpia

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / 'docs' / 'results' / 'demo' / 'report.json'


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp('dpia')
    (folder / 'in').mkdir()
    write_video(folder / 'in' / 'a.mp4', draw_frames(12))
    write_video(folder / 'in' / 'b.mp4', draw_frames(5), sound='aac')
    anonymize = AnonymizeInferencer(method='pixelate', device='cpu', show_progress=False)
    anonymize(str(folder / 'in'), out_dir=str(folder / 'out'))
    return folder / 'out'


def test_numbers_of_manifest_and_report_are_filled_in(out):
    text = draft_dpia(out, REPORT)
    assert '2 outputs, 17 frames, written with 1 different settings.' in text
    assert 'Sound was dropped in 1 outputs and kept in none.' in text
    assert 'No output has a zone that was kept raw.' in text
    assert 'a correlation of 0.' in text and 'was not logged' in text
    # As docs/results/demo/report.md has them.
    assert '(video_raw) reaches cmap 98.5 % behind SPAct, where chance is 42.2 %' in text
    assert '1.6 % of the advantage on raw video is removed, 0.6 % with the worst seed' in text
    assert 'Top-1 98.3 % (3 seeds, protocol demo)' in text
    assert '{' not in text and text.count('[to be filled in]') > 15
    for letter in 'abcd':
        assert f'(Article 35(7)({letter}))' in text


def test_what_is_bad_is_said_loudly(out, tmp_path):
    entry = json.loads((out / 'manifest.jsonl').read_text().splitlines()[0])
    changes = dict(unchanged_frames=3, least_changed=0.0, least_changed_at=1, mean_change=0.1)
    entry.update(audio='kept', raw_zones=[[[0, 0], [1, 0], [1, 1]]], changes=changes)
    (tmp_path / 'manifest.jsonl').write_text(f'{json.dumps(entry)}\nnot json\n')
    text = draft_dpia(tmp_path)
    assert '**Sound was KEPT in 1 outputs: voices identify persons.**' in text
    assert '**1 outputs have zones that are RAW' in text
    assert '3 frames came out unchanged' in text
    assert '**No attacker was tried on this anonymizer (no report given)' in text


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('none',), 'none/manifest.jsonl: give a folder that spact-anonymize wrote to'),
        (('OUT', '--report', 'OUT/manifest.jsonl'), 'is no report.json of a protocol'),
        (
            ('OUT', '--report', REPORT, '--method', 'magic'),
            "has no method 'magic': choose",
        ),
    ],
)
def test_wrong_files_get_one_sentence(out, monkeypatch, arguments, message):
    arguments = [str(part).replace('OUT', str(out)) for part in arguments]
    monkeypatch.setattr(sys, 'argv', ['dpia.py', *arguments])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / 'tools' / 'dpia.py'), run_name='__main__')
    assert message in ending.value.code


def test_tool_writes_the_draft(out, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['dpia.py', str(out)])
    runpy.run_path(str(ROOT / 'tools' / 'dpia.py'), run_name='__main__')
    assert capsys.readouterr().out.startswith('# Data protection impact assessment (draft)')
