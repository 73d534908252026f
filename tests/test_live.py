"""Streams that are anonymized while they come, without a server."""

import re
import subprocess
import sys
from contextlib import nullcontext
from fractions import Fraction

import av
import numpy as np
import pytest
from e2e import ROOT, environment
from media import draw_frames, read_video, write_video

from spact_mm.apis import AnonymizeInferencer
from spact_mm.apis.live_address import find_sink, find_source
from spact_mm.commands import anonymize as command
from spact_mm.commands import anonymize_live as live_command

STAMPS = [0, 40, 90, 130, 1000, 1040, 1100, 1200, 1300, 1400, 1500, 1533]


def call(monkeypatch, *arguments):
    """Run the tool in this process; return its exit code."""
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *map(str, arguments)])
    # The standard output of a test is no file, and its process may be looked at.
    monkeypatch.setattr(live_command, '_keep_stdout', lambda: nullcontext(1))
    monkeypatch.setattr(live_command, '_leave_no_core', lambda: None)
    return command.main()


# ---- files and pipes -----------------------------------------------------------------------------
@pytest.mark.parametrize('ending', ['.mp4', '.mkv', '.ts', '.m3u8'])
def test_file_comes_out_whole_with_its_times_and_nothing_else(
    tmp_path, monkeypatch, capsys, ending
):
    frames = draw_frames(height=48, width=63)
    source = write_video(
        tmp_path / 'in.mkv',
        frames,
        pix_fmt='yuv444p',
        stamps=STAMPS,
        sound='aac',
        metadata=dict(title='home'),
    )
    out = tmp_path / 'out' / f'walk{ending}'
    options = ('--method', 'pixelate', '--quality', 5)
    assert call(monkeypatch, '--live', source, out, *options) == 0
    done, times = read_video(out)
    assert [round(1000 * (time - times[0])) for time in times] == STAMPS
    # An odd side gets its last column twice.
    assert done.shape == (12, 48, 64, 3)
    expected = AnonymizeInferencer(method='pixelate', device='cpu').anonymize_frames(frames)
    assert np.abs(done[:, :, :62].astype(int) - expected[:, :, :62]).mean() < 6
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ['video']
        assert 'title' not in container.metadata
    assert '12 frames in, 12 out, 0 dropped, 0 black' in capsys.readouterr().err


@pytest.mark.slow
def test_pipe_of_the_page_gets_frames_and_nothing_else(tmp_path):
    text = (ROOT / 'docs' / 'anonymize.md').read_text()
    line = re.search(r'^cat walk.ts \|.* --live - - .*$', text, re.MULTILINE)[0]
    write_video(tmp_path / 'walk.ts', draw_frames())
    line = line.replace('python tools/', f'{sys.executable} {ROOT / "tools"}/')
    done = subprocess.run(
        ['bash', '-c', f'set -o pipefail; {line}'],
        cwd=tmp_path,
        capture_output=True,
        env=environment(),
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    frames, times = read_video(tmp_path / 'anonymized.ts')
    assert frames.shape == (12, 48, 64, 3)
    assert [time - times[0] for time in times] == [Fraction(i, 25) for i in range(12)]
    packets = (tmp_path / 'anonymized.ts').read_bytes()
    assert len(packets) % 188 == 0 and set(packets[::188]) == {0x47}
    assert b'12 frames in, 12 out' in done.stderr


@pytest.mark.parametrize(
    'source, sink, message',
    [
        ('no.mp4', 'out.mp4', 'There is no no.mp4: give a file, a camera'),
        ('.', 'out.mp4', '. is a folder: --live takes one video'),
        ('in.mp4', 'in.mp4', 'in.mp4 exists, so it is kept: give another OUT.'),
        ('in.mp4', 'out.avi', 'out.avi is of no kind that --live writes'),
        ('in.mp4', 'srt://host', 'No stream goes by srt://: there are rtsp://'),
        ('concat://a', 'out.mp4', 'No stream comes by concat://'),
        ('text.mp4', 'out.mp4', 'text.mp4 is no video that can be read'),
        ('in.mp4', '/dev/video77', '/dev/video77 cannot be written (No such file or directory).'),
        ('in.mp4', 'text.mp4/out.mp4', 'text.mp4/out.mp4 cannot be written (File exists)'),
    ],
)
def test_wrong_ends_get_one_sentence(tmp_path, monkeypatch, source, sink, message):
    write_video(tmp_path / 'in.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        call(monkeypatch, '--live', source, sink, '--method', 'blur')
    assert message in ending.value.code
    assert not (tmp_path / 'out.mp4').exists()


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('a.mp4', '--live', '-', '-'), 'an INPUT has no effect on --live'),
        (('--live', '-', '-', '--keep-audio'), '--keep-audio has no effect on --live'),
        (('--live', '-', '-', '--stats', '0'), '0 is no time above zero'),
        (('a.mp4', '--out', 'o', '--give-up', '9'), '--stats and --give-up are for --live'),
        (('a.mp4',), 'give files and --out, or --live IN OUT'),
        (('a.mp4', '--out', 'o', '--quality', '52'), '52 is not within 0 to 51'),
        (('a.mp4', '--out', 'o', '--quality', '9', '--images'), 'have no effect on --images'),
        (('--live', '-', '-', '--codec', 'h265'), '--codec has no effect on --live'),
    ],
)
def test_wrong_options_are_told(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *arguments, '--method', 'blur'])
    with pytest.raises(SystemExit) as ending:
        command.parse_args()
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


def test_help_says_loudly_that_kept_zones_are_raw(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', '--help'])
    with pytest.raises(SystemExit):
        command.parse_args()
    text = ' '.join(capsys.readouterr().out.split())
    assert 'RAW: NOTHING in this zone is anonymized' in text
    assert 'OUT is an address (rtsp://' in text


def test_password_of_an_address_is_not_shown():
    address = find_source('rtsp://me:pass@word@camera:554/live?token=secret')
    assert str(address) == 'rtsp://camera:554/live'
    assert str(find_source('rtsp://cam/user=a&password=b/1')) == 'rtsp://cam/…/1'
    assert str(find_sink('rtmp://host/app/key')) == 'rtmp://host/app/…'
    assert find_sink('rtmp://host/app/key').scheme == 'rtmp'
    assert find_source('/dev/video0').kind == 'camera' and find_sink('-').kind == 'pipe'
