import os

import cv2
import numpy as np
import pytest

from spact_mm.datasets.integrity import check_image, check_video, find_broken


def write_video(path, num_frames=8, size=32):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (size, size))
    noise = np.random.default_rng(0)
    for _ in range(num_frames):
        writer.write(noise.integers(0, 256, (size, size, 3), dtype=np.uint8))
    writer.release()
    return path


def write_image(path, channels=3, size=(24, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if channels == 1 else (*size, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    extension = '.png' if channels == 4 else '.jpg'
    path.write_bytes(cv2.imencode(extension, pixels)[1].tobytes())
    return path


def cut(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


@pytest.mark.parametrize('check', ['none', 'header', 'decode'])
def test_whole_files_pass(tmp_path, check):
    assert check_video(write_video(tmp_path / 'a.avi'), check) is None
    for channels in (1, 3, 4):
        assert check_image(write_image(tmp_path / f'{channels}.jpg', channels), check) is None


def test_progress_in_a_file_is_lines(tmp_path, capfd):
    names = [write_image(tmp_path / f'{index}.jpg').name for index in range(40)]
    assert find_broken(tmp_path, names, check_image, 'header', num_workers=1) == {}
    printed = capfd.readouterr().out
    assert '\r' not in printed
    assert printed.splitlines()[-1].startswith('40/40 in ')


def test_cmyk_jpeg_passes(tmp_path):
    from PIL import Image

    path = tmp_path / 'cmyk.jpg'
    Image.new('CMYK', (32, 24), (10, 20, 30, 40)).save(path)
    assert check_image(path, 'decode') is None


@pytest.mark.parametrize('check', ['none', 'header', 'decode'])
def test_empty_files_are_broken_whatever_the_check(tmp_path, check):
    path = tmp_path / 'empty'
    path.touch()
    assert check_video(path, check) == 'the file is empty'
    assert check_image(path, check) == 'the file is empty'


@pytest.mark.parametrize('fraction', [0.3, 0.9])
def test_truncated_avi_is_found_by_its_header(tmp_path, fraction):
    path = write_video(tmp_path / 'a.avi')
    num_bytes = path.stat().st_size
    assert check_video(cut(path, fraction), 'none') is None
    reason = check_video(path, 'header')
    assert f'the file ends after {path.stat().st_size:,} of {num_bytes:,} bytes' in reason


def test_video_without_a_container_is_broken(tmp_path):
    path = tmp_path / 'a.avi'
    path.write_bytes(b'not a video' * 100)
    assert 'is empty or no video' in check_video(path, 'header')


def test_truncated_jpeg_is_found_by_decoding_only(tmp_path):
    path = cut(write_image(tmp_path / 'a.jpg'), 0.6)
    assert cv2.imread(str(path)) is not None
    assert check_image(path, 'header') is None
    assert 'truncated' in check_image(path, 'decode')


def test_jpeg_without_signature_is_broken(tmp_path):
    path = write_image(tmp_path / 'a.jpg')
    path.write_bytes(b'\0\0' + path.read_bytes()[2:])
    assert check_image(path, 'header').startswith('Pillow: cannot identify image file')


def crash_or_pass(path, check):
    if 'crash' in path.name:
        os._exit(139)
    return 'odd' if 'odd' in path.name else None


def test_a_crashing_decoder_costs_one_file(tmp_path):
    names = ['0', '1_crash', '2_odd', '3', *(f'{i}' for i in range(4, 60)), '60_odd']
    broken = find_broken(tmp_path, names, crash_or_pass, 'decode', num_workers=2)
    assert broken == {'1_crash': 'the decoder crashed on it', '2_odd': 'odd', '60_odd': 'odd'}


def test_no_files_are_no_error(tmp_path):
    assert find_broken(tmp_path, [], check_image, 'header', num_workers=1) == {}
