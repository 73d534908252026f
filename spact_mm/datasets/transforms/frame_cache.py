"""Decoded frames that are kept, for data sets that fit into memory."""

from collections.abc import Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from ..video_reader import DecordReader, PyAVReader


class FrameCache:
    """Decode each video once in a process and keep its frames.

    Args:
        transforms (Sequence[dict], optional): Applied to all frames before they are kept: crops and
            resizes that draw nothing at random. None, the default, keeps the frames as they are.
        max_gib (float): Gibibytes to keep at most; videos beyond are decoded each time. Each data
            worker has a cache of its own. Defaults to 1.0.

    Raises:
        ValueError: If ``max_gib`` is not positive.
    """

    def __init__(self, transforms: Sequence[dict] | None = None, max_gib: float = 1.0) -> None:
        if max_gib <= 0:
            raise ValueError(f'max_gib of a frame cache must be positive, but is {max_gib}.')
        self._transforms = Compose([TRANSFORMS.build(x) for x in transforms or []])
        self._room = max_gib * 2**30
        self._videos = {}

    def find(self, filename: str) -> 'KeptFrames | None':
        """Return the frames of a video if they are here."""
        return self._videos.get(filename)

    def add(self, filename: str, reader: DecordReader | PyAVReader) -> 'KeptFrames':
        """Decode a video and keep it if there is room.

        Raises:
            UnreadableFileError: If a frame cannot be decoded.
        """
        frames = reader.get_batch(range(len(reader))).asnumpy()
        size = frames.shape[1:3]
        results = dict(imgs=list(frames), img_shape=size, original_shape=size, modality='RGB')
        frames = np.stack(self._transforms(results)['imgs'])
        kept = KeptFrames(frames, reader.get_avg_fps())
        if frames.nbytes <= self._room:
            self._room -= frames.nbytes
            self._videos[filename] = kept
        return kept


class KeptFrames:
    """Decoded frames (T, H, W, 3) uint8 RGB with the interface of :class:`decord.VideoReader`."""

    def __init__(self, frames: np.ndarray, fps: float) -> None:
        self._frames, self._fps = frames, fps

    def __len__(self) -> int:
        return len(self._frames)

    def get_avg_fps(self) -> float:
        """Return the frames per second."""
        return self._fps

    def get_batch(self, indices: Sequence[int]) -> 'KeptFrames':
        """Return copies of some frames."""
        return KeptFrames(self._frames[np.asarray(indices)], self._fps)

    def asnumpy(self) -> np.ndarray:
        """Return the array."""
        return self._frames
