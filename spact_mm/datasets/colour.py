"""What the numbers of a decoded frame mean as colours, and the frame as RGB."""

from dataclasses import dataclass
from os import PathLike

import av
import numpy as np
from av.video.reformatter import ColorRange

from .tone_mapping import HLG, PQ, map_to_sdr
from .unreadable import UnreadableFileError

#: Codes of ITU-T H.273 for matrices, primaries and transfer functions.
BT709, UNSPECIFIED, SMPTE170M, SRGB = 1, 2, 6, 13
#: Matrices that FFmpeg's swscale has, by its own numbers for them; it takes any other for BT.601.
_SCALER_MATRICES = {0: 5, BT709: 1, UNSPECIFIED: 5, 3: 5, 4: 4, 5: 5, SMPTE170M: 5, 7: 7, 9: 9}
_NAMES = {8: 'YCgCo', 10: 'BT.2020 with constant luminance', 14: 'ICtCp', 15: 'IPT'}
#: Height from which players take BT.709 where a file does not say.
_HD = 720


@dataclass(frozen=True)
class Colour:
    """How luma and chroma stand for colours; numbers of ITU-T H.273.

    Attributes:
        matrix (int): Of luma and chroma.
        primaries (int): What red, green and blue are.
        transfer (int): From light to numbers.
        is_full (bool): Whether luma uses all of 0 to 255, in place of 16 to 235.
        is_tagged (bool): Whether the range is stated.
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    is_full: bool = False
    is_tagged: bool = False

    @property
    def range(self) -> ColorRange:
        """The range as FFmpeg numbers it."""
        return ColorRange.JPEG if self.is_full else ColorRange.MPEG

    @property
    def scaler_matrix(self) -> int:
        """The matrix as FFmpeg's swscale numbers it."""
        return _SCALER_MATRICES[self.matrix]


def find_colour(frame: av.VideoFrame) -> Colour:
    """Return in which colours a copy of a video is to be written.

    They are those of the frame, whether stated or not, such that its numbers come out as they
    were. Of RGB, grey and HDR, which :func:`to_rgb` maps, they are what players expect of the
    frame's size, and stated.

    Args:
        frame (av.VideoFrame): The first of the video.
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
    """Refuse a frame whose colours are of a kind that cannot be converted.

    Raises:
        UnreadableFileError: If they are.
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
    """Return a decoded frame as RGB, by the matrix and range that it states.

    Where it states none they are BT.601 and 16 to 235, also of large frames. HDR (PQ and HLG) is
    mapped to the brightness and primaries of BT.709.

    Args:
        frame (av.VideoFrame): The frame.
        path: The file, for errors.
        size (tuple[int, int], optional): Height and width to bring it to. Defaults to its own.

    Returns:
        np.ndarray: uint8, (H, W, 3).

    Raises:
        UnreadableFileError: If its colours are of a kind that cannot be converted.
    """
    check_colour(frame, path)
    options = {} if size is None else dict(height=size[0], width=size[1])
    if _is_hdr(frame):
        values = frame.to_ndarray(format='rgb48le', **options)
        return map_to_sdr(values, int(frame.color_trc), int(frame.color_primaries))
    return frame.to_ndarray(format='rgb24', **options)


def from_rgb(picture: np.ndarray, pix_fmt: str, colour: Colour) -> av.VideoFrame:
    """Return RGB as a frame of luma and chroma, which states its colours.

    Args:
        picture (np.ndarray): uint8, (H, W, 3).
        pix_fmt (str): FFmpeg's name of the format.
        colour (Colour): What its numbers are to mean.
    """
    frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
    return frame.reformat(
        format=pix_fmt, dst_colorspace=colour.scaler_matrix, dst_color_range=colour.range
    )


def tag(context: av.VideoCodecContext, colour: Colour) -> None:
    """Let an encoder state colours, where they are stated."""
    context.colorspace = colour.matrix
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    context.color_range = colour.range if colour.is_tagged else ColorRange.UNSPECIFIED


def _known(code: int) -> int:
    # Reserved ones, and RGB of what has chroma, mean nothing.
    return UNSPECIFIED if code in (0, 3) else code


def _has_chroma(frame: av.VideoFrame) -> bool:
    # Its parts count as chroma where they are halved only.
    kind = frame.format
    return len(kind.components) > 2 and not (kind.is_rgb or kind.name.startswith('xyz'))


def _is_full(frame: av.VideoFrame) -> bool:
    return int(frame.color_range) == ColorRange.JPEG or frame.format.name.startswith('yuvj')


def _is_hdr(frame: av.VideoFrame) -> bool:
    return int(frame.color_trc) in (PQ, HLG)
