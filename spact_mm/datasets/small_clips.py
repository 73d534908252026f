"""Small copies of videos and images, for reading the same clips many times."""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from ..files import replacing, write_whole
from ..media.unreadable import UnreadableFileError
from .integrity import inspect_files
from .transforms.loading import LoadImageRGB
from .video_reader import DecordReader, PyAVReader, open_video

#: Frames kept of a video: the rate in frames a second, and the largest number, from the middle.
RATE, MAX_FRAMES = 12.5, 300
#: Videos with fewer frames keep their rate.
_MIN_FRAMES = 16
#: Number of frames that are decoded at a time.
_CHUNK = 16


class SmallClips:
    """Small copies of clips, made when they are needed and removed afterwards.

    Clips that cannot be read are listed beside the folder, in ``clips.json``, so that they are not
    decoded again. A copy's name depends on the state of its source.

    Args:
        folder: Folder of the copies, which are raw frames.
        sources (Mapping[str, Path]): The clips by their names (relative paths).
        size (int): As for :func:`copy_clip`.
        images (Collection[str]): Endings of images, in lower case.
        num_workers (int): Number of copying processes. Defaults to 1.

    Raises:
        OSError: If a clip no longer exists.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        sources: Mapping[str, Path],
        size: int,
        images: Collection[str],
        num_workers: int = 1,
    ) -> None:
        self.folder, self.size, self.num_workers = Path(folder), size, num_workers
        #: Path of each copy below the folder.
        self.copies = {name: _copy_name(name, path, size) for name, path in sources.items()}
        self._sources, self._images = sources, frozenset(images)
        self._memory = self.folder.with_name('clips.json')

    def find_unreadable(self) -> dict[str, str]:
        """Return the reason for each unreadable clip; clips not tried before are copied."""
        known = self._recall()
        todo = [name for name, copy in self.copies.items() if copy not in known]
        if todo:
            found = self._copy(todo)
            known = {copy: known[copy] for copy in self.copies.values() if copy in known}
            known |= {self.copies[name]: found.get(name) for name in todo}
            write_whole(self._memory, json.dumps(known, indent=1) + '\n')
        reasons = {name: known[copy] for name, copy in self.copies.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def write(self) -> None:
        """Write missing copies, except of unreadable clips."""
        unreadable = self.find_unreadable()
        todo = [
            name
            for name, copy in self.copies.items()
            if name not in unreadable and not (self.folder / copy).exists()
        ]
        if todo:
            self._copy(todo)

    def remove(self) -> None:
        """Remove all copies."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self, names: Collection[str]) -> dict[str, str]:
        targets = {self._sources[name]: self.folder / self.copies[name] for name in names}
        copy = partial(_try_copy, targets=targets, size=self.size, images=self._images)
        reasons = inspect_files(list(targets), copy, self.num_workers)
        return {name: reasons[p] for name in names if (p := self._sources[name]) in reasons}

    def _recall(self) -> dict[str, str | None]:
        try:
            content = json.loads(self._memory.read_text(encoding='utf-8'))
        except (OSError, ValueError):  # absent or damaged: the clips are tried again
            return {}
        return content if isinstance(content, dict) else {}


def copy_clip(
    source: str | os.PathLike, target: str | os.PathLike, size: int, is_image: bool = False
) -> int:
    """Write a small, lossless copy of a video or image.

    Whole frames are resized to squares: nobody at the border is cut off, but wide frames are
    squeezed.

    Args:
        source: A video or image.
        target: The copy, an AVI file with FFV1, whole or absent; its folder is made.
        size (int): Width and height of the copy.
        is_image (bool): Whether the source is an image, a video of one frame. Defaults to False.

    Returns:
        int: Number of frames, at most :data:`MAX_FRAMES` and about :data:`RATE` a second.

    Raises:
        UnreadableFileError: If the source cannot be read.
        OSError: If the copy cannot be written.
    """
    if is_image:
        frames = iter([LoadImageRGB()(dict(img_path=os.fspath(source)))['img']])
    else:
        reader = open_video(source)
        frames = _read(reader, choose_frames(len(reader), reader.get_avg_fps()))
    with replacing(target) as partial:
        return _write(partial, frames, size)


def choose_frames(total: int, rate: float) -> np.ndarray:
    """Return the indices of the frames that are kept of a video.

    Args:
        total (int): Number of the video's frames.
        rate (float): Frames a second of the video; 0 or less if unknown.
    """
    stride = round(rate / RATE) if np.isfinite(rate) else 1
    stride = max(1, min(stride, total // _MIN_FRAMES))
    indices = np.arange(0, total, stride)
    start = max(0, (len(indices) - MAX_FRAMES) // 2)
    return indices[start : start + MAX_FRAMES]


def _copy_name(name: str, source: Path, size: int) -> str:
    state = source.stat()
    text = f'{name} {state.st_size} {state.st_mtime_ns} {size} {RATE} {MAX_FRAMES}'
    digest = hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:12]
    return f'{name}-{digest}.avi'


def _try_copy(
    source: Path, targets: Mapping[Path, Path], size: int, images: frozenset[str]
) -> str | None:
    """Copy one of several clips; return the reason if it cannot be read."""
    if targets[source].exists():
        return None
    try:
        copy_clip(source, targets[source], size, source.suffix.lower() in images)
    except UnreadableFileError as error:
        return str(error).splitlines()[0]
    return None


def _read(reader: DecordReader | PyAVReader, indices: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), _CHUNK):
        yield from reader.get_batch(list(indices[start : start + _CHUNK])).asnumpy()


def _write(path: Path, frames: Iterator[np.ndarray], size: int) -> int:
    count = 0
    with av.open(f'file:{path}', 'w', format='avi') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width = stream.height = size
        stream.pix_fmt = 'bgr0'
        for frame in frames:
            small = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(small), format='rgb24')
            picture.pts = count
            container.mux(stream.encode(picture))
            count += 1
        container.mux(stream.encode())
    return count
