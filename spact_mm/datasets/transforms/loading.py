"""Transforms that read images and open videos, in RGB; errors name the file."""

import warnings
from io import BytesIO

import cv2
import mmcv
import numpy as np
from mmaction.datasets.transforms import DecordInit
from mmaction.registry import TRANSFORMS
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from PIL import Image, ImageOps

from ...media.media_probe import MAX_PIXELS
from ...media.orientation import find_exif_orientation, turn_by_exif
from ...media.unreadable import UnreadableFileError, check_regular
from ...registration import register
from ..video_reader import DecordReader, PyAVReader, open_video
from .frame_cache import FrameCache, KeptFrames

#: Pillow refuses images above twice its limit for warnings.
_PILLOW_LIMIT = 2 * Image.MAX_IMAGE_PIXELS
#: Formats whose orientation OpenCV ignores, depending on its version.
_TURNED_HERE = ('PNG', 'WEBP')
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG = b'\xff\xd8'
_REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@register(TRANSFORMS)
class LoadImageRGB(LoadImageFromFile):
    """Load an image with any number of channels as RGB, turned by its EXIF orientation.

    OpenCV decodes from memory, as it then refuses a truncated file; from a path it would pad a
    truncated JPEG with grey.

    A file of several pictures is refused, as only one of them would be read. Previews, depth and
    gain maps in a JPEG are ignored.

    An image that is loaded already is taken as BGR: MMPretrain's inferencers read files by
    :func:`mmcv.imread`.

    Required Keys:

    - img_path (str), or img (np.ndarray): (H, W, 3) uint8 BGR

    Added Keys:

    - img (np.ndarray): (H, W, 3) uint8 RGB.
    - img_shape (tuple): (H, W).
    - ori_shape (tuple): (H, W).

    Args:
        min_size (int, optional): A JPEG is decoded at a half, a quarter or an eighth of its size,
            which is faster, as long as its shorter side keeps this many pixels: give the network's
            input size divided by the smallest crop. ``ori_shape`` is then the size of the decoded
            image. None, the default, decodes at full size.
        backend_args (dict, optional): File backend, see :func:`mmengine.fileio.get`.
        max_pixels (int): An image with more pixels, by its header, is unreadable: a file of a few
            kilobytes can hold gigabytes of one colour. Defaults to 100 million.

    Raises:
        ValueError: If ``min_size`` or ``max_pixels`` is out of range.
    """

    def __init__(
        self,
        min_size: int | None = None,
        backend_args: dict | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(backend_args=backend_args)
        if min_size is not None and min_size < 1:
            raise ValueError(f'min_size of LoadImageRGB must be 1 or more, but is {min_size}.')
        if not 1 <= max_pixels <= _PILLOW_LIMIT:
            raise ValueError(
                f'max_pixels of LoadImageRGB must be in [1, {_PILLOW_LIMIT:,}], as Pillow reads no '
                f'larger header, but is {max_pixels}.'
            )
        self.min_size = min_size
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Load the image.

        Raises:
            UnreadableFileError: If the file is missing, no file, too large or cannot be decoded.
        """
        if 'img' in results:
            results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
            return results
        path = results['img_path']
        if self.backend_args is None and '://' not in path:
            check_regular(path)
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            kind, size, turn = self._read_header(content, path)
            reduction = self._find_reduction(content, size)
            if kind == 'AVIF':
                image = _decode_by_pillow(content, path)
            elif kind in _TURNED_HERE:
                image = cv2.imdecode(np.frombuffer(content, np.uint8), _AS_STORED)
                image = None if image is None else turn_by_exif(image[..., ::-1], turn)
            elif reduction == 1:
                image = mmcv.imfrombytes(
                    content, channel_order='rgb', backend=self.imdecode_backend
                )
            else:
                image = cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED[reduction])
                image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        except cv2.error as error:
            raise UnreadableFileError(
                f'The image {path} is empty, truncated or no image; repair or remove it.'
            ) from error
        except UnreadableFileError:
            raise
        except OSError as error:
            raise UnreadableFileError(f'The image {path} cannot be read ({error}).') from error
        if image is None:
            raise UnreadableFileError(f'The image {path} is damaged; repair or remove it.')
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _read_header(self, content: bytes, path: str) -> tuple[str, tuple[int, int], int]:
        """Return format, size and orientation; refuse large files and files of several pictures."""
        with warnings.catch_warnings():
            # Pillow warns of large images; here max_pixels decides.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            try:
                with Image.open(BytesIO(content)) as header:
                    size, kind = header.size, header.format
                    pages = 1 if kind == 'MPO' else _count_pages(header)
                    turn = find_exif_orientation(header) if kind in _TURNED_HERE else 1
            except Image.DecompressionBombError as error:
                raise UnreadableFileError(
                    f'The image {path} has more than max_pixels = {self.max_pixels:,} of '
                    f'LoadImageRGB ({error}).'
                ) from error
            except (OSError, SyntaxError, ValueError) as error:
                raise UnreadableFileError(
                    f'The image {path} is empty, truncated or no image; repair or remove it.'
                ) from error
        if size[0] * size[1] > self.max_pixels:
            raise UnreadableFileError(
                f'The image {path} has {size[0]} x {size[1]} pixels, more than max_pixels = '
                f'{self.max_pixels:,} of LoadImageRGB.'
            )
        if pages > 1:
            raise UnreadableFileError(
                f'The image {path} has {pages} pictures: save the one that is meant, or make it a '
                'video.'
            )
        return kind, size, turn

    def _find_reduction(self, content: bytes, size: tuple[int, int]) -> int:
        """Return the divisor of an image's sides: 1, 2, 4 or 8."""
        if self.min_size is None or not content.startswith(_JPEG):
            return 1
        return next((n for n in (8, 4, 2) if min(size) >= n * self.min_size), 1)


def _count_pages(image: Image.Image) -> int:
    try:
        return getattr(image, 'n_frames', 1)
    except Exception as error:  # Pillow raises errors of any class
        raise ValueError('its pages are damaged') from error


def _decode_by_pillow(content: bytes, path: str) -> np.ndarray:
    """Decode a file that OpenCV's wheel does not read."""
    try:
        with Image.open(BytesIO(content)) as image:
            return np.array(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        raise UnreadableFileError(f'The image {path} cannot be decoded ({error}).') from error


@register(TRANSFORMS)
class DecordInitFromPath(DecordInit):
    """Open a video by its path, with the same upright frames as ``tools/anonymize.py``.

    MMAction2's ``DecordInit`` passes the bytes of the file to decord. For a truncated AVI decord
    0.6 then reads beyond the end and the process crashes. Here the file is examined first. A
    truncated file is refused. PyAV reads files for which decord would return wrong frames (turned
    or mirrored videos, edit lists, AVI with B-frames, broadcast streams, missing codecs).
    ``DecordDecode`` takes the frames from either reader.

    Required Keys:

    - filename

    Added Keys:

    - video_reader (DecordReader | PyAVReader)
    - total_frames (int)
    - avg_fps (float)

    Args:
        num_threads (int): Decoding threads. Defaults to 1.
        cache (dict, optional): Arguments of a :class:`~.frame_cache.FrameCache`, for data sets that
            fit into memory. None, the default, opens the file each time.
        max_pixels (int): A video whose frames have more pixels is unreadable. Defaults to 100
            million.

    Raises:
        ValueError: If ``cache`` has unknown keys or no room, or ``max_pixels`` is not positive.
    """

    def __init__(
        self, num_threads: int = 1, cache: dict | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        super().__init__(num_threads=num_threads)
        unknown = sorted(set(cache or ()) - {'max_gib'})
        if unknown:
            raise ValueError(
                f'cache of {type(self).__name__} has {", ".join(unknown)}, but knows max_gib '
                'alone; put transforms into the pipeline, after decoding.'
            )
        if max_pixels < 1:
            raise ValueError(
                f'max_pixels of {type(self).__name__} must be 1 or more, but is {max_pixels}.'
            )
        self.cache = None if cache is None else FrameCache(**cache)
        self.max_pixels = max_pixels

    def _get_video_reader(self, filename: str) -> DecordReader | PyAVReader | KeptFrames:
        """Open the video.

        Raises:
            UnreadableFileError: If the file is missing, no file, cut off, without a frame, too
                large or no video.
        """
        if self.cache is None:
            return self._open(filename)
        return self.cache.find(filename) or self.cache.add(filename, self._open(filename))

    def _open(self, filename: str) -> DecordReader | PyAVReader:
        return open_video(filename, self.num_threads, self.max_pixels)
