"""A cache of decoded frames, for data sets that fit into memory."""

from collections.abc import Sequence

import numpy as np

from ..video_reader import DecordReader, PyAVReader


class FrameCache:
    """Decode each video once in a process and keep its frames.

    The cache keeps whole decoded frames, without a crop or another change: tools that use another
    decoder would miss such a change.

    Args:
        max_gib (float): Size of the cache in gibibytes; further videos are decoded each time. Each
            data worker has its own cache. Defaults to 1.0.

    Raises:
        ValueError: If ``max_gib`` is not positive.
    """

    def __init__(self, max_gib: float = 1.0) -> None:
        if max_gib <= 0:
            raise ValueError(f'max_gib of a frame cache must be positive, but is {max_gib}.')
        self._room = max_gib * 2**30
        self._videos = {}

    def find(self, filename: str) -> 'KeptFrames | None':
        """Return the frames of a video if they are in the cache."""
        return self._videos.get(filename)

    def add(self, filename: str, reader: DecordReader | PyAVReader) -> 'KeptFrames':
        """Decode a video and keep it if there is room.

        Raises:
            UnreadableFileError: If a frame cannot be decoded.
        """
        frames = reader.get_batch(range(len(reader))).asnumpy()
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
