from fractions import Fraction

import av
import numpy as np
import pytest
from media import draw_frames

from spact_mm.apis import Job, anonymize_file

RATE = 48000


def write(path, video_start=0.0, sound_start=0.0, seconds=2.0, codec='aac'):
    """Write a second of frames, and a tone; both begin where it is said."""
    with av.open(str(path), 'w') as container:
        video = container.add_stream('libx264', rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, 'yuv420p'
        sound = container.add_stream(codec, rate=RATE)
        for index, picture in enumerate(draw_frames(25)):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            frame.pts, frame.time_base = index + round(25 * video_start), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        wave = np.sin(np.arange(int(RATE * seconds)) / 20).astype(np.float32)[None] / 2
        frame = av.AudioFrame.from_ndarray(wave, format='fltp', layout='mono')
        frame.rate, frame.pts, frame.time_base = RATE, round(RATE * sound_start), Fraction(1, RATE)
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def keep(path):
    output = path.with_name('out.mp4')
    anonymize_file(Job(path, output), lambda frames: frames, keep_audio=True)
    with av.open(str(output)) as container:
        first = next(container.decode(video=0))
        shown = first.pts * first.time_base
    with av.open(str(output)) as container:
        heard = [f for f in container.decode(audio=0) if np.abs(f.to_ndarray()).max() > 0.1]
    times = [float(f.pts * f.time_base) for f in heard]
    samples = sum(f.samples for f in heard)
    return float(shown), times[0], samples / RATE


@pytest.mark.parametrize('ending', ['mkv', 'ts', 'mov'])
@pytest.mark.parametrize('video_start, sound_start', [(0, 0), (0.72, 0), (0, 0.6), (3, 3)])
def test_sound_and_frames_stay_together(tmp_path, ending, video_start, sound_start):
    shown, heard, _ = keep(write(tmp_path / f'a.{ending}', video_start, sound_start))
    assert heard - shown == pytest.approx(sound_start - video_start, abs=0.03)
    assert min(heard, shown) < 0.05


def test_sound_that_is_cut_away_is_not_copied(tmp_path):
    _, heard, seconds = keep(write(tmp_path / 'a.mp4', sound_start=-1.2))
    assert heard == pytest.approx(0, abs=0.05)
    assert seconds == pytest.approx(0.8, abs=0.05)


def test_mp3_is_copied_whichever_decoder_reads_it(tmp_path):
    shown, heard, seconds = keep(write(tmp_path / 'a.avi', codec='libmp3lame'))
    assert heard - shown == pytest.approx(0, abs=0.06) and seconds > 1.9
