"""The contact sheet: an overview of the demo set in one picture."""

import cv2
import numpy as np
from actions import CLASSES
from scene import draw_sample, labels_of, render_frames

STRIDE = 4
NUM_COLUMNS = 8
CAPTION_HEIGHT = 26


def draw_preview(seed: int, size: tuple[int, int], side: int | None = None) -> np.ndarray:
    """Draw frames of two clips per action and some images, with their labels.

    Args:
        seed: Seed of the data set.
        size: Frame width and height in pixels.
        side: Shrink every frame to a square of this side and enlarge it again, to show a network's
            input.

    Returns:
        np.ndarray: ``(H, W, 3)`` uint8, RGB.
    """
    rows = []
    for index in range(2 * len(CLASSES)):
        sample = draw_sample(seed, 'videos', 'train', index, size)
        frames = list(render_frames(sample, 1 + STRIDE * (NUM_COLUMNS - 1)))[::STRIDE]
        rows.append([_tile(frame, size, sample.action, side) for frame in frames])
    for start in range(0, 5 * NUM_COLUMNS, NUM_COLUMNS):
        row = []
        for index in range(start, start + NUM_COLUMNS):
            sample = draw_sample(seed, 'images', 'train', index, size)
            frame = next(render_frames(sample))
            row.append(_tile(frame, size, ' '.join(labels_of(sample)), side))
        rows.append(row)
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _tile(frame: np.ndarray, size: tuple[int, int], caption: str, side: int | None) -> np.ndarray:
    if side is not None:
        frame = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
    frame = cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST)
    tile = cv2.copyMakeBorder(frame, CAPTION_HEIGHT, 0, 2, 2, cv2.BORDER_CONSTANT)
    # A long caption takes two lines; a short one only the lower line.
    middle = caption.rfind(' ', 0, 26) if len(caption) > 26 else 0
    for row, line in enumerate((caption[:middle], caption[middle:].strip())):
        cv2.putText(tile, line, (3, 11 + 12 * row), cv2.FONT_HERSHEY_PLAIN, 0.75, (255,) * 3)
    return tile
