import sys

import pytest

from spact_mm import progress
from spact_mm.progress import Progress, track


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


def test_a_file_gets_a_line_now_and_then(clock, capsys):
    bar = Progress(1000)
    for _ in range(1000):
        clock[0] += 0.125
        bar.update()
    bar.finish()
    printed = capsys.readouterr().out
    assert '\r' not in printed
    lines = ['240/1000 in 30 s', '480/1000 in 60 s', '720/1000 in 90 s', '960/1000 in 120 s']
    assert printed.splitlines() == [*lines, '1000/1000 in 125 s']


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True, raising=False)
    bar = Progress(2)
    bar.update(2)
    bar.finish()
    printed = capsys.readouterr().out
    assert '\r[>>' in printed and '2/2' in printed and printed.endswith('\n')


def test_track_yields_the_items(capsys):
    assert list(track('abc')) == ['a', 'b', 'c']
    assert capsys.readouterr().out == '3/3 in 0 s\n'


def test_nothing_to_do_prints_nothing(capsys):
    Progress(0).finish()
    assert list(track([])) == [] and capsys.readouterr().out == ''
