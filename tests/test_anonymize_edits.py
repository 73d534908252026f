"""Times, zones, quality and the log of changes of `spact-anonymize`."""

import json
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from media import draw_frames, read_video, write_video

from spact_mm.apis.changes import ChangeLog
from spact_mm.apis.times import parse_span, parse_time
from spact_mm.apis.zones import Zones, parse_zone
from spact_mm.commands import anonymize as command

LEFT_HALF = '0,0 0.5,0 0.5,1 0,1'


def call(monkeypatch, *arguments):
    """Run the tool in this process; return its exit code."""
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *map(str, arguments)])
    return command.anonymize(command.parse_args())


def entries(folder):
    return [json.loads(line) for line in (folder / 'manifest.jsonl').read_text().splitlines()]


# ---- times ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    'text, seconds', [('90.5', 90.5), ('1:30.5', 90.5), ('0:01:30.5', 90.5), ('2:00:00', 7200)]
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert parse_time(text) == Fraction(seconds)


@pytest.mark.parametrize('text', ['', '-1', '1:2:3:4', 'ten', 'inf'])
def test_what_is_no_time_is_told(text):
    with pytest.raises(ValueError, match='is no time: give seconds'):
        parse_time(text)


@pytest.mark.parametrize('text', ['5', '5-4', '3-3'])
def test_what_is_no_span_is_told(text):
    with pytest.raises(ValueError, match='is no span: give two times'):
        parse_span(text)


def test_span_is_cut_and_times_in_it_are_black(tmp_path, monkeypatch):
    source = write_video(tmp_path / 'walk.mp4', draw_frames(25, 48, 64), sound='aac')
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    assert call(monkeypatch, source, '--method', 'pixelate', '--out', whole) == 0
    options = ('--start', '0.2', '--end', '0.8', '--leave-out', '0.4-0.5', '--quality', '5')
    assert call(monkeypatch, source, '--method', 'pixelate', '--out', cut, *options) == 0
    all_frames, _ = read_video(whole / 'walk.mp4')
    frames, times = read_video(cut / 'walk.mp4')
    assert [float(time) for time in times] == pytest.approx([i / 25 for i in range(15)])
    # Frames of 0.40, 0.44 and 0.48 s.
    black = [i for i, frame in enumerate(frames) if frame.max() < 16]
    assert black == [5, 6, 7]
    expected = all_frames[5:20].astype(int)
    kept = [i for i in range(15) if i not in black]
    assert np.abs(frames[kept] - expected[kept]).mean() < 5
    assert entries(cut)[0]['audio'] == 'dropped'


def test_span_without_frames_is_told_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    source = write_video(tmp_path / 'walk.mp4')
    options = ('--method', 'blur', '--out', tmp_path / 'out', '--start', '9')
    assert call(monkeypatch, source, *options) == 1
    assert 'walk.mp4 has no frame from --start to --end.' in capsys.readouterr().out
    assert not (tmp_path / 'out' / 'walk.mp4').exists()


def test_other_options_are_other_outputs_and_the_same_are_done_already(
    tmp_path, monkeypatch, capsys
):
    source = write_video(tmp_path / 'walk.mp4')
    options = ('--method', 'blur', '--out', tmp_path / 'out')
    for extra, is_done in (
        ((), False),
        (('--end', '0.2'), False),
        (('--end', '0.2'), True),
        (('--end', '0.2', '--hide', LEFT_HALF), False),
        (('--end', '0.2', '--hide', LEFT_HALF), True),
        (('--quality', '30'), False),
        ((), False),
    ):
        assert call(monkeypatch, source, *options, *extra) == 0
        assert ('1 of 1 files are done already' in capsys.readouterr().out) == is_done


@pytest.mark.parametrize('size', [(48, 64), (47, 63)])
def test_codec_and_quality_are_what_was_asked_for(tmp_path, monkeypatch, size):
    source = write_video(tmp_path / 'a.mkv', draw_frames(6, *size), codec='ffv1', pix_fmt='yuv444p')
    sizes = {}
    for codec, quality in (('h264', 10), ('h264', 40), ('h265', 10)):
        out = tmp_path / f'{codec}{quality}'
        options = ('--method', 'pixelate', '--codec', codec, '--quality', quality)
        assert call(monkeypatch, source, '--out', out, *options) == 0
        with av.open(str(out / 'a.mp4')) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == dict(h264='h264', h265='hevc')[codec]
            assert (stream.height, stream.width) == size
        assert len(read_video(out / 'a.mp4')[0]) == 6
        sizes[codec, quality] = (out / 'a.mp4').stat().st_size
    assert sizes['h264', 40] < 0.8 * sizes['h264', 10]


# ---- zones ---------------------------------------------------------------------------------------
@pytest.mark.parametrize('text', ['0,0 1,1', '0,0 1,0 1', '0,0 1,0 2,1', 'a,b c,d e,f'])
def test_what_is_no_zone_is_told(text):
    with pytest.raises(ValueError, match='is no zone: give three corners or more'):
        parse_zone(text)


def test_zone_covers_just_its_pixels():
    seen = []

    def anonymize(frames):
        seen.append(frames.copy())
        return 255 - frames

    raw = np.random.default_rng(0).integers(1, 255, (2, 8, 10, 3), np.uint8)
    hidden = Zones(hide=(parse_zone(LEFT_HALF),)).around(anonymize)(raw)
    assert not hidden[:, :, :5].any() and np.array_equal(hidden[:, :, 6:], 255 - raw[:, :, 6:])
    # The anonymizer has not seen it either.
    assert not seen[0][:, :, :5].any()
    kept = Zones(keep=(parse_zone(LEFT_HALF),)).around(anonymize)(raw)
    # Pixels on the border of a zone are hidden, but not kept.
    assert np.array_equal(kept[:, 1:-1, 1:4], raw[:, 1:-1, 1:4])
    assert np.array_equal(kept[:, :, 5:], 255 - raw[:, :, 5:])
    both = Zones(keep=(parse_zone(LEFT_HALF),), hide=(parse_zone('0,0 1,0 1,0.5 0,0.5'),))
    assert not both.around(anonymize)(raw)[:, :4].any()
    assert not Zones() and Zones().around(anonymize) is anonymize


def test_clips_stay_clips_within_zones():
    def anonymize(frames):
        return frames

    anonymize.clip_length = 16
    assert Zones(hide=(parse_zone(LEFT_HALF),)).around(anonymize).clip_length == 16


def test_kept_zone_is_raw_and_loudly_so(tmp_path, monkeypatch, capsys):
    source = write_video(tmp_path / 'walk.mkv', codec='ffv1', pix_fmt='yuv444p')
    out = tmp_path / 'out'
    options = ('--method', 'black', '--keep', '0.5,0 1,0 1,1 0.5,1', '--quality', '1')
    assert call(monkeypatch, source, '--out', out, *options) == 0
    assert '1 zones KEPT RAW: whoever is in them is seen' in capsys.readouterr().out
    assert entries(out)[0]['raw_zones'] == [[[0.5, 0], [1, 0], [1, 1], [0.5, 1]]]
    raw, done = read_video(source)[0], read_video(out / 'walk.mp4')[0]
    assert done[:, :, :30].max() < 30
    assert np.abs(raw[:, 2:-2, 36:-2].astype(int) - done[:, 2:-2, 36:-2]).mean() < 6


def test_zones_of_pictures(tmp_path, monkeypatch):
    import cv2

    picture = draw_frames(1)[0]
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    options = ('--method', 'pixelate', '--hide', LEFT_HALF, '--out', tmp_path / 'out')
    assert call(monkeypatch, tmp_path / 'a.png', *options) == 0
    done = cv2.imread(str(tmp_path / 'out' / 'a.png'))
    assert not done[:, :32].any() and done[:, 34:].any()
    assert 'raw_zones' not in entries(tmp_path / 'out')[0]


# ---- changes -------------------------------------------------------------------------------------
def test_changes_name_the_frame_that_changed_least():
    raw = np.full((3, 10, 10, 3), 100, np.uint8)
    done = raw.copy()
    done[0] = 151
    done[1, :5] = 151
    done[2] = 101  # rounding
    log = ChangeLog()
    log.add(raw, done, [0, 0.04, 0.08])
    assert log.summary == dict(
        unchanged_frames=1,
        least_changed=0.0,
        least_changed_at=0.08,
        mean_change=pytest.approx((0.2 + 0.1 + 1 / 255) / 3, abs=1e-4),
    )


def test_changes_are_written_beside_the_output(tmp_path, monkeypatch, capsys):
    source = write_video(tmp_path / 'walk.mp4', draw_frames(12, 56, 56))
    out = tmp_path / 'out'
    options = ('--method', 'pixelate', '--out', out, '--changes')
    assert call(monkeypatch, source, *options) == 0
    numbers = json.loads((out / 'walk.mp4.changes.json').read_text())
    assert numbers['time'] == pytest.approx([i / 25 for i in range(12)])
    assert len(numbers['changed_part']) == 12 and min(numbers['changed_part']) > 0.3
    assert entries(out)[0]['changes'] == numbers['summary']
    assert numbers['summary']['unchanged_frames'] == 0
    # Its own is replaced, another file is not.
    assert call(monkeypatch, source, *options, '--quality', '30') == 0
    (out / 'walk.mp4.changes.json').write_text('mine')
    assert call(monkeypatch, source, *options, '--quality', '31') == 1
    assert 'does not tell of changes, so it is kept' in capsys.readouterr().out
    assert (out / 'walk.mp4.changes.json').read_text() == 'mine'


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('a', '--out', 'o', '--start', '3', '--end', '2'), '--end must be later than --start'),
        (('a', '--out', 'o', '--end', '2', '--keep-audio'), 'do not go with --keep-audio'),
        (('--live', '-', '-', '--changes'), 'have no effect on --live'),
        (('a', '--out', 'o', '--hide', '0,0'), 'is no zone: give three corners'),
        (('a', '--out', 'o', '--leave-out', '7'), 'is no span: give two times'),
    ],
)
def test_wrong_options_are_told(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', *arguments, '--method', 'blur'])
    with pytest.raises(SystemExit) as ending:
        command.parse_args()
    assert ending.value.code == 2
    assert message in capsys.readouterr().err
