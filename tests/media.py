"""Small media files of all kinds."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def draw_frames(count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """Return smooth pictures, uint8 (count, height, width, 3), that are unlike when turned."""
    y, x, t = np.mgrid[0:height, 0:width, 0:count].transpose(0, 3, 1, 2)
    red = 255 * x / max(1, width - 1)
    green = 255 * y / max(1, height - 1)
    blue = 20 * t % 256
    return np.stack([red, green, np.broadcast_to(blue, red.shape)], -1).astype(np.uint8)


def write_video(
    path: Path,
    frames: np.ndarray | None = None,
    rate: int | Fraction = 25,
    codec: str = 'libx264',
    pix_fmt: str = 'yuv420p',
    stamps: list[int] | None = None,
    rotation: int = 0,
    sound: str | None = None,
    metadata: dict | None = None,
) -> Path:
    """Write frames; time stamps are in milliseconds, by default those of the rate."""
    frames = draw_frames() if frames is None else frames
    with av.open(f'file:{path}', 'w') as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(codec, rate=rate)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = pix_fmt
        if stamps is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=16000) if sound else None
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            picture.pts = index if stamps is None else stamps[index]
            picture.time_base = 1 / Fraction(rate) if stamps is None else Fraction(1, 1000)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio:
            mux_silence(container, audio)
    return path


def mux_silence(container, stream) -> None:
    """Add a second of silence to a sound track of 16 kHz."""
    wave = np.zeros((1, 16000), np.float32)
    samples = av.AudioFrame.from_ndarray(wave, format='fltp', layout='mono')
    samples.rate, samples.pts = 16000, 0
    container.mux(stream.encode(samples))
    container.mux(stream.encode())


def read_video(path: Path) -> tuple[np.ndarray, list[Fraction]]:
    """Return the frames as FFmpeg's libraries decode them, and their times in seconds."""
    with av.open(f'file:{path}') as container:
        frames = list(container.decode(video=0))
        return np.stack([f.to_ndarray(format='rgb24') for f in frames]), [
            f.pts * f.time_base for f in frames
        ]
