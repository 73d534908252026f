"""An articulated figure in the plane: its body, pose, looks and drawing.

Lengths are in body heights, the origin lies on the ground below the hips, y points up. Angles are
in degrees from straight down (limbs) or straight up (torso, head) towards +x.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pen import Color, Pen, darker

#: The private attributes, in the order of the annotation files.
ATTRIBUTES = ('dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat', 'companion')
PRINTS = ('bands', 'stripes', 'dots', 'checks')

FRAME_COLOR = (12, 12, 16)
LENS_COLOR = (225, 238, 245)
CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 28, endpoint=False)) for f in (np.cos, np.sin)], 1)


@dataclass(frozen=True)
class Body:
    """Proportions of a person, in body heights."""

    head: float = 0.145
    face_width: float = 0.92
    shoulders: float = 0.125
    hips: float = 0.08
    torso: float = 0.28
    arm: float = 0.185
    leg: float = 0.195
    arm_width: float = 0.078
    leg_width: float = 0.1


@dataclass(frozen=True)
class Looks:
    """Colours and patterns of a person; every choice exists, whether or not an attribute shows it.

    Attributes:
        light_skin (Color): Skin without the attribute ``dark_skin``.
        dark_skin (Color): Skin with it.
        hair (Color): Hair colour.
        shirt (Color): Shirt colour.
        shirt_print (Color): Colour of the pattern on the shirt.
        print_kind (str): One of :data:`PRINTS`.
        print_count (int): Number of the pattern's bands across the torso.
        trousers (Color): Trousers' colour.
        shoes (Color): Shoes' colour.
        hat (Color): Hat colour.
    """

    light_skin: Color
    dark_skin: Color
    hair: Color
    shirt: Color
    shirt_print: Color
    print_kind: str
    print_count: int
    trousers: Color
    shoes: Color
    hat: Color


class Limb(NamedTuple):
    """Angles of an arm (upper arm, forearm) or a leg (thigh, shin)."""

    upper: float
    lower: float


@dataclass(frozen=True)
class Pose:
    """Angles of all parts, in degrees.

    Attributes:
        arms (tuple[Limb, Limb]): The arm at -x, the arm at +x.
        legs (tuple[Limb, Limb]): The leg at -x, the leg at +x.
        lean (float): Angle of the torso.
        tilt (float): Angle of the head relative to the torso.
        facing (float): Direction of the face, -1 (towards -x) to 1.
        lift (float): Height of the lower foot above the ground.
        travel (float): Offset along x.
    """

    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    lean: float = 0.0
    tilt: float = 0.0
    facing: float = 0.0
    lift: float = 0.0
    travel: float = 0.0


def draw_figure(
    pen: Pen, body: Body, looks: Looks, pose: Pose, attributes: frozenset[str] = frozenset()
) -> None:
    """Draw a person.

    The head is drawn last, so that no raised arm hides hat or glasses.

    Args:
        pen: Pen with position and size of the figure.
        body: Proportions.
        looks: Colours and patterns.
        pose: Angles of all parts.
        attributes: Attributes of the person, from :data:`ATTRIBUTES`; a companion is another
            figure.
    """
    outline = 0.014
    skin = looks.dark_skin if 'dark_skin' in attributes else looks.light_skin
    hip_height = max(_drop(body.leg, leg) for leg in pose.legs) + 0.03 + pose.lift
    hips = np.array([pose.travel, hip_height])
    up = _direction(pose.lean, 1)
    side = np.array([up[1], -up[0]])
    neck = hips + body.torso * up

    for sign, leg in zip((-1, 1), pose.legs, strict=True):
        joints = _chain(hips + 0.8 * sign * body.hips * side, body.leg, leg)
        toe = joints[2] + (0.045 * (pose.facing or sign), 0)
        pen.limb([joints[2], toe], [looks.shoes], 0.06, outline)
        pen.limb(joints, [looks.trousers], body.leg_width, outline)

    _draw_torso(pen, body, looks, hips, up, side, 'shirt_print' in attributes, outline)

    for sign, arm in zip((-1, 1), pose.arms, strict=True):
        shoulder = neck + sign * (body.shoulders - 0.01) * side - 0.035 * up
        joints = _chain(shoulder, body.arm, arm)
        pen.limb(joints, [looks.shirt, skin], body.arm_width, outline)
        pen.dot(joints[2], skin, 1.3 * body.arm_width, outline)

    up = _direction(pose.lean + pose.tilt, 1)
    side = np.array([up[1], -up[0]])
    center = neck + (0.86 * body.head + 0.01) * up
    _draw_head(pen, body, looks, center, up, side, pose.facing, skin, attributes, outline)


def _draw_torso(
    pen: Pen,
    body: Body,
    looks: Looks,
    hips: np.ndarray,
    up: np.ndarray,
    side: np.ndarray,
    has_print: bool,
    outline: float,
) -> None:
    def at(across: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Map ([-1, 1], [0, 1]) onto the torso, hips to shoulders."""
        across, along = np.broadcast_arrays(across, along)
        half = body.hips + 0.035 + (body.shoulders - body.hips - 0.025) * along
        return hips + np.outer(across * half, side) + np.outer(along * body.torso - 0.02, up)

    corners = np.array([[-1, 0], [1, 0], [1, 0.9], [0.75, 1.02], [-0.75, 1.02], [-1, 0.9]])
    pen.polygon(at(*corners.T), looks.shirt, outline)
    if not has_print:
        return
    count = looks.print_count
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    if looks.print_kind in ('bands', 'stripes'):
        cells = [(0, row, 1, 1 / (2 * count)) for row in (np.arange(count) + 0.25) / count]
        if looks.print_kind == 'stripes':
            cells = [(row, 0, height, width) for (_, row, width, height) in cells]
    else:
        grid = np.arange(count) / count
        cells = [
            (x, y, 1 / count, 1 / count)
            for i, x in enumerate(grid)
            for j, y in enumerate(grid)
            if (i + j) % 2 == 0
        ]
    for x, y, width, height in cells:
        shape = square
        if looks.print_kind == 'dots':
            shape = 0.5 + 0.5 * CIRCLE
        shape = shape * (width, height) + (x, y)
        pen.polygon(at(2 * shape[:, 0] - 1, shape[:, 1]), looks.shirt_print)


def _draw_head(
    pen: Pen,
    body: Body,
    looks: Looks,
    center: np.ndarray,
    up: np.ndarray,
    side: np.ndarray,
    facing: float,
    skin: Color,
    attributes: frozenset[str],
    outline: float,
) -> None:
    radii = body.head * np.array([body.face_width, 1.0])
    axes = np.stack([side, up])

    def at(points: Sequence | np.ndarray) -> np.ndarray:
        """Map points in head radii onto the figure's coordinates."""
        return center + (np.asarray(points) * radii) @ axes

    if 'long_hair' in attributes:
        half = [(0.0, 1.12), (0.75, 0.95), (1.2, 0.35), (1.32, -0.6), (1.45, -1.45), (0.95, -1.6)]
        mane = half + [(-x, y) for x, y in reversed(half)]
        pen.polygon(at(mane), looks.hair, outline)

    pen.polygon(at(CIRCLE), skin, outline)
    look = 0.22 * facing
    for sign in (-1, 1):
        eye = at((0.4 * sign + look, -0.05))
        if 'glasses' in attributes:
            ring = at(np.array([0.42 * sign + look, -0.05]) + 0.35 * CIRCLE)
            pen.polygon(ring, LENS_COLOR)
            pen.line(ring, FRAME_COLOR, 0.025, closed=True)
            ear = [(sign * 0.74 + look, 0.0), (sign * 0.98, 0.08)]
            pen.line(at(ear), FRAME_COLOR, 0.024)
        pen.dot(eye, FRAME_COLOR, 0.024)
    if 'glasses' in attributes:
        pen.line(at([(look - 0.1, 0), (look + 0.1, 0)]), FRAME_COLOR, 0.025)
    mouth = [(look - 0.22, -0.58), (look, -0.66), (look + 0.22, -0.58)]
    pen.line(at(mouth), (140, 40, 40), 0.014)

    crown = CIRCLE[CIRCLE[:, 1] >= 0.35] * (1.06, 1.1)
    if 'hat' in attributes:
        pen.polygon(
            at([(-0.85, 0.5), (0.85, 0.5), (0.7, 1.5), (-0.7, 1.5)]), looks.hat, 1.2 * outline
        )
        brim = at([(-1.25, 0.5), (1.25, 0.5)])
        pen.line(brim, darker(looks.hat), 0.075)
        pen.line(brim, looks.hat, 0.048)
    else:
        pen.polygon(at(crown), looks.hair, outline)


def _direction(angle: float, sign: int = -1) -> np.ndarray:
    radians = np.deg2rad(angle)
    return np.array([np.sin(radians), sign * np.cos(radians)])


def _chain(start: np.ndarray, length: float, limb: Limb) -> list[np.ndarray]:
    middle = start + length * _direction(limb.upper)
    return [start, middle, middle + length * _direction(limb.lower)]


def _drop(length: float, limb: Limb) -> float:
    return length * float(np.cos(np.deg2rad(limb)).sum())
