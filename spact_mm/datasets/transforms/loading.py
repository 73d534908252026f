"""Read images and open videos, in RGB; errors name the file."""

import os
import struct
from io import BytesIO

import cv2
import decord
import mmcv
import numpy as np
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from PIL import Image

from ...registration import register
from .frame_cache import FrameCache, KeptFrames

_JPEG = b'\xff\xd8'
_REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@register(TRANSFORMS)
class LoadImageRGB(LoadImageFromFile):
    """Load an image as RGB, whatever its number of channels.

    OpenCV decodes from memory, where it refuses a truncated file; from a path it would pad a JPEG
    with grey.

    Where an image is there already, it is taken for BGR: MMPretrain's inferencers read files
    themselves, as :func:`mmcv.imread` does.

    Required Keys:

    - img_path (str), or img (np.ndarray): (H, W, 3) uint8 BGR

    Added Keys:

    - img (np.ndarray): (H, W, 3) uint8 RGB.
    - img_shape (tuple): (H, W).
    - ori_shape (tuple): (H, W).

    Args:
        min_size (int, optional): A JPEG is decoded at a half, a quarter or an eighth of its size,
            which is faster, as long as its shorter side keeps this many pixels: give the size the
            network sees, over the smallest crop. ``ori_shape`` is that of the decoded image then.
            None, the default, decodes at full size.
        backend_args (dict, optional): File backend, see :func:`mmengine.fileio.get`.

    Raises:
        ValueError: If ``min_size`` is not positive.
    """

    def __init__(self, min_size: int | None = None, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)
        if min_size is not None and min_size < 1:
            raise ValueError(f'min_size of LoadImageRGB must be 1 or more, but is {min_size}.')
        self.min_size = min_size

    def transform(self, results: dict) -> dict:
        """Load the image.

        Raises:
            OSError: If the file is missing or cannot be decoded.
        """
        if 'img' in results:
            results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
            return results
        path = results['img_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            reduction = self._find_reduction(content)
            if reduction == 1:
                image = mmcv.imfrombytes(
                    content, channel_order='rgb', backend=self.imdecode_backend
                )
            else:
                image = cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED[reduction])
                image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        except cv2.error as error:
            raise OSError(
                f'The image {path} is empty, truncated or no image; repair or remove it.'
            ) from error
        except OSError as error:
            raise OSError(f'The image {path} cannot be read ({error}).') from error
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _find_reduction(self, content: bytes) -> int:
        """Return by how much an image's sides may be divided: 1, 2, 4 or 8."""
        if self.min_size is None or not content.startswith(_JPEG):
            return 1
        # Reads the header only.
        with Image.open(BytesIO(content)) as header:
            shorter = min(header.size)
        return next((n for n in (8, 4, 2) if shorter >= n * self.min_size), 1)


@register(TRANSFORMS)
class DecordInitFromPath(DecordInit):
    """Open a video by its path.

    MMAction2's ``DecordInit`` hands decord the bytes of the file. On a truncated AVI decord 0.6
    then reads beyond their end and the process dies; opened by path, the same file raises an error
    or ends early. The frames are the same.

    Required Keys:

    - filename

    Added Keys:

    - video_reader (decord.VideoReader)
    - total_frames (int)
    - avg_fps (float)

    Args:
        num_threads (int): Decoding threads. Defaults to 1.
        cache (dict, optional): Arguments of a :class:`~.frame_cache.FrameCache`, for data sets that
            fit into memory. None, the default, opens the file each time.

    Raises:
        ValueError: If ``cache`` has unknown keys or no room.
    """

    def __init__(self, num_threads: int = 1, cache: dict | None = None) -> None:
        super().__init__(num_threads=num_threads)
        unknown = sorted(set(cache or ()) - {'max_gib'})
        if unknown:
            raise ValueError(
                f'cache of {type(self).__name__} has {", ".join(unknown)}, but knows max_gib '
                'alone; put transforms into the pipeline, after decoding.'
            )
        self.cache = None if cache is None else FrameCache(**cache)

    def _get_video_reader(self, filename: str) -> decord.VideoReader | KeptFrames:
        """Open the video.

        Raises:
            OSError: If the file is missing, truncated, without a frame or no video.
        """
        if self.cache is None:
            return self._open(filename)
        return self.cache.find(filename) or self.cache.add(filename, self._open(filename))

    def _open(self, filename: str) -> decord.VideoReader:
        _check_avi_length(filename)
        try:
            reader = decord.VideoReader(filename, num_threads=self.num_threads)
        except (RuntimeError, decord.DECORDError) as error:
            raise OSError(f'The video {filename} is empty or no video.') from error
        if len(reader) == 0:
            raise OSError(f'The video {filename} has no frame.')
        return reader


def _check_avi_length(path: str) -> None:
    """Refuse an AVI that is shorter than its header says: FFmpeg plays what is left of it.

    Raises:
        OSError: If the file is missing or truncated.
    """
    with open(path, 'rb') as file:
        header = file.read(8)
        num_bytes = os.fstat(file.fileno()).st_size
    if len(header) < 8 or not header.startswith(b'RIFF'):
        return
    stated = struct.unpack('<I', header[4:])[0]
    # A muxer that writes to a pipe cannot know the length.
    if stated != 0xFFFFFFFF and stated + 8 > num_bytes:
        raise OSError(f'The video {path} ends after {num_bytes:,} of {stated + 8:,} bytes.')
