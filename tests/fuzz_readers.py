"""What reads files of strangers, with valid files of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from media import draw_frames, write_video
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from spact_mm.apis.manifest import Manifest
from spact_mm.apis.outputs import Job
from spact_mm.apis.video_file import VideoReader
from spact_mm.datasets import (
    PAHMDB51Dataset,
    ReproducibleDataset,
    VideoAttributeDataset,
    VISPRDataset,
)
from spact_mm.datasets.annotation_files import (
    write_attribute_file,
    write_segment_file,
    write_video_list,
)
from spact_mm.datasets.transforms import LoadImageRGB, LoadPersonBoxes
from spact_mm.datasets.video_reader import open_video
from spact_mm.evaluation.panel_report import PanelReport
from spact_mm.evaluation.summary import summarize
from spact_mm.models.anonymizers.checkpoint import find_config, load_checkpoint, load_weights
from spact_mm.protocols.results import average_precisions, collect_rows
from spact_mm.protocols.stage import Stage


@dataclass(frozen=True)
class Reader:
    """Something that reads files.

    Attributes:
        name (str): What it is called.
        file_name (str): What its files are called.
        kind (str): How they are damaged, as of :func:`fuzz_mutations.mutate`.
        make_seeds (Callable): Folder to valid files, as bytes.
        read (Callable): Read a file and use what is in it.
        weight (int): How many of all files it gets.
        batch (int): Files between two reports of its process.
    """

    name: str
    file_name: str
    kind: str
    make_seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    weight: int
    batch: int = 20


PA_NAMES = ['skin_color', 'face', 'gender', 'nudity', 'relationship']
ATTRIBUTES = ['hat', 'glasses', 'a1_age']


def _through(folder: Path, *writers: Callable[[Path], object]) -> list[bytes]:
    seeds = []
    for write in writers:
        write(folder / 'seed')
        seeds.append((folder / 'seed').read_bytes())
    return seeds


def _attribute_seeds(folder: Path) -> list[bytes]:
    images = [('a.jpg', ['hat']), ('b/c.jpg', []), ('d.png', ['a1_age', 'glasses'])]
    return _through(
        folder,
        lambda path: write_attribute_file(path, ATTRIBUTES, images),
        lambda path: write_attribute_file(path, ['hat'], [('x y.avi', ['hat'])], dataset='own'),
    )


def _read_attributes(path: Path) -> None:
    for dataset in (
        VISPRDataset(str(path), attributes=['hat'], pipeline=[]),
        VideoAttributeDataset(str(path), pipeline=[], frames_per_video=2),
    ):
        for index in range(len(dataset)):
            dataset[index]


def _segment_seeds(folder: Path) -> list[bytes]:
    segments = {name: [(0, 3, [1]), (4, 5, [0, 2])] for name in PA_NAMES}
    late = dict(segments, face=[(2, 5, [0])])
    return _through(
        folder,
        lambda path: write_segment_file(
            path, PA_NAMES, [('wave/a.avi', 6, segments), ('b.avi', 6, late)]
        ),
    )


def _read_segments(path: Path) -> None:
    dataset = PAHMDB51Dataset(str(path), pipeline=[], variant=6)
    for index in range(min(len(dataset), 20)):
        dataset[index]


def _list_seeds(folder: Path) -> list[bytes]:
    videos = [('a.avi', 0), ('c/b.avi', 3), ('c/d.avi', 101)]
    return _through(
        folder,
        lambda path: write_video_list(path, videos),
        lambda path: write_video_list(path, videos[:1]),
    )


def _read_list(path: Path) -> None:
    (path.parent / 'a.avi').touch()
    config = dict(
        type='VideoDataset',
        ann_file=str(path),
        data_prefix=dict(video=str(path.parent)),
        pipeline=[],
    )
    for settings in ({}, dict(multi_class=True, num_classes=200)):
        dataset = ReproducibleDataset(dict(config, **settings))
        for index in range(min(len(dataset), 20)):
            dataset.get_data_info(index)


def _box_seeds(folder: Path) -> list[bytes]:
    frames = {'0': [[1.5, 2, 30, 40.25, 0.9], [0, 0, 10, 10, 0.2]], '4': []}
    video = dict(width=64, height=48, frames=frames)
    content = dict(version=1, absent_frames='earlier', videos={'a.avi': video, 'c/b.avi': video})
    plain = dict(version=1, videos={'a.avi': dict(width=8, height=8, frames={})})
    return [json.dumps(content).encode(), json.dumps(plain).encode()]


def _read_boxes(path: Path) -> None:
    transform = LoadPersonBoxes(str(path), min_score=0.5, missing='none')
    frames = [np.zeros((8, 8, 3), np.uint8)] * 3
    transform(dict(imgs=frames, frame_inds=np.array([0, 2, 4]), filename='x/a.avi'))


def _manifest_seeds(folder: Path) -> list[bytes]:
    source = folder / 'source.mp4'
    source.write_bytes(b'x')
    manifest = Manifest(folder, dict(size=112))
    for name in ('a.mp4', 'b/c.mp4', 'd.png'):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b'y')
        manifest.add(Job(source, folder / name), frames=3, audio='none', warning='')
    content = manifest.path.read_bytes()
    manifest.path.unlink()
    return [content]


def _read_manifest(path: Path) -> None:
    manifest = Manifest(path.parent, dict(size=112))
    for name in ('a.mp4', 'b/c.mp4', 'd.png'):
        manifest.is_done(Job(path.parent / 'source.mp4', path.parent / name))
    manifest.add(Job(path.parent / 'source.mp4', path.parent / 'a.mp4'), frames=3)


@cache
def _stage(folder: Path) -> Stage:
    return Stage(
        'action', 'SPAct', 0, None, folder, ConfigDict(model=dict(type='X')), True, dict(top1='a/b')
    )


def _result_seeds(folder: Path) -> list[bytes]:
    result = dict(
        name='action', method='SPAct', seed=0, fold=None, is_trained=True, metrics=dict(top1=0.5),
        values={'a/b': 0.5, 'privacy/AP_hat': 0.25}, config_hash=_stage(folder).hash, commit='abc',
        time='2026-01-01T00:00:00Z', seconds=12.5,
    )  # fmt: skip
    part = dict(score=0.75, chance=0.5)
    attacker = dict(part, validation={'0.5': part, '1': part})
    return [
        json.dumps(result, indent=1).encode(),
        json.dumps(result | dict(attacker=attacker)).encode(),
    ]


def _read_result(path: Path) -> None:
    stage = _stage(path.parent)
    rows = collect_rows([stage])
    summary = summarize(rows)
    panel = PanelReport(rows)
    panel.tables(summary)
    panel.headline()
    average_precisions([stage], 'top1')


def _progress_seeds(_: Path) -> list[bytes]:
    return [json.dumps(dict(done=3, total=10, seconds=1.5), indent=1).encode()]


def _read_progress(path: Path) -> None:
    _stage(path.parent).read_progress()


_UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=1)
_CONFIG = f"""default_scope = 'mmaction'
model = dict(
    anonymizer=dict(base_channels=2, num_levels=1, type='UNetAnonymizer'),
    privacy_weight=1.0,
    stages=[dict(a=1, b=(1, 2)), -3.5],
    type='MinimaxAnonymization')
old = {_UNET!r}
"""


def _config_seeds(_: Path) -> list[bytes]:
    anonymizer = "dict(type='DownsampleAnonymizer', factor=2)"
    behind = f"model = dict({{'data_preprocessor': {{'anonymizer': {anonymizer}}}}})"
    return [_CONFIG.encode(), behind.encode()]


def _read_config(path: Path) -> None:
    text = path.read_text(encoding='utf-8', errors='surrogateescape')
    find_config(dict(meta=dict(cfg=text)), str(path))


def _checkpoint_seeds(folder: Path) -> list[bytes]:
    network = _unet()
    state = {f'anonymizer.{name}': value for name, value in network.state_dict().items()}
    content = dict(state_dict=state, meta=dict(cfg=_CONFIG, epoch=3, seed=None))
    writers = [
        lambda path, new=new: torch.save(content, path, _use_new_zipfile_serialization=new)
        for new in (True, False)
    ]
    return _through(folder, *writers)


def _unet():
    init_default_scope('mmaction')
    return MODELS.build(_UNET)


def _read_checkpoint(path: Path) -> None:
    checkpoint = load_checkpoint(str(path))
    find_config(checkpoint, str(path))
    load_weights(_shared_unet(), checkpoint, str(path))


@cache
def _shared_unet():
    return _unet()


def _image_seeds(_: Path) -> list[bytes]:
    image = draw_frames(1, 24, 32)[0]
    endings = ('.jpg', '.png', '.webp', '.bmp', '.tiff', '.ppm')
    return [cv2.imencode(ending, image)[1].tobytes() for ending in endings]


def _read_image(path: Path) -> None:
    for min_size in (None, 8):
        LoadImageRGB(min_size)(dict(img_path=str(path)))


def _video_seeds(folder: Path) -> list[bytes]:
    frames, seeds = draw_frames(12, 48, 64), []
    for name, codec in (
        ('a.mp4', 'libx264'),
        ('a.avi', 'mpeg4'),
        ('b.avi', 'mjpeg'),
        ('a.mkv', 'libx264'),
        ('a.ts', 'mpeg2video'),
        ('a.flv', 'flv'),
    ):
        pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        seeds.append(write_video(folder / name, frames, codec=codec, pix_fmt=pix_fmt).read_bytes())
    return seeds


def _read_training_video(path: Path) -> None:
    reader = open_video(path)
    reader.get_batch([0, len(reader) // 2, len(reader) - 1])


def _read_whole_video(path: Path) -> None:
    with VideoReader(path) as reader:
        for _, (frame, _) in zip(range(200), reader, strict=False):
            frame.sum()


READERS = {
    reader.name: reader
    for reader in (
        Reader('attributes', 'a.json', 'json', _attribute_seeds, _read_attributes, 150),
        Reader('segments', 'a.json', 'json', _segment_seeds, _read_segments, 120),
        Reader('lists', 'a.txt', 'lines', _list_seeds, _read_list, 120),
        Reader('boxes', 'a.json', 'json', _box_seeds, _read_boxes, 150),
        Reader('manifest', 'manifest.jsonl', 'json', _manifest_seeds, _read_manifest, 100),
        Reader('results', 'result.json', 'json', _result_seeds, _read_result, 80),
        Reader('progress', 'progress.json', 'json', _progress_seeds, _read_progress, 30),
        Reader('configs', 'a.pth', 'lines', _config_seeds, _read_config, 60),
        Reader('checkpoints', 'a.pth', 'zip', _checkpoint_seeds, _read_checkpoint, 30),
        Reader('images', 'a.jpg', 'bytes', _image_seeds, _read_image, 40),
        # Decoders may take the process with them.
        Reader('videos', 'a.mp4', 'bytes', _video_seeds, _read_training_video, 5, batch=1),
        Reader('whole_videos', 'a.mp4', 'bytes', _video_seeds, _read_whole_video, 5, batch=1),
    )
}
