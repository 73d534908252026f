"""Samples of the demo set: a person, an action, a place and a camera, and their frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from actions import ACTIONS, CLASSES, Style, stand
from figure import ATTRIBUTES, draw_figure
from pen import Color, Pen
from people import PREVALENCE, Person, color_distance, draw_color, draw_looks, draw_person

FPS = 12.5
MIN_FRAMES, MAX_FRAMES = 25, 50
SAMPLES_PER_PERSON = 2
#: Persons are numbered in turn over these parts, so no two parts share a person.
PARTS = (('videos', 'train'), ('videos', 'test'), ('images', 'train'), ('images', 'test'))

# The canvas is drawn this much larger than the frame: cheap antialiasing.
OVERSAMPLING = 2
BACKGROUNDS = ('gradient', 'stripes', 'room', 'blocks')
MIN_CONTRAST = 38.0


@dataclass(frozen=True)
class Sample:
    """The contents of a clip or an image.

    Attributes:
        person (Person): The visible person.
        attributes (frozenset[str]): Visible attributes, from ``ATTRIBUTES``.
        action (str): One of ``CLASSES``.
        style (Style): The person's posture and movement.
        speed (float): Cycles per second.
        phase (float): Position in the cycle at the start of the sample.
        num_frames (int): Length at 12.5 frames per second.
        size (tuple[int, int]): Frame width and height in pixels.
        place (tuple[float, float, float]): The figure's column and ground row in the frame, 0 to 1,
            and the body height in frame heights.
        mirrored (bool): Whether the figure is mirrored.
        companion (Pen): Place of a companion; its canvas is ``background``.
        background (np.ndarray): ``(2H, 2W, 3)`` uint8, RGB.
        lighting (tuple[float, float]): Gain and gamma.
        noise (float): Standard deviation of the camera noise, in grey levels.
        noise_seed (int): Seed of the camera noise.
    """

    person: Person
    attributes: frozenset[str]
    action: str
    style: Style
    speed: float
    phase: float
    num_frames: int
    size: tuple[int, int]
    place: tuple[float, float, float]
    mirrored: bool
    companion: Pen
    companion_style: Style
    background: np.ndarray
    lighting: tuple[float, float]
    noise: float
    noise_seed: int


def person_number(kind: str, split: str, index: int) -> int:
    """Return the number of a sample's person; persons of different parts have different numbers."""
    return index // SAMPLES_PER_PERSON * len(PARTS) + PARTS.index((kind, split))


def draw_sample(seed: int, kind: str, split: str, index: int, size: tuple[int, int]) -> Sample:
    """Draw a sample, which depends only on the arguments.

    Args:
        seed: Seed of the data set.
        kind: ``'videos'`` or ``'images'``.
        split: ``'train'`` or ``'test'``.
        index: Number of the sample in its split; the actions take turns.
        size: Frame width and height in pixels; images deviate from it by up to 8 %.
    """
    rng = np.random.default_rng([seed, 1, PARTS.index((kind, split)), index])
    person = draw_person(seed, person_number(kind, split, index))
    has_companion = rng.random() < PREVALENCE
    action = CLASSES[index % len(CLASSES)]
    stretch = rng.uniform(0.92, 1.08, 2)
    if kind == 'images':
        size = tuple(np.rint(size * stretch).astype(int).tolist())
    width, height = size
    body_height = 0.87 * rng.uniform(0.8, 1.0)
    place = (rng.uniform(0.44, 0.56), rng.uniform(body_height + 0.11, 0.985), body_height)
    background = _draw_background(rng, width, height, person)
    companion = Pen(
        canvas=background,
        x=OVERSAMPLING * width * abs(rng.integers(2) - rng.uniform(0.1, 0.14)),
        ground=OVERSAMPLING * height * rng.uniform(0.9, 0.97),
        height=OVERSAMPLING * height * rng.uniform(0.46, 0.54),
    )
    return Sample(
        person=person,
        attributes=person.attributes | {'companion'} if has_companion else person.attributes,
        action=action,
        style=_draw_style(rng),
        speed=rng.uniform(*ACTIONS[action][1]),
        phase=rng.uniform(0, 4),
        num_frames=int(rng.integers(MIN_FRAMES, MAX_FRAMES + 1)),
        size=size,
        place=place,
        mirrored=bool(rng.integers(2)),
        companion=companion,
        companion_style=_draw_style(rng),
        background=background,
        lighting=(rng.uniform(0.82, 1.12), rng.uniform(0.9, 1.1)),
        noise=rng.uniform(1.5, 6.0),
        noise_seed=int(rng.integers(2**31)),
    )


def render_frames(sample: Sample, num_frames: int | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of a sample, ``(H, W, 3)`` uint8, RGB.

    Args:
        sample: The contents of the frames.
        num_frames: Number of frames, by default the sample's.
    """
    width, height = sample.size
    scenery = sample.background.copy()
    if 'companion' in sample.attributes:
        _draw_companion(sample, scenery)
    column, row, body_height = sample.place
    canvas = np.empty_like(scenery)
    pen = Pen(
        canvas=canvas,
        x=OVERSAMPLING * width * column,
        ground=OVERSAMPLING * height * row,
        height=OVERSAMPLING * height * body_height,
        mirrored=sample.mirrored,
    )
    gain, gamma = sample.lighting
    exposure = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).astype(np.uint8)
    # One field of noise, read at a random offset in each frame, looks like new noise.
    rng = np.random.default_rng(sample.noise_seed)
    noise = np.rint(rng.normal(0, sample.noise, (height + 16, width + 16, 3))).astype(np.int16)
    pose_at = ACTIONS[sample.action][0]
    person = sample.person
    for index in range(sample.num_frames if num_frames is None else num_frames):
        np.copyto(canvas, scenery)
        pose = pose_at(sample.phase + sample.speed * index / FPS, sample.style)
        draw_figure(pen, person.body, person.looks, pose, sample.attributes)
        frame = cv2.LUT(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), exposure)
        dy, dx = rng.integers(0, 16, 2)
        window = np.ascontiguousarray(noise[dy : dy + height, dx : dx + width])
        yield cv2.add(frame, window, dtype=cv2.CV_8U)


def labels_of(sample: Sample) -> list[str]:
    """Return the sample's attributes in the order of the annotation files."""
    return [attribute for attribute in ATTRIBUTES if attribute in sample.attributes]


def _draw_companion(sample: Sample, canvas: np.ndarray) -> None:
    """Draw a plain companion, whose looks must not show the person's own attributes."""
    rng = np.random.default_rng([sample.noise_seed, 1])
    place = sample.companion
    pen = Pen(canvas, place.x, place.ground, place.height)
    pose = stand(sample.companion_style)
    shared = sample.attributes & {'dark_skin'}
    draw_figure(pen, sample.person.body, draw_looks(rng), pose, shared)


def _draw_style(rng: np.random.Generator) -> Style:
    return Style(rng.uniform(0.88, 1.06), tuple(rng.uniform(-7, 7, 4).tolist()))


def _draw_background(
    rng: np.random.Generator, width: int, height: int, person: Person
) -> np.ndarray:
    """Draw a background with other colours than the figure, for all of its attributes."""
    looks = person.looks
    worn = (looks.light_skin, looks.dark_skin, looks.shirt, looks.trousers, looks.hair)

    def contrast(palette: list[Color]) -> float:
        return min(color_distance(paint, part) for paint in palette for part in worn)

    palette = _draw_palette(rng)
    for _ in range(24):
        if contrast(palette) >= MIN_CONTRAST:
            break
        palette = max(palette, _draw_palette(rng), key=contrast)
    return _paint(rng, palette, OVERSAMPLING * width, OVERSAMPLING * height)


def _draw_palette(rng: np.random.Generator) -> list[Color]:
    """Draw three related colours, so that a background is no camouflage pattern."""
    first = np.array(draw_color(rng, (0.05, 0.6), (0.2, 1.0)))
    shifts = rng.uniform(-35, 35, (2, 1)) + rng.uniform(-18, 18, (2, 3))
    return [tuple(np.clip(c, 0, 255).astype(int).tolist()) for c in (first, *(first + shifts))]


def _paint(rng: np.random.Generator, palette: list[Color], width: int, height: int) -> np.ndarray:
    first, second, third = palette
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = first
    kind = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    if kind == 'gradient':
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.add.outer(
            np.sin(angle) * np.linspace(-1, 1, height), np.cos(angle) * np.linspace(-1, 1, width)
        )
        ramp = (ramp - ramp.min()) / np.ptp(ramp)
        canvas[:] = np.rint(first + ramp[..., None] * np.subtract(second, first))
    elif kind == 'stripes':
        step = int(width * rng.uniform(0.06, 0.2))
        axis = rng.integers(2)
        lanes = np.arange((width, height)[axis]) // step % 2 == 1
        canvas[(slice(None), lanes) if axis == 0 else lanes] = second
    elif kind == 'room':
        floor = int(height * rng.uniform(0.7, 0.88))
        canvas[floor:] = second
        cv2.line(canvas, (0, floor), (width, floor), third, int(0.02 * height))
        left, top = int(width * rng.uniform(0.05, 0.7)), int(height * rng.uniform(0.05, 0.2))
        corner = (left + int(0.22 * width), top + int(0.3 * height))
        cv2.rectangle(canvas, (left, top), corner, third, -1)
    else:
        for _ in range(rng.integers(3, 8)):
            left, top = (rng.uniform(-0.1, 0.9, 2) * (width, height)).astype(int).tolist()
            extent = (rng.uniform(0.1, 0.45, 2) * (width, height)).astype(int).tolist()
            corner = (left + extent[0], top + extent[1])
            cv2.rectangle(canvas, (left, top), corner, (second, third)[rng.integers(2)], -1)
    return canvas
