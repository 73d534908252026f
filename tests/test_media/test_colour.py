from fractions import Fraction

import av
import numpy as np
import pytest
from media import draw_frames
from media_matrix import COLOURS

from spact_mm.apis import Job, anonymize_file
from spact_mm.apis.video_file import VideoReader
from spact_mm.datasets.video_reader import open_video
from spact_mm.media.colour import Colour, find_colour, from_rgb, tag, to_rgb
from spact_mm.media.tone_mapping import HLG, PQ, map_to_sdr
from spact_mm.media.unreadable import UnreadableFileError


def write_flat(path, numbers, colour, size=(48, 64), pix_fmt='yuv420p'):
    """Write five frames of one luma and chroma, 8 bits."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25, options={'crf': '1'})
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        tag(stream.codec_context, colour)
        for index in range(5):
            frame = av.VideoFrame(size[1], size[0], 'yuv420p')
            for plane, number in zip(frame.planes, numbers, strict=True):
                plane.update(bytes([number]) * plane.buffer_size)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read_flat(path):
    """Return luma and chroma of a frame in the middle, and what is stated of its colours."""
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[2]
    planes = frame.to_ndarray().reshape(-1)
    pixels = frame.height * frame.width
    means = [part.mean() for part in np.split(planes, [pixels, pixels * 5 // 4])]
    return np.array(means), find_colour(frame)


@pytest.mark.parametrize('side_by_side', [False, True])
@pytest.mark.parametrize('size', [(48, 64), (720, 1280)])
@pytest.mark.parametrize('name', COLOURS)
def test_numbers_and_meaning_of_colours_stay(tmp_path, name, size, side_by_side):
    numbers = (83, 106, 192)
    source = write_flat(tmp_path / 'a.mp4', numbers, COLOURS[name], size)
    job = Job(source, tmp_path / 'out.mp4')
    anonymize_file(job, lambda frames: frames, side_by_side=side_by_side)
    found, colour = read_flat(job.output)
    np.testing.assert_allclose(found, numbers, atol=1.5)
    assert colour == COLOURS[name]


def test_red_is_red_by_the_matrix_that_is_stated():
    red = np.broadcast_to(np.uint8([200, 30, 40]), (16, 16, 3)).copy()
    for colour in COLOURS.values():
        frame = from_rgb(red, 'yuv444p', colour)
        assert np.abs(to_rgb(frame, 'a.mp4').astype(int) - red).max() <= 2
    by = [from_rgb(red, 'yuv444p', COLOURS[name]).to_ndarray()[0, 0, 0] for name in COLOURS]
    assert abs(int(by[1]) - by[3]) > 10  # BT.709 and BT.601


@pytest.mark.parametrize('pix_fmt', ['gray', 'gbrp', 'rgb24', 'bgra'])
def test_rgb_becomes_what_players_expect_of_its_size(pix_fmt):
    picture = draw_frames(1)[0]
    frame = av.VideoFrame.from_ndarray(picture, format='rgb24').reformat(format=pix_fmt)
    assert find_colour(frame) == Colour(6, 1, 13, is_tagged=True)
    large = av.VideoFrame(1280, 720, pix_fmt)
    assert find_colour(large) == Colour(1, 1, 13, is_tagged=True)


def test_chroma_at_full_resolution_is_chroma():
    frame = av.VideoFrame(64, 48, 'yuv444p')
    assert find_colour(frame) == Colour()


def test_reserved_codes_are_not_passed_on():
    frame = av.VideoFrame(64, 48, 'yuv420p')
    frame.colorspace, frame.color_primaries, frame.color_trc = 0, 3, 3
    assert find_colour(frame) == Colour()


@pytest.mark.parametrize('matrix, name', [(8, 'YCgCo'), (14, 'ICtCp')])
def test_colours_that_cannot_be_converted_are_refused(tmp_path, matrix, name):
    colour = Colour(matrix, 1, 1, is_tagged=True)
    path = write_flat(tmp_path / 'a.mp4', (90, 100, 140), colour)
    with pytest.raises(ValueError, match=f'a.mp4 has colours as {name}, .*: convert it to BT.709'):
        VideoReader(path)
    with pytest.raises(UnreadableFileError, match=name):
        open_video(path).get_batch([0])


@pytest.mark.parametrize('transfer, white, grey', [(PQ, 0.5807, 0.3583), (HLG, 0.75, 0.3415)])
def test_white_and_grey_of_hdr_are_those_of_sdr(transfer, white, grey):
    """BT.2408: white of 203 cd/m2 is 58 % of PQ and 75 % of HLG; grey is a tenth of the light."""
    values = np.array([0, grey, white, 1]) * 65535
    picture = values.round().astype(np.uint16)[None, :, None].repeat(3, 2)
    found = map_to_sdr(picture, transfer, 9)[0]
    assert (found[:, 0] == found[:, 1]).all() and (found[:, 1] == found[:, 2]).all()
    expected = [0, 255 * 0.1 ** (1 / 2.4), 243, 255]
    np.testing.assert_allclose(found[:, 0], expected, atol=4)


def test_hdr_is_written_as_bt709(tmp_path):
    colour = Colour(9, 9, PQ, is_tagged=True)
    source = write_flat(tmp_path / 'a.mp4', (110, 128, 128), colour)
    job = Job(source, tmp_path / 'out.mp4')
    anonymize_file(job, lambda frames: frames)
    found, after = read_flat(job.output)
    assert after == Colour(6, 1, 1, is_tagged=True)
    # 43 % of PQ are 44 cd/m2: darker than white, brighter than the number says.
    light = 44 / 203
    np.testing.assert_allclose(found, [16 + 219 * light ** (1 / 2.4), 128, 128], atol=4)
