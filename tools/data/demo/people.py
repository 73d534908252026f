"""Persons: bodies, looks and private attributes, random by the person's own seed."""

import colorsys
from dataclasses import dataclass

import numpy as np
from figure import PRINTS, Body, Looks
from pen import Color

#: Attributes of the person; a companion is an attribute of the sample.
PERSONAL_ATTRIBUTES = ('dark_skin', 'long_hair', 'glasses', 'shirt_print', 'hat')
PREVALENCE = 0.4

HAIR_COLORS = ((25, 20, 18), (70, 42, 24), (120, 66, 30), (205, 165, 85), (150, 150, 155))
LIGHT_SKIN, DARK_SKIN = (238, 200, 172), (104, 66, 44)


@dataclass(frozen=True)
class Person:
    """A person of the demo set.

    Attributes:
        number (int): Unique in the data set.
        body (Body): Proportions.
        looks (Looks): Colours and patterns.
        attributes (frozenset[str]): Attributes of the person, from :data:`PERSONAL_ATTRIBUTES`.
    """

    number: int
    body: Body
    looks: Looks
    attributes: frozenset[str]


def draw_person(seed: int, number: int) -> Person:
    """Draw the person of a number, which depends only on the two arguments."""
    rng = np.random.default_rng([seed, 0, number])
    present = rng.random(len(PERSONAL_ATTRIBUTES)) < PREVALENCE
    attributes = frozenset(np.array(PERSONAL_ATTRIBUTES)[present].tolist())
    return Person(number, _draw_body(rng), draw_looks(rng), attributes)


def draw_looks(rng: np.random.Generator) -> Looks:
    """Draw all colours and patterns of a person, also those that will not be visible."""
    shirt = draw_color(rng)
    return Looks(
        light_skin=_vary(rng, LIGHT_SKIN, 14),
        dark_skin=_vary(rng, DARK_SKIN, 14),
        hair=_vary(rng, HAIR_COLORS[rng.integers(len(HAIR_COLORS))], 10),
        shirt=shirt,
        shirt_print=_draw_contrasting(rng, shirt),
        print_kind=PRINTS[rng.integers(len(PRINTS))],
        print_count=int(rng.integers(3, 5)),
        trousers=draw_color(rng),
        shoes=draw_color(rng, value=(0.15, 0.5)),
        hat=draw_color(rng, value=(0.6, 1.0)),
    )


def draw_color(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.25, 0.95),
    value: tuple[float, float] = (0.3, 0.95),
) -> Color:
    """Draw an RGB colour of any hue."""
    hsv = rng.uniform((0, saturation[0], value[0]), (1, saturation[1], value[1]))
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(*hsv))


def color_distance(first: Color, second: Color) -> float:
    """Return a distance of RGB colours, 0 to 255, in which brightness counts most."""
    red, green, blue = np.subtract(first, second).astype(float)
    brightness = 0.3 * red + 0.59 * green + 0.11 * blue
    return float(np.hypot(brightness, 0.5 * np.hypot(red - green, blue - green)))


def _draw_body(rng: np.random.Generator) -> Body:
    mean = Body()
    lengths = {name: getattr(mean, name) * rng.uniform(0.93, 1.07) for name in vars(mean)}
    # A wide range of build and limb thickness, a narrow range of the parts that carry attributes.
    build = rng.uniform(0.88, 1.15)
    for name in ('shoulders', 'hips', 'arm_width', 'leg_width'):
        lengths[name] *= build
    return Body(**lengths)


def _draw_contrasting(rng: np.random.Generator, color: Color) -> Color:
    candidates = [draw_color(rng, (0.0, 0.9), (0.05, 1.0)) for _ in range(12)]
    return max(candidates, key=lambda candidate: color_distance(candidate, color))


def _vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    # Most of the variation is common to all channels: brightness, hardly hue.
    shift = rng.uniform(-spread, spread) + rng.uniform(-0.3 * spread, 0.3 * spread, 3)
    return tuple(np.clip(np.rint(color + shift), 0, 255).astype(int).tolist())
