import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
import pytest
from media import draw_frames, mux_silence, read_video, write_video

from spact_mm.apis import Job, anonymize_file
from spact_mm.apis.anonymize_file import read_anonymized


def invert(frames):
    return 255 - frames


def anonymize(source, function=invert, **options):
    output = source.with_name('out') / (source.stem + ('.png' if options.pop('png', 0) else '.mp4'))
    return anonymize_file(Job(source, output), function, **options)


def assert_close(found, expected, tolerance=6):
    """Compare pictures that went through a codec with reduced colour."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(float) - expected).mean() < tolerance


@pytest.mark.parametrize('rate', [25, Fraction(30000, 1001), 10])
@pytest.mark.parametrize('ending', ['avi', 'mp4', 'mkv', 'mov'])
def test_frames_rate_and_size_are_those_of_the_source(tmp_path, ending, rate):
    source = write_video(tmp_path / f'walk.{ending}', rate=rate)
    result = anonymize(source)
    assert (result.frames, result.height, result.width) == (12, 48, 64)
    assert result.warning == ''
    frames, times = read_video(result.output)
    assert_close(frames, invert(draw_frames()))
    assert np.allclose([float(t) for t in times], np.arange(12) / float(rate), atol=1.1e-3)
    with av.open(result.output) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(
            float(rate), rel=0.01
        )


def test_half_written_output_has_a_name_of_this_process(tmp_path):
    source, names = write_video(tmp_path / 'walk.mp4'), set()

    def look(done, expected):
        names.update(path.name for path in (tmp_path / 'out').iterdir())

    anonymize(source, on_frames=look, images=True)
    (name,) = names
    assert name.startswith('.walk') and str(os.getpid()) in name.split('.')


def test_floating_point_image_is_as_bright_as_before(tmp_path):
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, 2)
    cv2.imwrite(str(tmp_path / 'a.tif'), values, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    result = anonymize(tmp_path / 'a.tif', lambda frames: frames, png=True)
    picture = cv2.imread(result.output)
    np.testing.assert_array_equal(picture[..., 0].ravel(), np.arange(256))


@pytest.mark.slow
def test_same_frames_give_the_same_file(tmp_path):
    source = write_video(tmp_path / 'noise.mp4', np.random.default_rng(4).integers(
        0, 256, (12, 48, 64, 3), np.uint8
    ))  # fmt: skip
    contents = set()
    for size in np.random.default_rng(0).integers(1, 200_000, 60):
        kept = np.zeros(size)  # what is where in memory must not matter
        contents.add(Path(anonymize(source).output).read_bytes())
        del kept
    assert len(contents) == 1


def test_three_decoders_agree_on_the_output(tmp_path):
    result = anonymize(write_video(tmp_path / 'walk.avi', draw_frames(40)))
    expected = invert(draw_frames(40))
    assert_close(read_video(result.output)[0], expected)
    assert_close(decord.VideoReader(result.output)[:].asnumpy(), expected)
    capture = cv2.VideoCapture(result.output)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    frames = [capture.read()[1][..., ::-1] for _ in range(40)]
    assert not capture.read()[0]
    assert_close(np.stack(frames), expected)


@pytest.mark.parametrize('size', [(1, 1), (2, 2), (15, 17), (33, 64), (64, 33)])
def test_odd_and_tiny_sizes_stay(tmp_path, size):
    expected = draw_frames(5, *size)
    # Colour is stored at half the resolution, which two pixels cannot show.
    expected[:] = expected[:, :1, :1]
    source = write_video(tmp_path / 'odd.mkv', expected, codec='ffv1', pix_fmt='bgr0')
    result = anonymize(source)
    assert (result.height, result.width) == size
    frames, _ = read_video(result.output)
    assert frames.shape == expected.shape
    assert_close(frames, invert(expected))


def test_variable_frame_rate_keeps_the_time_stamps(tmp_path):
    stamps = [0, 40, 50, 200, 210, 400, 1000, 1001, 1500, 1501, 1502, 2000]
    result = anonymize(write_video(tmp_path / 'vary.mkv', stamps=stamps))
    _, times = read_video(result.output)
    assert [round(1000 * t) for t in times] == stamps


def test_missing_and_falling_time_stamps_are_replaced(tmp_path):
    # Raw H.264 has none.
    source = tmp_path / 'raw.h264'
    write_video(source)
    frames, times = read_video(anonymize(source).output)
    assert len(frames) == 12
    assert sorted(set(times)) == times


@pytest.mark.parametrize('rotation', [90, 180, 270])
def test_turned_video_comes_out_upright(tmp_path, rotation):
    source = write_video(tmp_path / 'phone.mp4', rotation=rotation)
    with av.open(str(source)) as container:
        turn = next(container.decode(video=0)).rotation
    result = anonymize(source)
    upright = np.rot90(invert(draw_frames()), round(turn / 90), axes=(1, 2))
    frames, _ = read_video(result.output)
    assert (result.height, result.width) == upright.shape[1:3]
    assert_close(frames, upright)
    with av.open(result.output) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize('pix_fmt', ['yuv422p', 'yuv420p10le', 'yuv422p10le', 'yuv444p'])
def test_other_pixel_formats_are_read(tmp_path, pix_fmt):
    result = anonymize(write_video(tmp_path / 'studio.mkv', pix_fmt=pix_fmt))
    assert_close(read_video(result.output)[0], invert(draw_frames()))


@pytest.mark.parametrize('name', ['with space', "it's", 'quo"te', 'größe 走る', 'a:b', '%d', '-x'])
def test_any_name_will_do(tmp_path, name):
    source = write_video(tmp_path / f'{name}.mp4')
    result = anonymize(source)
    assert os.path.basename(result.output) == f'{name}.mp4'
    assert len(read_video(result.output)[0]) == 12


def test_one_frame_is_a_video(tmp_path):
    result = anonymize(write_video(tmp_path / 'one.mp4', draw_frames(1)))
    assert result.frames == len(read_video(result.output)[0]) == 1


def test_metadata_is_left_behind(tmp_path):
    metadata = dict(title='Anna', location='+52.5+13.4/', creation_time='2020-01-01T00:00:00Z')
    source = write_video(tmp_path / 'holiday.mp4', metadata=metadata)
    with av.open(str(source)) as container:
        assert container.metadata['title'] == 'Anna'
    result = anonymize(source)
    with av.open(result.output) as container:
        known = {'major_brand', 'minor_version', 'compatible_brands', 'encoder'}
        assert set(container.metadata) <= known
        assert set(container.streams.video[0].metadata) <= {
            'language', 'handler_name', 'vendor_id', 'encoder',
        }  # fmt: skip
    with open(result.output, 'rb') as file:
        content = file.read()
    assert b'Anna' not in content and b'+52.5' not in content and b'2020-01' not in content


def test_sound_is_dropped_unless_asked_for(tmp_path):
    source = write_video(tmp_path / 'talk.mp4', sound='aac')
    result = anonymize(source)
    assert result.audio == 'dropped'
    with av.open(result.output) as container:
        assert not container.streams.audio
    result = anonymize(source, keep_audio=True)
    assert result.audio == 'kept'
    with av.open(result.output) as container:
        assert sum(f.samples for f in container.decode(audio=0)) >= 16000
    assert len(read_video(result.output)[0]) == 12


def test_sound_that_mp4_cannot_hold_is_refused(tmp_path):
    source = write_video(tmp_path / 'talk.avi', sound='pcm_s16le')
    with pytest.raises(ValueError, match='sound as pcm_s16le, which an MP4 file cannot hold'):
        anonymize(source, keep_audio=True)
    assert anonymize(source).audio == 'dropped'


def test_side_by_side_shows_the_source_to_the_left(tmp_path):
    result = anonymize(write_video(tmp_path / 'walk.avi'), side_by_side=True)
    frames, _ = read_video(result.output)
    raw = draw_frames()
    assert_close(frames, np.concatenate([raw, invert(raw)], 2))


@pytest.mark.parametrize(
    'source, size, expected',
    [((48, 64), 24, (24, 32)), ((64, 48), 24, (32, 24)), ((48, 64), 96, (96, 128))],
)
def test_size_is_that_of_the_shorter_side(tmp_path, source, size, expected):
    result = anonymize(write_video(tmp_path / 'walk.avi', draw_frames(3, *source)), size=size)
    assert (result.height, result.width) == expected


def test_frames_become_images(tmp_path):
    source = write_video(tmp_path / 'walk.mkv', codec='ffv1', pix_fmt='bgr0')
    job = Job(source, tmp_path / 'out' / 'walk')
    for _ in range(2):  # the second time over the first
        result = anonymize_file(job, invert, images=True)
        files = sorted(job.output.iterdir())
        assert [f.name for f in files] == [f'{i:06d}.png' for i in range(12)]
        pictures = np.stack([cv2.imread(str(f))[..., ::-1] for f in files])
        np.testing.assert_array_equal(pictures, invert(draw_frames()))
    assert result.frames == 12
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['walk']


def test_image_becomes_image_without_its_metadata(tmp_path):
    from PIL import Image

    picture = Image.fromarray(draw_frames(1)[0])
    exif = Image.Exif()
    exif[0x0110] = 'Camera of Anna'
    exif[0x0112] = 6  # turned by 90 degrees
    source = tmp_path / 'photo.jpg'
    picture.save(source, exif=exif, quality=100, subsampling=0)
    result = anonymize(source, png=True)
    assert (result.height, result.width) == (64, 48)
    found = cv2.imread(result.output)[..., ::-1]
    assert_close(found, invert(np.rot90(draw_frames(1)[0], -1)))
    with open(result.output, 'rb') as file:
        assert b'Anna' not in file.read()


def test_pictures_are_returned_as_arrays(tmp_path):
    source = write_video(tmp_path / 'walk.mkv', codec='ffv1', pix_fmt='bgr0')
    np.testing.assert_array_equal(read_anonymized(source, invert), invert(draw_frames()))


def write_broken(tmp_path, kind):
    path = tmp_path / f'{kind}.mp4'
    if kind == 'text':
        path.write_text('this is not a video\n' * 100)
    elif kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'noise':
        path.write_bytes(np.random.default_rng(0).bytes(20000))
    elif kind == 'cut':  # the index of an MP4 is at its end
        path.write_bytes(write_video(tmp_path / 'whole.mp4').read_bytes()[:-500])
    elif kind == 'sound':
        with av.open(str(path), 'w') as container:
            mux_silence(container, container.add_stream('aac', rate=16000))
    return path


@pytest.mark.parametrize(
    'kind, message',
    [
        ('text', 'text.mp4 is no video that can be read'),
        ('empty', 'empty.mp4 is empty'),
        ('noise', 'noise.mp4 is no video that can be read'),
        ('cut', 'cut.mp4 cannot be decoded'),
        ('sound', 'sound.mp4 has no pictures, only audio'),
        ('missing', 'There is no file .*missing.mp4'),
    ],
)
def test_unreadable_source_is_named_in_one_sentence(tmp_path, kind, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        anonymize(write_broken(tmp_path, kind))
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('ending', ['avi', 'mkv'])
def test_truncated_video_is_done_as_far_as_it_goes_and_said_so(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (60, 48, 64, 3), np.uint8)
    whole = write_video(tmp_path / f'whole.{ending}', noise)
    source = tmp_path / f'cut.{ending}'
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = anonymize(source)
    assert 10 < result.frames < 50
    assert len(read_video(result.output)[0]) == result.frames
    assert f'cut.{ending} ' in result.warning


def test_damaged_packets_are_counted_and_the_rest_is_done(tmp_path):
    source = write_video(tmp_path / 'walk.mov', draw_frames(30), codec='png', pix_fmt='rgb24')
    content = source.read_bytes()
    for start in [m.start() for m in re.finditer(b'\x89PNG', content)][10:13]:
        content = content[:start] + bytes(20) + content[start + 20 :]
    source.write_bytes(content)
    result = anonymize(source)
    assert result.frames == len(read_video(result.output)[0]) == 27
    assert result.warning.endswith(
        'walk.mov is damaged: 3 of its packets could not be decoded; the other 27 frames are '
        'written.'
    )


def test_output_that_cannot_be_written_is_named(tmp_path):
    source = write_video(tmp_path / 'walk.mp4')
    (tmp_path / 'out').write_text('a file, no folder')
    with pytest.raises(OSError, match='out'):
        anonymize(source)


def test_image_does_not_take_the_place_of_a_folder(tmp_path):
    source, output = tmp_path / 'face.png', tmp_path / 'out' / 'face.png'
    cv2.imwrite(str(source), np.zeros((8, 8, 3), np.uint8))
    output.mkdir(parents=True)
    (output / 'kept.txt').write_text('of somebody')
    with pytest.raises(OSError, match='out/face.png cannot be written: Is a directory'):
        anonymize_file(Job(source, output), invert)
    assert [path.name for path in output.parent.iterdir()] == ['face.png']
    assert (output / 'kept.txt').read_text() == 'of somebody'


@pytest.mark.slow
@pytest.mark.parametrize('name, options', [('noise.mp4', {}), ('noise', dict(images=True))])
def test_full_disk_is_named_and_leaves_nothing(tmp_path, name, options):
    """A limit on file sizes stands in for the disk: writes fail in the middle as they do there."""
    source = write_video(tmp_path / 'noise.mkv', codec='ffv1', pix_fmt='bgr0', frames=
        np.random.default_rng(0).integers(0, 256, (60, 96, 96, 3), np.uint8))  # fmt: skip
    assert limit_file_sizes(source, tmp_path / 'out' / name, options).endswith(
        f'out/{name} cannot be written: File too large.'
    )
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.slow
def test_full_disk_is_named_for_an_image(tmp_path):
    source = tmp_path / 'noise.png'
    cv2.imwrite(str(source), np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8))
    assert limit_file_sizes(source, tmp_path / 'out' / 'noise.png').endswith(
        'out/noise.png cannot be written: File too large.'
    )
    assert not list((tmp_path / 'out').iterdir())


def limit_file_sizes(source, output, options=None):
    """Anonymize in a process that can write 20 kB into a file; return what it says."""
    script = f"""
import resource, signal
from pathlib import Path
from spact_mm.apis import Job, anonymize_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
job = Job(Path({str(source)!r}), Path({str(output)!r}))
try:
    anonymize_file(job, lambda x: x, **{options or {}!r})
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize('images', [False, True])
def test_failure_in_the_middle_leaves_nothing(tmp_path, images):
    def fail(frames):
        raise RuntimeError('no memory')

    with pytest.raises(RuntimeError, match='no memory'):
        anonymize(write_video(tmp_path / 'walk.mp4'), fail, images=images)
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('batch', [1, 5, 100])
def test_video_that_changes_its_size_keeps_that_of_its_first_frame(tmp_path, monkeypatch, batch):
    """As a camera that is turned sends it: a stream of another size begins in the middle."""
    small, large = draw_frames(6), draw_frames(6, 96, 128)
    source = tmp_path / 'walk.ts'
    source.write_bytes(
        b''.join(write_video(tmp_path / f'{len(f[0])}.ts', f).read_bytes() for f in (small, large))
    )
    monkeypatch.setitem(anonymize_file.__globals__, '_BATCH_BYTES', batch * small[0].nbytes)
    result = anonymize(source)
    assert (result.frames, result.height, result.width) == (12, 48, 64)
    assert_close(read_video(result.output)[0], invert(np.concatenate([small, small])))


def test_progress_counts_to_what_was_expected(tmp_path):
    calls = []
    anonymize(
        write_video(tmp_path / 'walk.mp4'), on_frames=lambda done, of: calls.append((done, of))
    )
    assert calls == [(i, 12) for i in range(1, 13)]
