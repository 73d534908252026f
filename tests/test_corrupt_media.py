"""Kinds of corrupt media in training, in testing and in `tools/anonymize.py`.

In training a corrupt file is replaced by another and reported; in testing it ends the run with one
sentence that names it; in anonymization it is refused by name, or what there is of it is written
with a warning, and so never taken for a whole file.
"""

import os
import re
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from media import draw_frames, write_video
from mmaction.registry import DATASETS
from PIL import Image

from spact_mm.apis.anonymize_file import anonymize_file
from spact_mm.apis.outputs import Job
from spact_mm.datasets.annotation_files import write_attribute_file, write_video_list

MAX_PIXELS = 10_000
VIDEO_PIPELINE = [
    dict(type='DecordInitFromPath', max_pixels=MAX_PIXELS),
    dict(type='ReflectSampleFrames', clip_len=4, frame_interval=2),
    dict(type='DecordDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
IMAGE_PIPELINE = [dict(type='LoadImageRGB', min_size=8), dict(type='mmpretrain.PackInputs')]


def whole(path, codec='libx264'):
    noise = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), dtype=np.uint8)
    return write_video(path, noise.repeat(8, 1).repeat(8, 2), codec=codec)


def cut(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])


def cut_mp4(path):
    cut(whole(path), 0.6)


def cut_avi(path):
    cut(whole(path, 'mpeg4'), 0.6)


def cut_mkv(path):
    cut(whole(path), 0.6)


def header_only(path):
    path.write_bytes(whole(path, 'mpeg4').read_bytes()[:400])


def zero_frames(path):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 32, 'yuv420p'
        container.start_encoding()


def picture_as_video(path):
    Image.fromarray(draw_frames(1)[0]).save(path, 'JPEG')


def text_as_video(path):
    path.write_text('<html>404</html>\n' * 100)


def huge_video(path):
    write_video(path, draw_frames(2, 128, 128))


def link_loop(path):
    path.symlink_to(path)


def no_permission(path):
    whole(path).chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip('this user may read everything')


def cut_jpeg(path):
    Image.fromarray(draw_frames(1, 64, 64)[0]).save(path)
    cut(path, 0.7)


def png_bomb(path, side=30_000):
    def chunk(name, data):
        body = name + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    packer = zlib.compressobj(9)
    rows = b''.join(packer.compress(bytes(1 + side // 8)) for _ in range(side)) + packer.flush()
    header = struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)
    head = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
    path.write_bytes(head + chunk(b'IDAT', rows) + chunk(b'IEND', b''))


#: Kind: name of the file, how it is made, a part of the reason.
CORRUPT = {
    'empty video': ('x.mp4', Path.touch, 'zero bytes|empty'),
    'truncated MP4': ('x.mp4', cut_mp4, 'ends after|cut off'),
    'truncated AVI': ('x.avi', cut_avi, 'ends after'),
    'truncated MKV': ('x.mkv', cut_mkv, 'ends after'),
    'garbage': ('x.mp4', lambda path: path.write_bytes(os.urandom(5000)), 'no video'),
    'header only': ('x.avi', header_only, 'no video|ends after|cut off|damaged'),
    'picture as video': ('x.mp4', picture_as_video, 'no video'),
    'text as video': ('x.avi', text_as_video, 'no video'),
    'zero frames': ('x.mp4', zero_frames, 'no frame|no video|cannot be decoded|no pictures'),
    'huge video': ('x.mp4', huge_video, 'max_pixels'),
    'pipe': ('x.mp4', os.mkfifo, 'a pipe|no file'),
    'folder': ('x.mp4', Path.mkdir, 'a folder|no file'),
    'loop of links': ('x.mp4', link_loop, 'symbolic links|no file'),
    'no permission': ('x.mp4', no_permission, 'permission|Permission'),
    'empty image': ('x.png', Path.touch, 'empty'),
    'truncated JPEG': ('x.jpg', cut_jpeg, 'truncated|damaged'),
    'PNG bomb': ('x.png', png_bomb, 'max_pixels'),
    'image that is a pipe': ('x.png', os.mkfifo, 'a pipe|no file'),
    'image that is a folder': ('x.png', Path.mkdir, 'a folder|no file'),
}


def build(tmp_path, kind, test_mode):
    name, make, reason = CORRUPT[kind]
    make(tmp_path / name)
    if name.endswith(('.png', '.jpg')):
        for index in range(3):
            Image.fromarray(draw_frames(1, 16, 16)[0]).save(tmp_path / f'{index}.png')
        names = [name, '0.png', '1.png', '2.png']
        write_attribute_file(tmp_path / 'list', ['hat'], [(n, []) for n in names])
        config = dict(type='VISPRDataset', pipeline=IMAGE_PIPELINE)
    else:
        for index in range(3):
            whole(tmp_path / f'{index}.mp4')
        write_video_list(tmp_path / 'list', [(name, 0), *((f'{i}.mp4', 1) for i in range(3))])
        config = dict(type='VideoDataset', pipeline=VIDEO_PIPELINE)
    prefix = 'img_path' if config['type'] == 'VISPRDataset' else 'video'
    config.update(
        ann_file=str(tmp_path / 'list'), data_prefix={prefix: str(tmp_path)}, test_mode=test_mode
    )
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
    return dataset, tmp_path / name, reason


@pytest.mark.parametrize('kind', CORRUPT)
def test_in_training_it_is_replaced_and_reported(tmp_path, kind):
    dataset, path, reason = build(tmp_path, kind, test_mode=False)
    sample = dataset[0]
    ((reported, text),) = sample['data_samples'].bad_files
    assert reported == str(path) and re.search(reason, text)
    assert all('bad_files' not in dataset[index]['data_samples'] for index in (1, 2, 3))


@pytest.mark.parametrize('kind', CORRUPT)
def test_in_testing_it_is_one_sentence(tmp_path, kind):
    dataset, path, reason = build(tmp_path, kind, test_mode=True)
    with pytest.raises(
        RuntimeError, match=f'(?s){path.name}.*cannot be read.*({reason})'
    ) as caught:
        dataset[0]
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kind', CORRUPT)
def test_in_anonymization_it_is_never_taken_for_whole(tmp_path, kind):
    if kind in ('huge video', 'PNG bomb'):
        pytest.skip('its limit is that of --max-pixels')
    name, make, reason = CORRUPT[kind]
    path = tmp_path / name
    make(path)
    job = Job(path, tmp_path / 'out' / Path(name).with_suffix('.mp4'))
    try:
        result = anonymize_file(job, lambda frames: frames)
    except (OSError, ValueError) as error:
        assert name in str(error) and '\n' not in str(error)
        assert not job.output.exists()
    else:
        assert kind in ('truncated AVI', 'truncated MKV', 'picture as video')
        assert kind == 'picture as video' or f'{name} is damaged: ' in result.warning


@pytest.mark.slow
@pytest.mark.parametrize(
    'suffix, codec', [('mp4', 'libx264'), ('avi', 'mpeg4'), ('mkv', 'libx264')]
)
def test_bit_flips_in_the_middle_cost_that_file_at_most(tmp_path, suffix, codec):
    content = whole(tmp_path / f'whole.{suffix}', codec).read_bytes()
    flips = np.random.default_rng(0)
    for index in range(3):
        whole(tmp_path / f'{index}.mp4')
    write_video_list(tmp_path / 'list', [(f'x.{suffix}', 0), *((f'{i}.mp4', 1) for i in range(3))])
    path, config = tmp_path / f'x.{suffix}', dict(type='VideoDataset', pipeline=VIDEO_PIPELINE)
    config.update(ann_file=str(tmp_path / 'list'), data_prefix=dict(video=str(tmp_path)))
    for round_ in range(6):
        damaged = bytearray(content)
        for at in flips.integers(len(content) // 4, 3 * len(content) // 4, 20):
            damaged[at] ^= 1 << flips.integers(8)
        path.write_bytes(damaged)
        dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
        dataset.set_epoch(round_, 0)
        sample = dataset[0]
        assert sample['inputs'].shape == (1, 3, 4, 32, 32)
        found = sample['data_samples'].get('bad_files', [])
        assert [name for name, _ in found] in ([], [str(path)])
        try:
            anonymize_file(Job(path, tmp_path / 'out.mp4'), lambda frames: frames)
        except (OSError, ValueError) as error:
            assert path.name in str(error)


def test_a_wrong_ending_is_no_fault(tmp_path):
    whole(tmp_path / 'x.mp4').rename(tmp_path / 'x.avi')
    write_video_list(tmp_path / 'list', [('x.avi', 0)])
    config = dict(type='VideoDataset', pipeline=VIDEO_PIPELINE, test_mode=True)
    config.update(ann_file=str(tmp_path / 'list'), data_prefix=dict(video=str(tmp_path)))
    dataset = DATASETS.build(dict(type='ReproducibleDataset', dataset=config))
    assert dataset[0]['inputs'].shape == (1, 3, 4, 32, 32)
    result = anonymize_file(Job(tmp_path / 'x.avi', tmp_path / 'out.mp4'), lambda frames: frames)
    assert result.frames == 30 and not result.warning
