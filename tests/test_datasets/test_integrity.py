import json
import os

import cv2
import numpy as np
import pytest

from spact_mm.datasets.integrity import (
    ConversionReport,
    check_image,
    check_video,
    find_broken,
    list_files,
    read_lines,
)


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


def make_report(**kwargs):
    report = ConversionReport('Set', 'header', **kwargs)
    report.add_count('list', listed=3, published=3, written=3)
    return report


def test_exit_code_tells_a_complete_data_set(tmp_path):
    report = make_report(unlisted=['x'])
    assert report.is_clean and report.finish(tmp_path / 'report.json', False) == 0


@pytest.mark.parametrize('fault', [dict(missing=['a']), dict(broken={'a': 'why'}), 'count'])
def test_exit_code_tells_a_fault_unless_accepted(tmp_path, capsys, fault):
    report = make_report(**(fault if fault != 'count' else {}))
    if fault == 'count':
        report.add_count('other', listed=2, published=4, written=2)
    assert report.finish(tmp_path / 'report.json', allow_missing=False) == 1
    assert '--allow-missing' in capsys.readouterr().err
    assert report.finish(tmp_path / 'report.json', allow_missing=True) == 0
    saved = json.loads((tmp_path / 'report.json').read_text())
    assert (saved['missing'], saved['broken']) == (report.missing, report.broken)
    assert saved['wrong_counts'] == (['other'] if fault == 'count' else [])


def test_summary_names_some_files_and_counts_the_rest():
    summary = make_report(missing=[f'm{i}' for i in range(12)], broken={'b': 'why'}).summary()
    assert '12 missing' in summary and 'm9' in summary and 'm10' not in summary
    assert '... and 2 more' in summary and 'b: why' in summary


def test_lists_are_read_with_any_line_end(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa 1\r\nb 2 \r\n\r\nc 3')
    assert read_lines(path, 'fetch it') == ['a 1', 'b 2', 'c 3']


def test_absent_empty_or_binary_list_is_named_with_the_remedy(tmp_path):
    path = tmp_path / 'list.txt'
    with pytest.raises(FileNotFoundError, match=r'list\.txt does not exist; fetch it\.'):
        read_lines(path, 'fetch it')
    path.write_text('\n')
    with pytest.raises(ValueError, match=r'list\.txt is empty; fetch it\.'):
        read_lines(path, 'fetch it')
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match=r'list\.txt is not a text file; fetch it\.'):
        read_lines(path, 'fetch it')


def test_hidden_files_and_other_suffixes_are_not_listed(tmp_path):
    for name in ('A/b.avi', 'A/a.AVI', 'A/._a.avi', 'A/a.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path, ['.avi']) == ['A/a.AVI', 'A/b.avi']
