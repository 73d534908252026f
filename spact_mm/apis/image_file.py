"""Image files: checks of their headers, and their pixels, upright and whole."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from ..media.media_probe import MAX_PIXELS
from ..media.orientation import find_exif_orientation, turn_by_exif
from ..media.unreadable import check_regular

#: Codes of TIFF's tags.
_SUBFILE, _WIDTH, _HEIGHT, _SAMPLES = 254, 256, 257, 339
_MAX_PAGES = 10_000


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, str]:
    """Read a picture, turned by its EXIF orientation.

    Args:
        path (Path): BMP, JPEG, PNG, TIFF, WebP or, where Pillow can, AVIF.
        max_pixels (int): A picture with more pixels is refused before it is decoded.

    Returns:
        tuple[np.ndarray, str]: RGB uint8, (H, W, 3), and the parts of the file that are left out,
        empty if none. 16-bit values lose their lower 8 bits; floating point values of [0, 1] are
        multiplied by 255.

    Raises:
        ValueError: If the picture cannot be read whole and with its brightness: the file is no
            picture, too large, has several pages, or numbers of unknown range.
        OSError: If the file cannot be opened.
    """
    check_regular(path)
    data = path.read_bytes()
    if not data:
        raise ValueError(f'{path} is empty (zero bytes): copy or download it again.')
    if data[:4] in (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'):
        return _read_tiff(path, data, max_pixels), ''
    with _open(path, data) as header:
        check_pixels(path, *header.size, max_pixels)
        pages, kind = getattr(header, 'n_frames', 1), header.format
        # The other pictures of an MPO file are previews, depth or gain maps, not pages.
        if pages > 1 and kind != 'MPO':
            ending = {'PNG': '.apng', 'GIF': '.gif'}.get(kind)
            remedy = f'name it {ending}' if ending else 'convert it'
            raise _several(path, pages, 'pictures', f'{remedy}, so that it is a video')
        if kind == 'AVIF':
            # FFmpeg returns one tile of an AVIF picture, and OpenCV's wheel does not read AVIF.
            return _decode_by_pillow(path, header), ''
        # OpenCV ignores the orientation of PNG and WebP files.
        turn = find_exif_orientation(header) if kind in ('PNG', 'WEBP') else 1
        further = f'{pages - 1} further pictures in it (previews, depth or gain) are left out.'
    if kind == 'PNG' and not _has_whole_chunks(data):
        raise ValueError(f'{path} is no image that can be read: it is damaged or cut off.')
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if kind in ('PNG', 'WEBP') else 0)
    return turn_by_exif(_decode(path, data, flags)[..., ::-1], turn), further if pages > 1 else ''


def check_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture or frame that is too large.

    Raises:
        ValueError: If the picture has more than ``max_pixels``.
    """
    if width * height > max_pixels:
        raise ValueError(
            f'{path} has pictures of {width} x {height}, more than {max_pixels} pixels: make it '
            'smaller, or allow more by --max-pixels (max_pixels in Python).'
        )


@contextmanager
def _open(path: Path, data: bytes) -> Iterator[Image.Image]:
    """Read the header; nothing is decoded."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # The caller's limit, ``max_pixels``, is checked instead.
        Image.MAX_IMAGE_PIXELS = None
        image = Image.open(io.BytesIO(data))
    except Exception as error:  # Pillow raises errors of any class
        hint = ' (this Pillow may lack AVIF)' if path.suffix.lower() == '.avif' else ''
        raise ValueError(
            f'{path} is no image that can be read: it is damaged or of another kind{hint}.'
        ) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _has_whole_chunks(data: bytes) -> bool:
    """Tell whether a PNG holds the bytes that it declares: OpenCV takes memory before it looks."""
    offset, kind = 8, b''
    while kind != b'IEND' and len(data) - offset >= 12:
        length, kind = struct.unpack_from('>I4s', data, offset)
        offset += 12 + length
    return kind == b'IEND' and offset <= len(data)


def _decode(path: Path, data: bytes, flags: int) -> np.ndarray:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        # OpenCV raises for instance at its own limit of 2^30 pixels.
        raise ValueError(f'{path} cannot be decoded: {error.err}.') from error
    if picture is None:
        raise ValueError(f'{path} is no image that can be read: it is damaged or of another kind.')
    return picture


def _decode_by_pillow(path: Path, image: Image.Image) -> np.ndarray:
    try:
        return np.array(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path} cannot be decoded: {error}.') from error


def _several(path: Path, count: int, name: str, remedy: str) -> ValueError:
    return ValueError(
        f'{path} has {count} {name}, of which one would come out: {remedy}, or keep the one that '
        'is meant.'
    )


def _read_tiff(path: Path, data: bytes, max_pixels: int) -> np.ndarray:
    # Pillow cannot check the file: it does not know TIFF files of three floating point numbers a
    # pixel.
    try:
        pages = [page for page in _list_pages(data) if not page.get(_SUBFILE, 0) & 1]
        sizes = [(page[_WIDTH], page[_HEIGHT]) for page in pages]
    except (struct.error, KeyError) as error:
        raise ValueError(
            f'{path} is no image that can be read: it is damaged or cut off.'
        ) from error
    for size in sizes:
        check_pixels(path, *size, max_pixels)
    if len(pages) != 1:
        raise _several(path, len(pages), 'pages', 'save each as a file of its own')
    if pages[0].get(_SAMPLES, 1) != 1:
        return _scale(path, _decode(path, data, cv2.IMREAD_UNCHANGED))
    return np.ascontiguousarray(_decode(path, data, cv2.IMREAD_COLOR)[..., ::-1])


def _list_pages(data: bytes) -> Iterator[dict[int, int]]:
    """Yield for each page the first value of each integer tag; raise if the file ends early."""
    order = '<' if data[:2] == b'II' else '>'
    is_big = b'+' in data[2:4]
    entries, head, place = ('Q', 'HHQ', 'Q') if is_big else ('H', 'HHL', 'L')
    head, numbers = order + head, {3: 'H', 4: 'L', 16: 'Q'}
    room = struct.calcsize(order + place)
    (offset,) = struct.unpack_from(order + place, data, 8 if is_big else 4)
    seen = set()
    while offset and offset not in seen and len(seen) < _MAX_PAGES:
        seen.add(offset)
        (count,) = struct.unpack_from(order + entries, data, offset)
        offset += struct.calcsize(order + entries)
        page = {}
        for _ in range(count):
            tag, kind, length = struct.unpack_from(head, data, offset)
            at = offset + struct.calcsize(head)
            if kind in numbers and length:
                number = order + numbers[kind]
                if length * struct.calcsize(number) > room:
                    (at,) = struct.unpack_from(order + place, data, at)
                page[tag] = struct.unpack_from(number, data, at)[0]
            offset += struct.calcsize(head) + room
        yield page
        (offset,) = struct.unpack_from(order + place, data, offset)


def _scale(path: Path, values: np.ndarray) -> np.ndarray:
    """Return numbers of [0, 1] as bytes; other ranges have no known brightness and are refused."""
    low, high = values.min(), values.max()
    # Filters and lossy compression overshoot a little.
    is_known = np.issubdtype(values.dtype, np.floating) and low >= -0.05 and high <= 1.05
    if not is_known:
        raise ValueError(
            f'{path} has {values.dtype} numbers from {low:g} to {high:g}, whose '
            'brightness is not known: save it with 8 or 16 bits, or with floats in [0, 1].'
        )
    picture = (values * 255).round().clip(0, 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    # OpenCV's first channel is blue, and a fourth channel is alpha.
    return np.ascontiguousarray(np.broadcast_to(picture[..., 2::-1], (*picture.shape[:2], 3)))
