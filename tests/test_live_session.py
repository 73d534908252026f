"""What a live session does with its frames, and over interruptions."""

import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from media import draw_frames, read_video, write_video
from mmaction.registry import MODELS

from spact_mm.apis import AnonymizeInferencer, live_source
from spact_mm.apis.frame_anonymizer import FrameAnonymizer
from spact_mm.apis.live_address import Address
from spact_mm.apis.live_check import RecurringCheck
from spact_mm.apis.live_counts import LiveCounts
from spact_mm.apis.live_queue import UnitQueue
from spact_mm.apis.live_retries import Retries
from spact_mm.apis.live_session import LiveSession
from spact_mm.apis.live_sink import LiveSink
from spact_mm.apis.live_source import LiveFrame, LiveSource, Look
from spact_mm.apis.video_noise import VideoNoise
from spact_mm.media.colour import Colour


# ---- a session -----------------------------------------------------------------------------------
class FakeSource:
    """Frames that are there at once; ``None`` is an interruption."""

    def __init__(self, frames, kind='camera'):
        self.frames, self.address = frames, Address('/dev/video0', kind)
        self.retries = SimpleNamespace(num_failures=0)
        self.num_frames, self.max_pixels = 0, 10**6
        self.look = Look(Fraction(25), Colour())

    def __iter__(self):
        for index, frame in enumerate(self.frames):
            if frame is not None:
                self.num_frames += 1
                frame = LiveFrame(frame, Fraction(index, 25), 0.0)
            yield frame


class FakeSink:
    def __init__(self, gate=None):
        self.address = Address('out.mp4', 'file')
        self.retries = SimpleNamespace(num_failures=0)
        self.frames, self.times, self.is_closed = [], [], False
        self.gate = gate

    @property
    def num_frames(self):
        return len(self.frames)

    def write(self, picture, time, look):
        if self.gate is not None:
            assert self.gate.wait(30)
        self.frames.append(picture)
        self.times.append(time)
        return True

    def close(self):
        self.is_closed = True


def run_session(source, sink, anonymize, stop=None, lines=None):
    counts = LiveCounts((lines if lines is not None else []).append, 1e9, lambda: 'Measured.')
    return LiveSession(source, sink, anonymize, counts, stop or threading.Event()).run()


def pictures(count, side=8):
    return list(np.random.default_rng(0).integers(1, 255, (count, side, side, 3), np.uint8))


@pytest.mark.parametrize('failure', ['raises', 'other size', 'other type'])
def test_frame_that_fails_is_black_and_the_others_are_not(failure):
    raw = pictures(4)

    def anonymize(frames):
        if not np.array_equal(frames[0], raw[2]):
            return 255 - frames
        if failure == 'raises':
            raise MemoryError(f'no room for {frames}')
        return frames[:, :4] if failure == 'other size' else frames.astype(np.float32)

    sink, lines = FakeSink(), []
    result = run_session(FakeSource(raw, 'file'), sink, anonymize, lines=lines)
    assert (result.read, result.written, result.dropped, result.black) == (4, 4, 0, 1)
    assert np.array_equal(sink.frames[1], 255 - raw[1]) and np.array_equal(
        sink.frames[3], 255 - raw[3]
    )
    assert sink.frames[2].shape == raw[2].shape and not sink.frames[2].any()
    assert sink.is_closed
    assert '1 black' in lines[-1] and 'Last black one: ' in lines[-1] and 'Measured.' in lines[-1]
    # What the code of others says may have pixels in it.
    assert 'no room' not in lines[-1]


def test_anonymizer_that_is_refused_from_the_start_ends_the_session():
    def refuse(frames):
        raise ValueError('too much is left')

    sink = FakeSink()
    with pytest.raises(ValueError, match='too much is left'):
        run_session(FakeSource(pictures(3), 'file'), sink, refuse)
    assert not sink.frames and sink.is_closed


def test_later_refusal_blackens_until_a_frame_passes():
    inferencer = AnonymizeInferencer(method='pixelate', device='cpu')
    raw = draw_frames(4, 56, 56)

    def anonymize(frames):
        # What comes out as it went in is refused.
        return frames if 1 <= frames[0, 0, 0, 2] <= 45 else inferencer.anonymize_frames(frames)

    check = inferencer.check('the stream')
    check.anonymize = anonymize
    made = []

    def make():
        made.append(inferencer.check('the stream'))
        made[-1].anonymize = anonymize
        return made[-1]

    sink = FakeSink()
    result = run_session(FakeSource(list(raw), 'file'), sink, RecurringCheck(make, 1e-9))
    assert result.black == 2 and len(made) > 4
    assert [bool(frame.any()) for frame in sink.frames] == [True, False, False, True]


def test_what_finds_no_room_is_dropped_in_whole_clips_with_true_times():
    raw, gate, seen = pictures(400), threading.Event(), []

    def anonymize(frames):
        seen.append(len(frames))
        return 255 - frames

    anonymize.clip_length = 4
    source, sink = FakeSource(raw), FakeSink(gate)
    threading.Timer(0.5, gate.set).start()
    result = run_session(source, sink, anonymize)
    assert result.read == 400 and result.written + result.dropped == 400
    assert 300 < result.dropped and result.dropped % 4 == 0 and set(seen) == {4}
    for frame, time in zip(sink.frames, sink.times, strict=True):
        assert np.array_equal(frame, 255 - raw[int(time * 25)])
    assert sink.times == sorted(set(sink.times))


def test_nothing_of_a_file_is_dropped():
    gate = threading.Event()
    threading.Timer(0.5, gate.set).start()
    result = run_session(FakeSource(pictures(100), 'file'), FakeSink(gate), lambda x: 255 - x)
    assert result.written == 100 and result.dropped == 0


def test_session_that_is_stopped_writes_what_is_anonymized_and_the_end():
    stop, sink = threading.Event(), FakeSink()

    def endless():
        while True:
            yield pictures(1)[0]

    def anonymize(frames):
        if len(sink.frames) > 5:
            stop.set()
        return 255 - frames

    result = run_session(FakeSource(endless()), sink, anonymize, stop)
    assert sink.is_closed and result.written == len(sink.frames) > 5


def test_frames_of_another_size_come_out_in_that_of_the_first():
    raw = [*pictures(1, 8), *pictures(1, 16)]
    sink = FakeSink()
    run_session(FakeSource(raw, 'file'), sink, lambda frames: 255 - frames)
    assert [frame.shape for frame in sink.frames] == [(8, 8, 3)] * 2


def test_clip_is_cut_where_the_stream_was_interrupted():
    seen = []

    def anonymize(frames):
        seen.append(len(frames))
        return 255 - frames

    anonymize.clip_length = 4
    raw = pictures(9)
    run_session(FakeSource([*raw[:6], None, *raw[6:]], 'file'), FakeSink(), anonymize)
    assert seen == [4, 2, 3]


def test_noise_of_a_session_is_one_over_measures_and_interruptions():
    inferencer = AnonymizeInferencer(method='blur', device='cpu')
    channel = dict(
        type='GaussianChannel',
        anonymizer=dict(type='ConstantAnonymizer', value=0.5),
        sigma_shared=0.1,
        sigma_frame=0.001,
    )
    inferencer.method, inferencer.model = None, MODELS.build(channel).eval()
    inferencer._networks[0] = FrameAnonymizer(inferencer.model)
    noise = VideoNoise()
    check = RecurringCheck(lambda: inferencer.check('the stream', noise), 1e-9)
    assert check.clip_length == 1
    raw, sink = pictures(1, 32)[0], FakeSink()
    run_session(FakeSource([*[raw] * 40, None, *[raw] * 20], 'file'), sink, check)
    done = np.stack(sink.frames).astype(float)
    # 25 of 255 levels of shared noise, a quarter of a level of what is new in each frame.
    assert done[0].std() > 20
    assert max(np.abs(frame - done[0]).max() for frame in done) <= 3


def test_queue_drops_the_oldest_or_waits():
    queue = UnitQueue(drops=True, most=3)
    assert all(queue.put([number, number], 1) for number in range(5))
    assert queue.num_dropped == 4 and queue.get() == [2, 2]
    waiting = UnitQueue(drops=False, most=2)
    assert waiting.put([0], 1) and waiting.put([1], 1) and not waiting.put([2], 1, timeout=0.01)
    assert waiting.num_dropped == 0 and waiting.get() == [0]
    waiting.close()
    assert not waiting.put([3], 1) and waiting.get() == [1] and waiting.is_over
    # Large ones: as few as go.
    large = UnitQueue(drops=True)
    assert all(large.put([number], 1 << 30) for number in range(3)) and large.num_dropped == 1


# ---- interruptions -------------------------------------------------------------------------------
def test_waits_become_longer_until_an_attempt_succeeds_or_it_is_given_up(monkeypatch):
    clock, lines = [0.0], []

    def wait(seconds):
        clock[0] += seconds
        return False

    stop = SimpleNamespace(wait=wait)
    monkeypatch.setattr('spact_mm.apis.live_retries.monotonic', lambda: clock[0] + 1)
    retries = Retries(lines.append, stop, give_up=100)
    assert all(retries.wait('it is away') for _ in range(6))
    assert clock[0] == 0.5 + 1 + 2 + 4 + 8 + 15
    assert lines[0] == 'it is away; the next attempt is in 0.5 s.'
    retries.succeed()
    assert retries.wait('it is away') and clock[0] == 31
    with pytest.raises(OSError, match='it is away, and no attempt of 100 seconds helped'):
        while True:
            retries.wait('it is away')
    assert retries.num_failures > 10


def test_times_go_on_by_the_clock_after_an_interruption(tmp_path, monkeypatch):
    path, clock, stop = write_video(tmp_path / 'in.ts'), [0.0], threading.Event()
    attempts = []

    def open_again(self):
        attempts.append(clock[0])
        if len(attempts) == 2:
            raise ValueError('it is away')
        if len(attempts) == 4:
            stop.set()
            raise ValueError('enough')
        return live_source.VideoReader(path)

    def wait(self, reason):
        self.num_failures += 1
        clock[0] += 30
        return True

    monkeypatch.setattr(LiveSource, '_open', open_again)
    monkeypatch.setattr(Retries, 'wait', wait)
    monkeypatch.setattr(live_source, 'monotonic', lambda: clock[0])
    source = LiveSource(Address('rtsp://x/y', 'network'), Retries(print, stop), stop)
    frames = list(source)
    times = [float(f.time) if f else None for f in frames]
    first = [i / 25 for i in range(12)]
    assert times[:13] == [*first, None]
    # Two waits of 30 s later.
    assert times[13:25] == pytest.approx([60 + t for t in first])
    assert source.num_frames == 24 and source.retries.num_failures == 4


def test_clock_of_a_stream_that_jumps_is_set_anew(tmp_path, monkeypatch):
    stamps = [0, 40, 80, 3_600_000, 3_600_040]
    path = write_video(tmp_path / 'in.mkv', draw_frames(5), stamps=stamps)
    stop = threading.Event()
    reader = live_source.VideoReader(path)
    monkeypatch.setattr(LiveSource, '_open', lambda self: reader)
    monkeypatch.setattr(LiveSource, '_goes_on', lambda self: False)
    source = LiveSource(Address('rtsp://x/y', 'network'), Retries(print, stop), stop)
    times = [float(frame.time) for frame in source]
    assert times[:3] == [0, 0.04, 0.08] and times[4] - times[3] == pytest.approx(0.04)
    assert times[3] < 60


def test_sink_on_the_network_connects_again_with_the_same_frame(tmp_path, monkeypatch):
    stop, lines = threading.Event(), []
    monkeypatch.setattr('spact_mm.apis.live_retries.FIRST_WAIT', 0.01)
    sink = LiveSink(Address('rtmp://u:p@h/a', 'network'), Retries(lines.append, stop))
    opened = []

    def open_here(where, mode, format, options):
        opened.append(where)
        if len(opened) < 3:
            raise ConnectionRefusedError(111, 'Connection refused')
        return av_open(str(tmp_path / 'out.flv'), mode, format=format)

    av_open = av.open
    monkeypatch.setattr('spact_mm.apis.live_sink.av.open', open_here)
    for index, frame in enumerate(draw_frames(3)):
        assert sink.write(frame, Fraction(index, 25), Look(Fraction(25), Colour()))
    sink.close()
    assert sink.num_frames == 3 and sink.retries.num_failures == 2
    assert lines[0].startswith('rtmp://h/… cannot be written (Connection refused); the next')
    monkeypatch.undo()
    assert len(read_video(Path(tmp_path / 'out.flv'))[0]) == 3
