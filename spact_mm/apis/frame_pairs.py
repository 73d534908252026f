"""Pairs of raw and anonymized frames of a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from .image_file import MAX_PIXELS, read_image
from .sources import IMAGES
from .video_file import VideoReader

#: Allowed difference in the ratio of width to height, as an output's sides are whole numbers.
_ROUNDING = 0.03


def sample_frames(
    path: Path, count: int, max_pixels: int = MAX_PIXELS
) -> tuple[list[np.ndarray], int]:
    """Read frames that are spread evenly over a video, including the first and the last.

    Args:
        path (Path): A video or an image.
        count (int): Number of frames; all if there are fewer.
        max_pixels (int): Frames with more pixels are refused.

    Returns:
        tuple[list[np.ndarray], int]: Frames, RGB uint8 (H, W, 3), and the number of frames in the
        file.

    Raises:
        ValueError: If the file cannot be read.
    """
    if path.suffix.lower() in IMAGES:
        return [read_image(path, max_pixels)[0]], 1
    # The length that a file declares may be wrong.
    with VideoReader(path, max_pixels) as reader:
        total = sum(1 for _ in reader)
    wanted = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    with VideoReader(path, max_pixels) as reader:
        return [frame for index, (frame, _) in enumerate(reader) if index in wanted], total


def pair_with_file(
    source: Path, output: Path, count: int, max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield raw frames of a file and the frames of its anonymized copy, resized to the same size.

    Args:
        source (Path): The raw video or image.
        output (Path): Its anonymized copy.
        count (int): As for :func:`sample_frames`.
        max_pixels (int): As for :func:`sample_frames`.

    Raises:
        FileNotFoundError: If there is no copy.
        ValueError: If a file cannot be read, or the copy has other frames or another shape.
    """
    if not output.is_file():
        raise FileNotFoundError(
            f'There is no {output}, the anonymized {source}: make it by tools/anonymize.py, from '
            'the same inputs.'
        )
    raws, raw_total = sample_frames(source, count, max_pixels)
    copies, total = sample_frames(output, count, max_pixels)
    if total != raw_total:
        raise ValueError(
            f'{output} has {total} frames, but {source} {raw_total}: it is no copy of it; '
            'anonymize it again.'
        )
    for raw, copy in zip(raws, copies, strict=True):
        (height, width), (copy_height, copy_width) = raw.shape[:2], copy.shape[:2]
        if abs(copy_width * height / (copy_height * width) - 1) > _ROUNDING:
            raise ValueError(
                f'{output} is {copy_width} x {copy_height}, which is not the shape of {source} '
                f'({width} x {height}): anonymize it again, without --side-by-side.'
            )
        if raw.shape != copy.shape:
            copy = cv2.resize(copy, (width, height), interpolation=cv2.INTER_LINEAR)
        yield raw, copy


def pair_with_function(
    source: Path,
    anonymize: Callable[[np.ndarray], np.ndarray],
    count: int,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield raw frames of a file and an anonymizer's output for each.

    Args:
        source (Path): The raw video or image.
        anonymize (Callable): RGB uint8 frames (N, H, W, 3) to the same.
        count (int): As for :func:`sample_frames`.
        max_pixels (int): As for :func:`sample_frames`.

    Raises:
        ValueError: If the file cannot be read.
    """
    for raw in sample_frames(source, count, max_pixels)[0]:
        yield raw, anonymize(raw[None])[0]
