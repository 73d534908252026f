"""Media of all kinds through an identity: frames, times, sizes, colours, streams, metadata.

Run it alone for the whole matrix, which takes minutes::

    python tests/media_matrix.py [WORD ...]

where only cases whose names have all of the words are run.
"""

import sys
import tempfile
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange
from media import draw_frames

from spact_mm.apis import Job, anonymize_file
from spact_mm.datasets.video_reader import open_video
from spact_mm.media.colour import Colour, from_rgb, tag

#: Codecs by what they are called here: FFmpeg's encoder and the layout of its frames.
CODECS = {
    'h264': ('libx264', 'yuv420p'),
    'hevc': ('libx265', 'yuv420p'),
    'mpeg4': ('mpeg4', 'yuv420p'),
    'mpeg2': ('mpeg2video', 'yuv420p'),
    'mjpeg': ('mjpeg', 'yuvj420p'),
    'vp8': ('libvpx', 'yuv420p'),
    'vp9': ('libvpx-vp9', 'yuv420p'),
    'av1': ('libsvtav1', 'yuv420p'),
    'ffv1': ('ffv1', 'yuv420p'),
    'prores': ('prores_ks', 'yuv422p10le'),
    'msmpeg4': ('msmpeg4', 'yuv420p'),
    'flv1': ('flv', 'yuv420p'),
    'wmv2': ('wmv2', 'yuv420p'),
    'gif': ('gif', 'gray'),
    'apng': ('apng', 'rgb24'),
}
CONTAINERS = {
    'mp4': 'h264 hevc mpeg4 mpeg2 mjpeg vp9 av1',
    'mov': 'h264 hevc mpeg4 mjpeg prores',
    'm4v': 'h264 mpeg4',
    '3gp': 'h264 mpeg4',
    'mkv': 'h264 hevc mpeg4 mpeg2 mjpeg vp8 vp9 av1 ffv1 prores',
    'webm': 'vp8 vp9 av1',
    'avi': 'h264 mpeg4 mpeg2 mjpeg msmpeg4 ffv1',
    'ts': 'h264 hevc mpeg2',
    'mpg': 'mpeg2',
    'flv': 'h264 flv1',
    'asf': 'mpeg4 msmpeg4 wmv2',
    'gif': 'gif',
    'apng': 'apng',
}
#: FFmpeg's muxer where the ending alone tells it another one.
_MUXERS = {'m4v': 'mp4', 'mpg': 'vob'}
#: Stated, or not, as cameras and screens do: matrix, primaries, transfer, whole range.
COLOURS = {
    'unstated': Colour(),
    'bt709': Colour(1, 1, 1, is_tagged=True),
    'bt709 full': Colour(1, 1, 1, is_full=True, is_tagged=True),
    'bt601': Colour(6, 6, 6, is_tagged=True),
    'bt2020': Colour(9, 9, 14, is_tagged=True),
}
#: Mean difference of luma and chroma, of 255, that a codec may add.
TOLERANCE = 2


@dataclass(frozen=True)
class Case:
    """A video to make."""

    container: str
    codec: str
    rate: Fraction | None = Fraction(25)
    colour: str = 'unstated'
    size: tuple[int, int] = (48, 64)
    rotation: int = 0
    sound: str = ''
    b_frames: int = 0
    start: int = 0
    pix_fmt: str = ''

    @property
    def name(self) -> str:
        """What is particular, in words."""
        told = [self.container, self.codec, f'{self.size[1]}x{self.size[0]}', self.colour]
        told += ['variable rate'] if self.rate is None else [f'{float(self.rate):.4g}/s']
        told += [f'turned {self.rotation}'] if self.rotation else []
        told += [f'sound {self.sound}'] if self.sound else []
        told += ['B-frames'] if self.b_frames else []
        told += [f'from frame {self.start}'] if self.start else []
        return ' '.join(told + [self.pix_fmt]).rstrip()


@dataclass
class Outcome:
    """What was found."""

    faults: list[str] = field(default_factory=list)
    reader: str = ''
    colour_error: float = 0.0

    def check(self, is_right: bool, fault: str) -> None:
        """Note a fault where something is not right."""
        if not is_right:
            self.faults.append(fault)


def cases() -> list[Case]:
    """Return all cases: each codec in each container, and each particular in some of them."""
    plain = [Case(box, codec) for box, names in CONTAINERS.items() for codec in names.split()]
    common = [Case('mp4', 'h264'), Case('mkv', 'vp9'), Case('avi', 'mpeg4'), Case('ts', 'h264')]
    rates = [Fraction(10), Fraction(30000, 1001), Fraction(60), None]
    more = [replace(case, rate=rate) for case, rate in product(common, rates)]
    more += [
        replace(case, colour=colour)
        for case, colour in product([*common[:2], Case('mov', 'hevc')], COLOURS)
        if colour != 'unstated'
    ]
    more += [
        replace(case, size=size)
        for case, size in product(
            [Case('mkv', 'ffv1', pix_fmt='yuv444p'), Case('mkv', 'vp9')], [(33, 47), (47, 64)]
        )
    ]
    more += [
        replace(case, rotation=turn)
        for case, turn in product([common[0], Case('mov', 'hevc')], [90, 180, 270])
    ]
    more += [
        Case(box, codec, sound=sound)
        for box, codec, sound in [
            ('mp4', 'h264', 'aac'), ('mov', 'h264', 'alac'), ('mkv', 'h264', 'ac3'),
            ('mkv', 'vp9', 'libopus'), ('webm', 'vp8', 'libopus'), ('avi', 'mpeg4', 'libmp3lame'),
            ('ts', 'h264', 'aac'), ('mpg', 'mpeg2', 'mp2'), ('flv', 'h264', 'aac'),
            ('mkv', 'ffv1', 'flac'),
        ]
    ]  # fmt: skip
    more += [
        Case(box, codec, b_frames=2, sound=sound)
        for box, codec, sound in product(('mp4', 'mkv', 'avi'), ('h264', 'mpeg4'), ('', 'ac3'))
    ]
    more += [
        replace(case, start=18, sound=sound)
        for case, sound in product([common[0], common[3], Case('mkv', 'h264')], ('', 'aac'))
    ]
    return list(dict.fromkeys(plain + more))


def make(case: Case, path: Path, count: int = 30) -> list[Fraction]:
    """Write a video; return the seconds at which its frames are shown, the first one at zero."""
    encoder, pix_fmt = CODECS[case.codec]
    pix_fmt, colour = case.pix_fmt or pix_fmt, COLOURS[case.colour]
    gaps = [1, 3, 1, 2, 5]
    steps = [gaps[i % 5] if case.rate is None else 1 for i in range(count)]
    rate = case.rate or Fraction(25)
    stamps = [case.start + sum(steps[:i]) for i in range(count)]
    with av.open(str(path), 'w', format=_MUXERS.get(case.container)) as container:
        container.metadata['title'] = 'Anna'
        stream = container.add_stream(encoder, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *case.size, pix_fmt
        stream.codec_context.gop_size = 8
        if case.codec in ('h264', 'mpeg4', 'mpeg2', 'msmpeg4', 'flv1', 'wmv2', 'mjpeg'):
            stream.codec_context.bit_rate = 4_000_000
        if case.codec in ('h264', 'mpeg4'):
            stream.codec_context.max_b_frames = case.b_frames
        if case.colour != 'unstated':
            tag(stream.codec_context, colour)
        if case.rotation:
            stream.set_display_rotation(case.rotation)
        track = container.add_stream(case.sound, rate=48000) if case.sound else None
        for stamp, picture in zip(stamps, draw_frames(count, *case.size), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            if pix_fmt.startswith('yuv'):
                full = replace(colour, is_full=colour.is_full or pix_fmt.startswith('yuvj'))
                frame = from_rgb(picture, pix_fmt, full)
            frame.pts, frame.time_base = stamp, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            _write_sound(container, track, float(stamps[-1] / rate) + 1)
    return [Fraction(stamp - case.start) / rate for stamp in stamps]


def _write_sound(container, track, seconds: float) -> None:
    wave = np.sin(np.arange(int(48000 * seconds)) / 20).astype(np.float32)[None] / 2
    # What begins to be heard later, no run-in hides.
    wave[:, : 48000 // 2] = 0
    frame = av.AudioFrame.from_ndarray(wave, format='fltp', layout='mono')
    frame.rate, frame.pts = 48000, 0
    container.mux(track.encode(frame))
    container.mux(track.encode())


def examine(case: Case, folder: Path) -> Outcome:
    """Take a case through an identity and the training's reader, and say what is not right."""
    source, output = folder / f'in.{case.container}', folder / 'out.mp4'
    times, outcome = make(case, source), Outcome()
    result = anonymize_file(Job(source, output), lambda frames: frames, keep_audio=bool(case.sound))
    outcome.check(not result.warning, f'warned of: {result.warning}')
    raw, copy = _decode(source), _decode(output)
    turned = case.rotation % 180 != 0
    size = case.size[::-1] if turned else case.size
    outcome.check((result.height, result.width) == size, f'{result.height} x {result.width}')
    outcome.check(len(copy) == len(raw) == len(times), f'{len(copy)} frames of {len(times)}')
    if len(copy) != len(raw):
        return outcome
    stamps = [frame.pts * frame.time_base for frame in copy]
    late = max(abs(float(b - stamps[0] - a + times[0])) for a, b in zip(times, stamps, strict=True))
    # What a container of milliseconds rounds. GIF has hundredths.
    # The writer of AVI shifts frames by the run-in of MP3, and leaves one out for it.
    limits = {'gif': 0.011, 'avi': 0.041 if case.sound == 'libmp3lame' else 0.0021}
    outcome.check(late < limits.get(case.container, 0.0021), f'{late:.4f} s late')
    _compare_colours(case, raw, copy, outcome)
    _compare_streams(case, source, output, outcome)
    _compare_training(source, output, case, outcome)
    return outcome


def _decode(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def _compare_colours(case: Case, raw: list, copy: list, outcome: Outcome) -> None:
    is_rgb = case.codec in ('gif', 'apng')
    if is_rgb or case.rotation:
        pictures = [np.stack([f.to_ndarray(format='rgb24') for f in x]) for x in (raw, copy)]
        pictures[0] = np.rot90(pictures[0], raw[0].rotation // 90, axes=(1, 2))
    else:
        # Without a colour space to go to, the numbers stay what they are.
        pictures = [np.stack([_planes(f) for f in x]) for x in (raw, copy)]
        kept = ('colorspace', 'color_primaries', 'color_trc')
        for name in kept:
            before, after = (int(getattr(x[0], name)) for x in (raw, copy))
            outcome.check(before == after, f'{name} {after} of {before}')
        full = [int(x[0].color_range) == ColorRange.JPEG for x in (raw, copy)]
        outcome.check(full[0] == full[1], 'another range')
    difference = np.abs(pictures[0].astype(float) - pictures[1]).mean((0, 1, 2))
    outcome.colour_error = float(difference.max())
    # In RGB the loss of colour at half the resolution shows more.
    limit = 2 * TOLERANCE if is_rgb or case.rotation else TOLERANCE
    outcome.check(outcome.colour_error <= limit, f'colours off by {outcome.colour_error:.2f}')


def _planes(frame: av.VideoFrame) -> np.ndarray:
    planes = frame.reformat(format='yuv444p').to_ndarray()
    return planes.reshape(3, frame.height, frame.width).transpose(1, 2, 0)


def _compare_streams(case: Case, source: Path, output: Path, outcome: Outcome) -> None:
    with av.open(str(output)) as container:
        kinds = sorted(stream.type for stream in container.streams)
        expected = ['audio', 'video'] if case.sound else ['video']
        outcome.check(kinds == expected, f'streams {kinds}')
    outcome.check(b'Anna' not in output.read_bytes(), 'metadata left')
    if case.sound:
        gaps = [_sound_gap(path) for path in (source, output)]
        outcome.check(
            abs(gaps[0] - gaps[1]) < 0.03, f'sound off by {1000 * (gaps[1] - gaps[0]):.0f} ms'
        )


def _sound_gap(path: Path) -> float:
    """Return how many seconds after the first frame the sound begins to be heard."""
    with av.open(str(path)) as container:
        heard = next(
            float(f.pts * f.time_base) + int(np.argmax(loud)) / f.sample_rate
            for f in container.decode(audio=0)
            if (loud := np.abs(f.to_ndarray().astype(float).reshape(-1)) > 0.05).any()
        )
    frame = _decode(path)[0]
    return heard - float(frame.pts * frame.time_base)


def _compare_training(source: Path, output: Path, case: Case, outcome: Outcome) -> None:
    reader = open_video(source)
    outcome.reader = type(reader).__name__
    read = []
    job = Job(source, output.with_name('frames'))

    def note(frames):
        read.append(frames)
        return frames

    anonymize_file(job, note, images=True)
    frames = np.concatenate(read)
    outcome.check(len(reader) == len(frames), f'training has {len(reader)} frames')
    order = np.random.default_rng(0).permutation(min(len(reader), len(frames)))
    found = reader.get_batch(list(order)).asnumpy()
    if found.shape[1:] != frames.shape[1:]:
        outcome.check(False, f'training has frames of {found.shape[1:3]}')
        return
    worst = np.abs(found.astype(int) - frames[order]).max()
    outcome.check(worst <= 1, f'training has pixels off by {worst}')


def main(words: list[str]) -> int:
    """Run the cases and print a line each; return 1 if something is not right."""
    chosen = [case for case in cases() if all(word in case.name.split() for word in words)]
    num_bad = 0
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = examine(case, Path(folder))
            except Exception as error:  # each case has a line, whatever comes up
                outcome = Outcome([f'{type(error).__name__}: {error}'])
        num_bad += bool(outcome.faults)
        state = '; '.join(outcome.faults) or 'right'
        print(f'{case.name}: {state} [{outcome.reader}, colour {outcome.colour_error:.2f}]')
    print(f'{num_bad} of {len(chosen)} cases are not right.')
    return 1 if num_bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
