"""The files of the demo set: videos, images, lists, labels, and the manifest that seals them."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from actions import CLASSES
from attackers import attacker_list_names, write_attacker_lists
from figure import ATTRIBUTES
from scene import FPS, PARTS, draw_sample, labels_of, render_frames

from spact_mm.datasets.annotation_files import write_attribute_file, write_video_list
from spact_mm.datasets.integrity import check_video
from spact_mm.files import write_whole
from spact_mm.process_pool import make_pool
from spact_mm.progress import Progress

#: Raise this with each change of the files, so that older data are rendered again.
VERSION = 1
MANIFEST = 'manifest.json'
#: Contents of ``classes.txt``, which identify a folder of this tool.
_CLASS_LINES = '\n'.join(CLASSES) + '\n'
MIN_SIDE, MAX_SIDE = 64, 1024
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Options:
    """Options that the files depend on.

    Attributes:
        seed (int): Seed of everything that is random, not negative.
        size (tuple[int, int]): Frame width and height in pixels, even, 64 to 1024.
        videos (tuple[int, int]): Number of training and of test videos.
        images (tuple[int, int]): Number of training and of test images.

    Raises:
        ValueError: If a value is out of its range.
    """

    seed: int = 0
    size: tuple[int, int] = (160, 120)
    videos: tuple[int, int] = (480, 160)
    images: tuple[int, int] = (1200, 400)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f'--seed is {self.seed}; give a number that is not negative.')
        if any(side % 2 or not MIN_SIDE <= side <= MAX_SIDE for side in self.size):
            raise ValueError(
                f'--size is {self.size[0]} {self.size[1]}; give an even width and height from '
                f'{MIN_SIDE} to {MAX_SIDE} pixels.'
            )
        for name in ('videos', 'images'):
            if min(getattr(self, name)) < 1:
                numbers = ' '.join(map(str, getattr(self, name)))
                raise ValueError(f'--{name} is {numbers}; give two positive numbers.')

    def count(self, kind: str, split: str) -> int:
        """Return the number of ``'videos'`` or ``'images'`` of ``'train'`` or ``'test'``."""
        return getattr(self, kind)[('train', 'test').index(split)]

    def tasks(self) -> Iterator[tuple[str, str, int]]:
        """Yield kind, split and index of every sample."""
        for kind, split in PARTS:
            for index in range(self.count(kind, split)):
                yield kind, split, index


@dataclass(frozen=True)
class Written:
    """A sample in the lists: its file, relative to the folder of its kind, and its labels."""

    kind: str
    split: str
    path: str
    class_index: int
    attributes: list[str]
    person: int


def file_name(kind: str, split: str, index: int) -> str:
    """Return a sample's file, relative to ``videos`` or ``images``."""
    if kind == 'videos':
        return f'{split}/{CLASSES[index % len(CLASSES)]}_{index:04d}.mp4'
    return f'{split}/{index:05d}.jpg'


def write_sample(task: tuple[str, str, int], out: Path, options: Options) -> Written:
    """Render a sample to its file.

    Args:
        task: Kind, split and index of the sample.
        out: Folder of the data set.
        options: The seed and the size are used.

    Raises:
        OSError: If the file cannot be written.
    """
    kind, split, index = task
    # Each worker uses one core.
    cv2.setNumThreads(1)
    sample = draw_sample(options.seed, kind, split, index, options.size)
    name = file_name(kind, split, index)
    path = out / kind / name
    if kind == 'videos':
        write_video(path, render_frames(sample), options.size)
    else:
        frame = next(render_frames(sample, 1))
        encoded = cv2.imencode('.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        path.write_bytes(encoded[1].tobytes())
    return Written(
        kind, split, name, CLASSES.index(sample.action), labels_of(sample), sample.person.number
    )


def write_video(path: Path, frames: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    """Write RGB frames of a width and height to a file.

    Raises:
        OSError: If the file cannot be written.
    """
    # OpenCV's wheel has an encoder for MPEG-4 part 2, but none for H.264.
    writer = cv2.VideoWriter(os.fspath(path), cv2.VideoWriter_fourcc(*'mp4v'), FPS, size)
    if not writer.isOpened():
        raise OSError(f'OpenCV cannot write the video {path}; see whether its folder is writable.')
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    # OpenCV does not report a full disk.
    reason = check_video(path)
    if reason is not None:
        raise OSError(f'The video {path} is broken ({reason}); see whether the disk is full.')


def write_lists(out: Path, written: Sequence[Written]) -> None:
    """Write class names, video lists, attribute files and the persons of all samples."""
    write_whole(out / 'classes.txt', _CLASS_LINES)
    persons: dict[str, dict[str, dict[str, int]]] = {}
    for kind, split in PARTS:
        part = [sample for sample in written if (sample.kind, sample.split) == (kind, split)]
        if kind == 'videos':
            clips = ((sample.path, sample.class_index) for sample in part)
            write_video_list(out / f'{split}_videos.txt', clips)
        labels = ((sample.path, sample.attributes) for sample in part)
        write_attribute_file(out / _attribute_file(kind, split), ATTRIBUTES, labels, 'demo')
        persons.setdefault(kind, {})[split] = {sample.path: sample.person for sample in part}
    write_whole(out / 'persons.json', json.dumps(persons, indent=0))


def render(out: Path, options: Options, num_workers: int = 1) -> bool:
    """Render the data set, unless the same one exists already.

    The manifest is removed first and written last, so that the files of an interrupted run never
    count as a data set. The manifest does not cover the attackers' lists: they follow from the
    other files, and missing ones are added without rendering.

    Args:
        out: Folder of the data set; made if it does not exist.
        options: Options of the data set.
        num_workers: Number of processes; the files do not depend on it.

    Returns:
        bool: False if the data set was complete already, including the attackers' lists.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If the folder has lists of another data set.
    """
    _check_folder(out)
    manifest = out / MANIFEST
    try:
        for kind, split in PARTS:
            (out / kind / split).mkdir(parents=True, exist_ok=True)
        is_rendered = is_complete(out, options)
        if not is_rendered:
            manifest.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(
            f'The folder {out} cannot be used ({error.strerror}: {error.filename}); give another '
            'by --out.'
        ) from error
    if is_rendered:
        return bool(write_attacker_lists(out))
    tasks = list(options.tasks())
    work = partial(write_sample, out=out, options=options)
    write_lists(out, _track(work, tasks, num_workers))
    content = dict(_fingerprint(options), content=_content_hash(out, options))
    write_attacker_lists(out)
    write_whole(manifest, json.dumps(content, indent=2) + '\n')
    return True


def is_complete(out: Path, options: Options) -> bool:
    """Return whether a folder holds the unchanged data set of these options.

    The attackers' lists, which are made from the data set, may be missing.
    """
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding='utf-8'))
        return manifest == dict(_fingerprint(options), content=_content_hash(out, options))
    except (FileNotFoundError, ValueError, RecursionError):
        return False


def _check_folder(out: Path) -> None:
    """Refuse a folder of another data set, whose lists would be overwritten."""
    classes = out / 'classes.txt'
    if classes.is_file() and classes.read_bytes() == _CLASS_LINES.encode():
        return
    names = (*_list_names(), *attacker_list_names(), MANIFEST)
    found = [name for name in names if os.path.lexists(out / name)]
    if found:
        raise ValueError(
            f'{out / found[0]} is there, and not of the demo data set: give another folder by '
            '--out, or move it.'
        )


def _list_names() -> list[str]:
    names = [_attribute_file(kind, split) for kind, split in PARTS]
    return [*names, 'train_videos.txt', 'test_videos.txt', 'classes.txt', 'persons.json']


def _track(
    work: Callable[[tuple[str, str, int]], Written],
    tasks: Sequence[tuple[str, str, int]],
    num_workers: int,
) -> list[Written]:
    """Do all tasks, in their order, behind a progress bar."""
    bar = Progress(len(tasks))
    written = []
    if num_workers == 1:
        for task in tasks:
            written.append(work(task))
            bar.update()
    else:
        with make_pool(num_workers) as pool:
            for result in pool.map(work, tasks, chunksize=4):
                written.append(result)
                bar.update()
    bar.finish()
    return written


def _attribute_file(kind: str, split: str) -> str:
    return f'{split}_video_attributes.json' if kind == 'videos' else f'{split}_attributes.json'


def _fingerprint(options: Options) -> dict:
    return json.loads(json.dumps(dict(version=VERSION, options=asdict(options))))


def _content_hash(out: Path, options: Options) -> str:
    """Return a hash over the names and contents of all files of the data set."""
    names = [f'{kind}/{file_name(kind, split, index)}' for kind, split, index in options.tasks()]
    names += _list_names()
    content = hashlib.sha256()
    for name in names:
        content.update(name.encode())
        content.update(hashlib.sha256((out / name).read_bytes()).digest())
    return content.hexdigest()
