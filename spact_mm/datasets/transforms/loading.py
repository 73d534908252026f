"""Read images and open videos, in RGB; errors name the file."""

import os
import struct

import cv2
import decord
import mmcv
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from ...registration import register


@register(TRANSFORMS)
class LoadImageRGB(LoadImageFromFile):
    """Load an image as RGB, whatever its number of channels.

    OpenCV decodes from memory, where it refuses a truncated file; from a path it would pad a JPEG
    with grey.

    Required Keys:

    - img_path

    Added Keys:

    - img (np.ndarray): (H, W, 3) uint8 RGB.
    - img_shape (tuple): (H, W).
    - ori_shape (tuple): (H, W).

    Args:
        backend_args (dict, optional): File backend, see :func:`mmengine.fileio.get`.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def transform(self, results: dict) -> dict:
        """Load the image.

        Raises:
            OSError: If the file is missing or cannot be decoded.
        """
        path = results['img_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            image = mmcv.imfrombytes(content, channel_order='rgb', backend=self.imdecode_backend)
        except cv2.error as error:
            raise OSError(
                f'The image {path} is empty, truncated or no image; repair or remove it.'
            ) from error
        except OSError as error:
            raise OSError(f'The image {path} cannot be read ({error}).') from error
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


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
    """

    def __init__(self, num_threads: int = 1) -> None:
        super().__init__(num_threads=num_threads)

    def _get_video_reader(self, filename: str) -> decord.VideoReader:
        """Open the video.

        Raises:
            OSError: If the file is missing, truncated, without a frame or no video.
        """
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
