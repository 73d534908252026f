"""decord's reader of videos, with PyAV as a fallback."""

from collections.abc import Sequence

import decord
import numpy as np

from ..media.media_probe import MAX_PIXELS, probe_video
from ..media.unreadable import UnreadableFileError
from .pyav_reader import PyAVReader

#: Errors of decord; neither is a standard error.
DECORD_ERRORS = (decord.DECORDError, decord.DECORDLimitReachedError)


class DecordReader(decord.VideoReader):
    """decord's reader. PyAV reads frames that decord cannot decode; its errors name the file.

    Args:
        path (str): The file.
        num_threads (int): Decoding threads.
        max_pixels (int): As for :func:`open_video`.

    Raises:
        UnreadableFileError: If decord cannot open the file.
    """

    def __init__(self, path: str, num_threads: int, max_pixels: int = MAX_PIXELS) -> None:
        self._path, self._options = path, (num_threads, max_pixels)
        try:
            super().__init__(f'file:{path}' if ':' in path else path, num_threads=num_threads)
        except (RuntimeError, *DECORD_ERRORS) as error:
            raise UnreadableFileError(f'The video {path} is damaged or no video.') from error

    def read_by_decord(self, indices: Sequence[int]) -> np.ndarray:
        """Return frames (T, H, W, 3), RGB uint8, or raise an error of decord."""
        return super().get_batch(indices).asnumpy()

    def get_batch(self, indices: Sequence[int]):
        """Return frames (T, H, W, 3), RGB uint8, as decord's array or :class:`Frames`.

        Raises:
            UnreadableFileError: If a frame cannot be decoded.
        """
        try:
            return super().get_batch(indices)
        except DECORD_ERRORS:
            # decord fails at any damaged packet, even if the requested frames are whole.
            facts = probe_video(self._path)
            return PyAVReader(self._path, facts, *self._options).get_batch(indices)

    def next(self):
        """Return the next frame (H, W, 3), RGB uint8, as decord's array.

        Raises:
            UnreadableFileError: If the frame cannot be decoded.
        """
        try:
            return super().next()
        except DECORD_ERRORS as error:
            raise UnreadableFileError(
                f'A frame of the video {self._path} cannot be decoded.'
            ) from error
