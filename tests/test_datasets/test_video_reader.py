import os
import struct
from fractions import Fraction

import av
import decord
import numpy as np
import pytest
from media import draw_frames, write_video

from spact_mm.apis.video_file import VideoReader
from spact_mm.datasets import pyav_reader, video_reader
from spact_mm.datasets.integrity import check_video, find_broken
from spact_mm.datasets.transforms import DecordInitFromPath, LoadVideoFrame
from spact_mm.datasets.video_reader import DecordReader, PyAVReader, open_video
from spact_mm.media.media_probe import probe_video, stated_bytes
from spact_mm.media.unreadable import UnreadableFileError

RATE = 25


def write(
    path, count=40, codec='libx264', first=0, b_frames=None, gop=12, size=(48, 64), transfer=2
):
    """Write frames that are unlike each other, from the time stamp `first` on."""
    noise = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = size
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        stream.codec_context.gop_size = gop
        stream.codec_context.color_trc = transfer
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        for index in range(count):
            coarse = noise[index].repeat(size[0] // 4, 0).repeat(size[1] // 4, 1)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(coarse), format='rgb24')
            picture.pts, picture.time_base = first + index, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def set_matrix(path, *matrix):
    """Write a display matrix (a, b, c, d) into an MP4 file."""
    content = bytearray(path.read_bytes())
    start = content.index(b'tkhd') + 44
    a, b, c, d = (round(65536 * value) for value in matrix)
    content[start : start + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def all_frames(path):
    with VideoReader(path) as reader:
        return np.stack([frame for frame, _ in reader])


def make(tmp_path, kind):
    if kind == 'rotated':
        return write_video(tmp_path / 'a.mp4', draw_frames(30), rotation=90)
    if kind == 'mirrored':
        return set_matrix(write(tmp_path / 'a.mp4'), -1, 0, 0, 1)
    if kind == 'mirrored and turned':
        return set_matrix(write(tmp_path / 'a.mp4'), 0, 1, 1, 0)
    if kind == 'B-frames in AVI':
        return write(tmp_path / 'a.avi', codec='mpeg4', b_frames=2)
    if kind == 'start offset':
        return write(tmp_path / 'a.ts', first=50, b_frames=2)
    if kind == 'edit list':
        return write(tmp_path / 'a.mp4', first=-15, b_frames=2)
    if kind == 'late first frame':
        return write(tmp_path / 'a.mkv', first=18)
    if kind == 'B-frames of MPEG-4 in MP4':
        return write(tmp_path / 'a.mp4', codec='mpeg4', b_frames=2)
    if kind == 'open groups of pictures':
        return write(tmp_path / 'a.mkv', codec='mpeg2video', b_frames=2)
    if kind == 'HDR':
        return write(tmp_path / 'a.mp4', transfer=16)
    if kind == 'FLV':
        return write(tmp_path / 'a.flv', codec='flv')
    if kind == 'plain MP4':
        return write(tmp_path / 'a.mp4', b_frames=2)
    if kind == 'plain AVI':
        return write(tmp_path / 'a.avi', codec='mpeg4')
    return write(tmp_path / 'a.avi', codec='mjpeg')


KINDS = {
    'plain MP4': DecordReader,
    'plain AVI': DecordReader,
    'MJPEG in AVI': DecordReader,
    'late first frame': DecordReader,
    'rotated': PyAVReader,
    'mirrored': PyAVReader,
    'mirrored and turned': PyAVReader,
    'B-frames in AVI': PyAVReader,
    'start offset': PyAVReader,
    'edit list': PyAVReader,
    'FLV': PyAVReader,
    'B-frames of MPEG-4 in MP4': PyAVReader,
    'open groups of pictures': PyAVReader,
    'HDR': PyAVReader,
}


@pytest.mark.parametrize('kind', KINDS)
def test_training_sees_the_frames_that_anonymization_writes(tmp_path, kind):
    path = make(tmp_path, kind)
    expected = all_frames(path)
    reader = open_video(path)
    assert type(reader) is KINDS[kind]
    assert len(reader) == len(expected) and reader.get_avg_fps() == pytest.approx(RATE)
    draw = np.random.RandomState(0)
    for _ in range(4):
        indices = draw.randint(0, len(reader), 7)
        np.testing.assert_array_equal(reader.get_batch(indices).asnumpy(), expected[indices])
    np.testing.assert_array_equal(reader[len(reader) - 1].asnumpy(), expected[-1])
    assert check_video(path, 'decode') is None


def test_an_edit_list_hides_its_frames(tmp_path):
    assert len(open_video(make(tmp_path, 'edit list'))) == 25


def test_a_portrait_video_is_upright(tmp_path):
    results = DecordInitFromPath()(dict(filename=str(make(tmp_path, 'rotated'))))
    assert results['total_frames'] == 30
    assert results['video_reader'].get_batch([3, 29]).asnumpy().shape == (2, 64, 48, 3)


def test_a_narrow_video_is_read(tmp_path):
    path = write(tmp_path / 'a.mp4', size=(32, 48))
    expected = all_frames(path)
    np.testing.assert_array_equal(open_video(path).get_batch([5, 39]).asnumpy(), expected[[5, 39]])


def test_next_follows_seek(tmp_path):
    path = make(tmp_path, 'B-frames in AVI')
    expected, reader = all_frames(path), open_video(path)
    reader.seek(38)
    np.testing.assert_array_equal(reader.next().asnumpy(), expected[38])
    np.testing.assert_array_equal(reader.next().asnumpy(), expected[39])
    with pytest.raises(StopIteration):
        reader.next()


@pytest.mark.parametrize('kind', ['plain MP4', 'B-frames in AVI'])
def test_a_frame_beyond_the_end_is_no_frame(tmp_path, kind):
    with pytest.raises(IndexError):
        open_video(make(tmp_path, kind)).get_batch([40])


@pytest.mark.parametrize('fraction', [0.6, 0.8])
@pytest.mark.parametrize(
    'name, codec', [('a.avi', 'mpeg4'), ('a.mkv', 'libx264'), ('a.flv', 'flv')]
)
def test_a_video_that_is_cut_off_is_no_shorter_video(tmp_path, name, codec, fraction):
    path = write(tmp_path / name, codec=codec)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(UnreadableFileError, match=f'{name} is cut off'):
        DecordInitFromPath()(dict(filename=str(path)))
    assert 'ends after' in check_video(path)
    with VideoReader(path) as reader:
        assert 'ends after' in reader.truncation


@pytest.mark.parametrize(
    'suffix, codec', [('avi', 'mpeg4'), ('mp4', 'libx264'), ('mkv', 'libx264')]
)
def test_containers_state_their_length(tmp_path, suffix, codec):
    path = write(tmp_path / f'a.{suffix}', codec=codec)
    size = path.stat().st_size
    assert stated_bytes(path) == size
    path.write_bytes(path.read_bytes()[: size - 1])
    assert stated_bytes(path) == size


@pytest.mark.parametrize('stated', [b'\xff' * 4, b'\0' * 4])
def test_all_agree_on_an_avi_of_unknown_length(tmp_path, stated):
    path = write(tmp_path / 'a.avi', codec='mpeg4')
    content = bytearray(path.read_bytes())
    content[4:8] = stated
    path.write_bytes(content)
    assert check_video(path) is None and len(open_video(path)) == 40
    # Its stream's header still tells how many frames there were.
    path.write_bytes(content[: len(content) // 2])
    assert 'ends after' in check_video(path)
    with pytest.raises(UnreadableFileError, match='cut off'):
        open_video(path)


@pytest.mark.parametrize(
    'name, text',
    [
        ('a.mp4', 'ffconcat version 1.0\nfile b.avi\n'),
        ('a.avi', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nb.avi\n#EXT-X-ENDLIST\n'),
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path, name, text):
    write(tmp_path / 'b.avi', codec='mpeg4')
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableFileError, match=f'{name} is empty or no video'):
        open_video(tmp_path / name)
    with pytest.raises(ValueError, match='no video'):
        VideoReader(tmp_path / name)


@pytest.mark.parametrize('cls', [DecordInitFromPath, LoadVideoFrame])
def test_a_huge_video_is_refused_by_its_header(tmp_path, cls):
    path = write(tmp_path / 'a.mp4')
    assert cls(max_pixels=48 * 64)(dict(filename=str(path)))
    with pytest.raises(UnreadableFileError, match=r'a.mp4 has 64 x 48 pixels.*max_pixels = 3,071'):
        cls(max_pixels=48 * 64 - 1)(dict(filename=str(path)))
    with pytest.raises(ValueError, match='max_pixels of .* is 0'):
        cls(max_pixels=0)


@pytest.mark.parametrize('name', ['folder', 'pipe', 'device', 'loop', 'absent'])
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, name):
    path = tmp_path / name
    if name == 'folder':
        path.mkdir()
    elif name == 'pipe':
        os.mkfifo(path)
    elif name == 'device':
        path.symlink_to('/dev/zero')
    elif name == 'loop':
        path.symlink_to(path)
    with pytest.raises(UnreadableFileError, match=name):
        open_video(path)
    assert name in check_video(path)


def test_facts_are_kept_until_the_file_changes(tmp_path):
    path = write(tmp_path / 'a.mp4', count=8)
    assert probe_video(path) is probe_video(path)
    write(path, count=16)
    assert probe_video(path).num_packets == 16


def test_broken_pictures_name_the_file(tmp_path):
    path = write(tmp_path / 'a.avi', codec='mpeg4', gop=1)
    content = bytearray(path.read_bytes())
    start, end = content.index(b'movi') + 4, content.index(b'idx1')
    noise = np.random.default_rng(0)
    position = start
    while position + 8 < end:
        length = struct.unpack('<I', content[position + 4 : position + 8])[0]
        body = slice(position + 8, position + 8 + length)
        content[body] = noise.integers(0, 256, length, dtype=np.uint8).tobytes()
        position += 8 + length + length % 2
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match='a.avi'):
        open_video(path).get_batch([30])


def test_what_decord_gives_up_is_read_by_pyav(tmp_path, monkeypatch):
    path = make(tmp_path, 'plain MP4')
    expected, reader = all_frames(path), open_video(path)

    def fail(*_):
        raise decord.DECORDError('a damaged packet')

    monkeypatch.setattr(decord.VideoReader, 'get_batch', fail)
    np.testing.assert_array_equal(reader.get_batch([30, 2]).asnumpy(), expected[[30, 2]])


def test_videos_that_pyav_reads_are_counted(tmp_path, monkeypatch, capsys):
    lines = []
    monkeypatch.setattr(video_reader, 'print_log', lambda line, **_: lines.append(line))
    monkeypatch.setattr(video_reader, '_by_pyav', set())
    names = [f'{index}.mp4' for index in range(11)]
    content = write(tmp_path / '0.mp4', count=20, codec='mpeg4', b_frames=2).read_bytes()
    for name in names:
        (tmp_path / name).write_bytes(content)
        open_video(tmp_path / name)
        open_video(tmp_path / name)
    assert [line.split()[0] for line in lines] == ['1', '10'] and '9.mp4' in lines[1]
    write(tmp_path / 'plain.mp4')
    assert find_broken(tmp_path, [*names, 'plain.mp4'], check_video, 'header', 1) == {}
    assert '11 of 12 videos will be read by PyAV' in capsys.readouterr().out


def test_a_long_avi_is_entered_at_whole_pictures(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.avi', codec='mpeg4', b_frames=2)
    expected, reader = all_frames(path), open_video(path)
    decode, count = pyav_reader.decode_tolerantly, []

    def counted(*args):
        for frame in decode(*args):
            count.append(frame)
            yield frame

    monkeypatch.setattr(pyav_reader, 'decode_tolerantly', counted)
    np.testing.assert_array_equal(reader.get_batch([38, 37]).asnumpy(), expected[[38, 37]])
    assert len(count) < 20
