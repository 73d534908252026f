"""How a frame is shown: the display matrix of a file's metadata."""

import struct

import av
import numpy as np

#: Not turned and not mirrored.
UPRIGHT = (False, False, False)


def find_orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return how to turn a decoded frame.

    Args:
        frame (av.VideoFrame): The first of a video.

    Returns:
        tuple[bool, bool, bool]: Whether rows and columns change places, and whether the rows, and
        the columns, are in reverse order after that. Turns are rounded to quarters.
    """
    data = next((x for x in frame.side_data if x.type.name == 'DISPLAYMATRIX'), None)
    if data is None or len(bytes(data)) < 36:
        return UPRIGHT
    # Where a point of the picture goes: x' = a x + c y, y' = b x + d y.
    a, b, _, c, d = struct.unpack('=9i', bytes(data)[:36])[:5]
    if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def turn_upright(picture: np.ndarray, orientation: tuple[bool, bool, bool]) -> np.ndarray:
    """Turn and mirror a picture (H, W, C) as a player shows it; contiguous."""
    swaps, rows, columns = orientation
    if swaps:
        picture = picture.swapaxes(0, 1)
    return np.ascontiguousarray(picture[:: -1 if rows else 1, :: -1 if columns else 1])
