"""Generated videos and images with the sizes of UCF101 and VISPR."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

#: Frame size and rate of UCF101, and the usual length of its clips.
VIDEO_SIZE, VIDEO_RATE, CLIP_LENGTH = (320, 240), 25, 180
LONG_LENGTH = 3000
#: The usual size of VISPR's images.
IMAGE_SIZE = (1024, 768)


def make_video(path: Path, num_frames: int, seed: int = 0) -> Path:
    """Write an MPEG-4 AVI of a textured scene under a moving camera, if it does not exist yet."""
    if path.exists():
        return path
    width, height = VIDEO_SIZE
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}')
    writer = cv2.VideoWriter(
        str(temporary.with_suffix('.avi')), cv2.VideoWriter_fourcc(*'XVID'), VIDEO_RATE, VIDEO_SIZE
    )
    for frame in draw_frames(rng, width, height, num_frames):
        noise = rng.integers(-4, 5, (height, width, 1), dtype=np.int16)
        writer.write((frame.astype(np.int16) + noise).clip(0, 255).astype(np.uint8))
    writer.release()
    temporary.with_suffix('.avi').replace(path)
    return path


def make_image(path: Path, seed: int = 0) -> Path:
    """Write a JPEG of quality 90, if it does not exist yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        image = draw_texture(np.random.default_rng(seed), *IMAGE_SIZE)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def draw_frames(
    rng: np.random.Generator, width: int, height: int, num_frames: int
) -> Iterator[np.ndarray]:
    """Yield frames of a textured scene under a moving camera, (H, W, 3) uint8."""
    scene = draw_texture(rng, 2 * width, 2 * height)
    for index in range(num_frames):
        angle = 2 * np.pi * index / 150
        left = round(width / 2 * (1 + np.cos(angle)))
        top = round(height / 2 * (1 + np.sin(1.3 * angle)))
        yield scene[top : top + height, left : left + width]


def draw_texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw an image with detail of every size, like a photograph, (H, W, 3) uint8."""
    image = np.zeros((height, width, 3), np.float32)
    for cell in (128, 64, 32, 16, 8, 4, 2):
        shape = (height // cell + 1, width // cell + 1, 3)
        layer = rng.standard_normal(shape).astype(np.float32) * cell**0.7
        image += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
    image -= image.mean()
    return (128 + 50 * image / image.std()).clip(0, 255).astype(np.uint8)
