import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from media import draw_frames, write_video
from PIL import Image, features

from spact_mm.apis import Job, anonymize_file
from spact_mm.apis.anonymize_file import read_anonymized
from spact_mm.apis.image_file import read_image
from spact_mm.apis.video_file import VideoReader


def as_is(frames):
    return frames


def draw():
    return draw_frames(1, 32, 48)[0]


def save(path, picture, **options):
    Image.fromarray(picture).save(path, **options)
    return path


@pytest.mark.parametrize('ending', ['png', 'webp', 'tiff', 'jpg'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_picture_is_turned_as_its_orientation_says(tmp_path, ending, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    options = dict(webp=dict(lossless=True), jpg=dict(quality=100, subsampling=0)).get(ending, {})
    path = save(tmp_path / f'a.{ending}', draw(), exif=exif, **options)
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert('RGB'))
    picture, warning = read_image(path)
    assert warning == '' and picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).max() <= (3 if ending == 'jpg' else 0)


def test_damaged_orientation_turns_nothing(tmp_path):
    path = save(tmp_path / 'a.webp', draw(), lossless=True, exif=b'Exif\0\0II*\0\xff\xff\xff')
    np.testing.assert_array_equal(read_image(path)[0], draw())


@pytest.mark.parametrize(
    'name, remedy',
    [
        ('a.webp', 'has 3 pictures, .*: convert it, so that it is a video'),
        ('a.png', 'has 3 pictures, .*: name it .apng, so that it is a video'),
        ('a.tif', 'has 3 pages, .*: save each as a file of its own'),
    ],
)
def test_several_pages_are_refused(tmp_path, name, remedy):
    pages = [Image.fromarray(frame) for frame in draw_frames(3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match=f'{name} {remedy}'):
        read_anonymized(tmp_path / name, as_is)


def test_smaller_version_of_a_page_is_no_page(tmp_path):
    page, preview = (save(tmp_path / f'{n}.tif', draw()[::n, ::n]) for n in (1, 4))
    with Image.open(page) as first, Image.open(preview) as second:
        second.encoderinfo = dict(tiffinfo={254: 1})
        first.save(tmp_path / 'a.tif', save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(tmp_path / 'a.tif')[0], draw())


@pytest.mark.parametrize('ending', ['gif', 'apng'])
def test_all_pictures_of_an_animation_come_out(tmp_path, ending):
    frames = draw_frames(5)
    pages = [Image.fromarray(frame) for frame in frames]
    path = tmp_path / f'a.{ending}'
    kind = dict(gif='GIF', apng='PNG')[ending]
    pages[0].save(path, kind, save_all=True, append_images=pages[1:], duration=100)
    found = read_anonymized(path, as_is)
    assert found.shape == frames.shape
    assert np.abs(found.astype(int) - frames).mean() < 12


def test_picture_beside_previews_is_taken_and_they_are_told(tmp_path):
    pages = [Image.fromarray(frame) for frame in draw_frames(2)]
    pages[0].save(tmp_path / 'a.jpg', 'MPO', save_all=True, append_images=pages[1:])
    picture, warning = read_image(tmp_path / 'a.jpg')
    assert picture.shape == (48, 64, 3)
    assert warning == '1 further pictures in it (previews, depth or gain) are left out.'


@pytest.mark.parametrize('channels', [1, 3])
def test_floating_point_numbers_keep_their_brightness(tmp_path, channels):
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1).repeat(channels, 2)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    cv2.imwrite(str(tmp_path / 'a.tiff'), values, options)
    picture, _ = read_image(tmp_path / 'a.tiff')
    expected = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    np.testing.assert_array_equal(picture, expected)


def test_order_of_floating_point_channels_is_kept(tmp_path):
    values = np.float32([0.25, 0.5, 1]) * np.ones((8, 8, 3), np.float32)
    cv2.imwrite(str(tmp_path / 'a.tiff'), values[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    assert read_image(tmp_path / 'a.tiff')[0][0, 0].tolist() == [64, 128, 255]


@pytest.mark.parametrize(
    'values, kind',
    [(np.float32([[0, 1000]]), 'float32'), (np.float32([[0, np.nan]]), 'float32'),
     (np.int32([[0, 1000]]), 'int32')],
)  # fmt: skip
def test_numbers_of_unknown_range_are_refused(tmp_path, values, kind):
    cv2.imwrite(str(tmp_path / 'a.tiff'), values, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    with pytest.raises(ValueError, match=f'a.tiff has {kind} numbers from .* is not known: save'):
        read_image(tmp_path / 'a.tiff')


@pytest.mark.parametrize('ending', ['png', 'tiff'])
@pytest.mark.parametrize('shape', [(16, 16), (16, 16, 3)])
def test_sixteen_bits_keep_their_brightness(tmp_path, ending, shape):
    values = np.broadcast_to(np.arange(256).reshape(16, 16, *[1] * (len(shape) - 2)), shape)
    cv2.imwrite(str(tmp_path / f'a.{ending}'), (values * 257).astype(np.uint16))
    picture, _ = read_image(tmp_path / f'a.{ending}')
    assert np.array_equal(picture[..., 0].ravel(), np.arange(256))


def write_bomb(path, side=30000):
    """Write a PNG of nothing that claims side x side pixels, in some hundred bytes."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    head = struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', head)
        + chunk(b'IDAT', zlib.compress(bytes(5000)))
        + chunk(b'IEND', b'')
    )
    return path


@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.mp4'])
def test_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, name, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    reason = '(has pictures of 30000 x 30000, more|has no frame|is no video that can be read)'
    with pytest.raises(ValueError, match=f'{name} {reason}'):
        read_anonymized(write_bomb(tmp_path / name), as_is)


def test_png_that_claims_more_bytes_than_it_has_is_refused(tmp_path, monkeypatch):
    """OpenCV takes 640 MB for a file of 150 bytes."""
    path = save(tmp_path / 'a.png', draw())
    path.write_bytes(path.read_bytes().replace(b'IDAT', b'\x00tEXt'))
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ValueError, match='a.png is no image that can be read'):
        read_image(path)


def test_limit_of_pixels_can_be_set(tmp_path):
    path = save(tmp_path / 'a.png', draw())
    assert read_image(path, 32 * 48)[0].shape == (32, 48, 3)
    with pytest.raises(ValueError, match='48 x 32, more than 1535 pixels: .* allow .*--max-pixels'):
        read_image(path, 32 * 48 - 1)
    assert Image.MAX_IMAGE_PIXELS is not None


def test_tiff_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / 'a.tif'), draw().astype(np.float32))
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ValueError, match='a.tif has pictures of 48 x 32, more than 1000'):
        read_image(tmp_path / 'a.tif', 1000)


def test_size_that_is_asked_for_is_limited_too(tmp_path):
    path = save(tmp_path / 'a.png', np.zeros((2, 2000, 3), np.uint8))
    with pytest.raises(ValueError, match='a.png has pictures of 100000 x 100, more than 1000000'):
        read_anonymized(path, as_is, size=100, max_pixels=1_000_000)


def test_video_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / 'walk.mp4')
    monkeypatch.setattr(VideoReader, '_decode', None)
    with pytest.raises(ValueError, match='walk.mp4 has pictures of 64 x 48, more than 3000 pixels'):
        VideoReader(path, max_pixels=3000)


def test_video_that_grows_on_the_way_is_refused(tmp_path):
    small, large = draw_frames(6), draw_frames(6, 96, 128)
    parts = [write_video(tmp_path / f'{len(f[0])}.ts', f).read_bytes() for f in (small, large)]
    (tmp_path / 'walk.ts').write_bytes(b''.join(parts))
    assert len(read_anonymized(tmp_path / 'walk.ts', as_is)) == 12
    job = Job(tmp_path / 'walk.ts', tmp_path / 'out' / 'walk.mp4')
    with pytest.raises(ValueError, match='walk.ts has pictures of 128 x 96, more than 3072 pixels'):
        anonymize_file(job, as_is, max_pixels=48 * 64)
    assert list(job.output.parent.iterdir()) == []


@pytest.mark.parametrize('ending', ['bmp', 'jpg', 'png', 'tif', 'webp'])
@pytest.mark.parametrize('part', [0.5, 0.97])
def test_half_a_picture_is_refused(tmp_path, ending, part):
    path = save(tmp_path / f'a.{ending}', np.random.default_rng(0).integers(
        0, 256, (64, 64, 3), np.uint8))  # fmt: skip
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ValueError, match=f'a.{ending} is no image that can be read'):
        read_image(path)


@pytest.mark.parametrize('cut', [4, 9, 60, 200])
def test_damaged_tiff_is_refused(tmp_path, cut):
    whole = save(tmp_path / 'a.tif', draw()).read_bytes()
    (tmp_path / 'a.tif').write_bytes(whole[:cut])
    with pytest.raises(ValueError, match='a.tif (is no image|cannot be decoded)'):
        read_image(tmp_path / 'a.tif')


def test_pages_in_a_circle_end(tmp_path):
    data = bytearray(save(tmp_path / 'a.tif', draw()).read_bytes())
    (offset,) = struct.unpack_from('<I', data, 4)
    (count,) = struct.unpack_from('<H', data, offset)
    struct.pack_into('<I', data, offset + 2 + 12 * count, offset)
    (tmp_path / 'a.tif').write_bytes(data)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.tif')[0], draw())


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('is_big', [False, True])
def test_tiff_of_each_kind_is_read(tmp_path, order, is_big):
    """One grey strip, written by hand: of both byte orders, and with addresses of 64 bits."""
    tags = [(256, 3, 4), (257, 3, 2), (258, 3, 8), (262, 3, 1), (273, 4, 0), (277, 3, 1),
            (278, 3, 2), (279, 4, 8)]  # fmt: skip
    head = (b'II' if order == '<' else b'MM') + struct.pack(order + 'H', 43 if is_big else 42)
    start = 16 if is_big else 8
    head += struct.pack(order + 'HHQ', 8, 0, start) if is_big else struct.pack(order + 'I', start)
    entry, room, place = ('HHQ', 8, 'Q') if is_big else ('HHI', 4, 'I')
    size = (8 if is_big else 2) + len(tags) * (struct.calcsize(order + entry) + room) + room
    body = struct.pack(order + ('Q' if is_big else 'H'), len(tags))
    for tag, kind, value in tags:
        value = start + size if tag == 273 else value
        number = struct.pack(order + ('H' if kind == 3 else 'I'), value)
        body += struct.pack(order + entry, tag, kind, 1) + number.ljust(room, b'\0')
    body += struct.pack(order + place, 0)
    (tmp_path / 'a.tif').write_bytes(head + body + bytes(range(8)))
    picture, _ = read_image(tmp_path / 'a.tif')
    np.testing.assert_array_equal(picture[..., 0], np.arange(8).reshape(2, 4))
    with pytest.raises(ValueError, match='4 x 2, more than 7 pixels'):
        read_image(tmp_path / 'a.tif', 7)


@pytest.mark.skipif(not features.check('avif'), reason='this Pillow has no AVIF')
def test_avif_is_read_whole_as_a_picture_and_refused_as_a_video(tmp_path):
    path = save(tmp_path / 'a.avif', draw(), quality=100, subsampling='4:4:4')
    picture, _ = read_image(path)
    assert np.abs(picture.astype(int) - draw()).max() < 8
    cut = tmp_path / 'cut.avif'
    cut.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match='cut.avif cannot be decoded: '):
        read_image(cut)
    path = path.rename(tmp_path / 'a.mp4')
    with pytest.raises(ValueError, match='a.mp4 is a picture .AVIF or HEIC. and no video'):
        VideoReader(path)


def test_sound_with_a_cover_is_no_video(tmp_path):
    import av
    from media import mux_silence

    cover = io.BytesIO()
    Image.fromarray(draw()).save(cover, 'JPEG')
    path = tmp_path / 'song.mp4'
    with av.open(str(path), 'w') as container:
        audio = container.add_stream('aac', rate=16000)
        video = container.add_stream('mjpeg', rate=1)
        video.width, video.height, video.pix_fmt = 48, 32, 'yuvj420p'
        video.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(draw(), format='rgb24')
        container.mux(video.encode(frame))
        container.mux(video.encode())
        mux_silence(container, audio)
    with pytest.raises(ValueError, match='song.mp4 has sound and a cover picture, and no video'):
        VideoReader(path)
