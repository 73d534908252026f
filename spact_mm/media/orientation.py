"""Orientation of a frame or picture, by the display matrix or EXIF orientation in its metadata."""

import struct

import av
import numpy as np
from PIL import Image

#: Not turned and not mirrored.
UPRIGHT = (False, False, False)


def find_orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return the orientation of a decoded frame.

    Args:
        frame (av.VideoFrame): The first frame of a video.

    Returns:
        tuple[bool, bool, bool]: Whether to transpose, and whether to reverse the rows, and the
        columns, afterwards. Turns are rounded to quarters.
    """
    data = next((x for x in frame.side_data if x.type.name == 'DISPLAYMATRIX'), None)
    if data is None or len(bytes(data)) < 36:
        return UPRIGHT
    # The matrix maps a point of the picture: x' = a x + c y, y' = b x + d y.
    a, b, _, c, d = struct.unpack('=9i', bytes(data)[:36])[:5]
    if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def turn_upright(picture: np.ndarray, orientation: tuple[bool, bool, bool]) -> np.ndarray:
    """Turn and mirror a picture (H, W, C) as a player shows it; the result is contiguous."""
    swaps, rows, columns = orientation
    if swaps:
        picture = picture.swapaxes(0, 1)
    return np.ascontiguousarray(picture[:: -1 if rows else 1, :: -1 if columns else 1])


def find_exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a picture, 1 to 8; 1 is upright.

    Args:
        image (Image.Image): The picture, opened, not yet decoded.
    """
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # Pillow raises errors of any class; damaged EXIF is ignored
        return 1


def turn_by_exif(picture: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror a picture (H, W, C) by its EXIF orientation; the result is contiguous."""
    swaps = orientation in (5, 6, 7, 8)
    return turn_upright(picture, (swaps, orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)))
