"""Colour spaces of decoded frames, and their conversion to and from RGB."""

from dataclasses import dataclass
from os import PathLike

import av
import numpy as np
from av.video.reformatter import ColorRange

from .tone_mapping import HLG, PQ, map_to_sdr
from .unreadable import UnreadableFileError

#: Codes of ITU-T H.273 for matrices, primaries and transfer functions.
BT709, UNSPECIFIED, SMPTE170M, SRGB = 1, 2, 6, 13
#: Matrices of FFmpeg's swscale and its own numbers for them; it treats any other as BT.601.
_SCALER_MATRICES = {0: 5, BT709: 1, UNSPECIFIED: 5, 3: 5, 4: 4, 5: 5, SMPTE170M: 5, 7: 7, 9: 9}
_NAMES = {8: 'YCgCo', 10: 'BT.2020 with constant luminance', 14: 'ICtCp', 15: 'IPT'}
#: Least height for which players assume BT.709 in an untagged file.
_HD = 720


@dataclass(frozen=True)
class Colour:
    """The colour space of luma and chroma, in codes of ITU-T H.273.

    Attributes:
        matrix (int): Matrix of luma and chroma.
        primaries (int): Primaries of red, green and blue.
        transfer (int): Transfer function from light to numbers.
        is_full (bool): Whether luma uses all of 0 to 255, in place of 16 to 235.
        is_tagged (bool): Whether the file states the range.
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    is_full: bool = False
    is_tagged: bool = False

    @property
    def range(self) -> ColorRange:
        """FFmpeg's code of the range."""
        return ColorRange.JPEG if self.is_full else ColorRange.MPEG

    @property
    def scaler_matrix(self) -> int:
        """Swscale's code of the matrix."""
        return _SCALER_MATRICES[self.matrix]


def find_colour(frame: av.VideoFrame) -> Colour:
    """Return the colour space for a copy of a video.

    The copy has the colour space of the frame, tagged or not, so that luma and chroma keep their
    numbers. RGB, grey and HDR frames, which :func:`to_rgb` maps, get a tagged colour space that
    players expect for the frame's size.

    Args:
        frame (av.VideoFrame): The first frame of the video.
    """
    if _is_hdr(frame) or not _has_chroma(frame):
        matrix = BT709 if frame.height >= _HD else SMPTE170M
        transfer = BT709 if _is_hdr(frame) else SRGB
        return Colour(matrix, BT709, transfer, is_tagged=True)
    return Colour(
        *(_known(int(x)) for x in (frame.colorspace, frame.color_primaries, frame.color_trc)),
        _is_full(frame),
        _is_full(frame) or int(frame.color_range) == ColorRange.MPEG,
    )


def check_colour(frame: av.VideoFrame, path: str | PathLike) -> None:
    """Refuse a frame in a colour space that cannot be converted.

    Raises:
        UnreadableFileError: If the frame is in such a colour space.
    """
    matrix = int(frame.colorspace)
    if _has_chroma(frame) and matrix not in _SCALER_MATRICES:
        raise UnreadableFileError(
            f'The video {path} has colours as {_NAMES.get(matrix, f"matrix {matrix}")}, which '
            'would come out wrong: convert it to BT.709 before.'
        )


def to_rgb(
    frame: av.VideoFrame, path: str | PathLike, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Return a decoded frame as RGB, by its tagged matrix and range.

    An untagged frame is read as BT.601 and 16 to 235, also if it is large. HDR (PQ and HLG) is
    mapped to the brightness and primaries of BT.709.

    Args:
        frame (av.VideoFrame): The frame.
        path: The file, for errors.
        size (tuple[int, int], optional): Height and width of the output. Defaults to the frame's.

    Returns:
        np.ndarray: uint8, (H, W, 3).

    Raises:
        UnreadableFileError: If the frame's colour space cannot be converted.
    """
    check_colour(frame, path)
    options = {} if size is None else dict(height=size[0], width=size[1])
    if _is_hdr(frame):
        values = frame.to_ndarray(format='rgb48le', **options)
        return map_to_sdr(values, int(frame.color_trc), int(frame.color_primaries))
    return frame.to_ndarray(format='rgb24', **options)


def from_rgb(picture: np.ndarray, pix_fmt: str, colour: Colour) -> av.VideoFrame:
    """Return RGB as a frame of luma and chroma, tagged with its colour space.

    Args:
        picture (np.ndarray): uint8, (H, W, 3).
        pix_fmt (str): FFmpeg's name of the format.
        colour (Colour): Colour space of the result.
    """
    frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
    return frame.reformat(
        format=pix_fmt, dst_colorspace=colour.scaler_matrix, dst_color_range=colour.range
    )


def tag(context: av.VideoCodecContext, colour: Colour) -> None:
    """Tag an encoder's output with a colour space, and with its range if that is tagged."""
    context.colorspace = colour.matrix
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    context.color_range = colour.range if colour.is_tagged else ColorRange.UNSPECIFIED


def _known(code: int) -> int:
    # Reserved codes, and the code of RGB in a frame with chroma, have no meaning.
    return UNSPECIFIED if code in (0, 3) else code


def _has_chroma(frame: av.VideoFrame) -> bool:
    # PyAV's own check counts components as chroma only if their resolution is halved.
    kind = frame.format
    return len(kind.components) > 2 and not (kind.is_rgb or kind.name.startswith('xyz'))


def _is_full(frame: av.VideoFrame) -> bool:
    return int(frame.color_range) == ColorRange.JPEG or frame.format.name.startswith('yuvj')


def _is_hdr(frame: av.VideoFrame) -> bool:
    return int(frame.color_trc) in (PQ, HLG)
