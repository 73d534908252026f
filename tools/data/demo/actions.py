"""The actions of the demo set: a pose for each moment of a repeated movement.

``phase`` counts cycles: the pose at 1.25 is the pose at 0.25, except for a walker's position. An
action is defined by the poses of limbs and their change, independent of looks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from figure import Limb, Pose


@dataclass(frozen=True)
class Style:
    """The posture and movement of a person.

    Attributes:
        amplitude (float): Factor on the movement, about 1.
        idle (tuple[float, ...]): Offsets of the resting arms and legs (arm, arm, leg, leg), in
            degrees.
    """

    amplitude: float = 1.0
    idle: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def stand(style: Style, facing: float = 0.0) -> Pose:
    """Return the pose of a person at rest."""
    left_arm, right_arm, left_leg, right_leg = style.idle
    return Pose(
        arms=(Limb(-14 + left_arm, -9 + left_arm), Limb(14 + right_arm, 9 + right_arm)),
        legs=(Limb(-6 + left_leg, -5 + left_leg), Limb(6 + right_leg, 5 + right_leg)),
        facing=facing,
    )


def wave(phase: float, style: Style) -> Pose:
    """One arm is up and waves from the elbow."""
    rest = stand(style)
    upper = 118 + 0.6 * style.idle[1]
    forearm = 172 + 42 * style.amplitude * _swing(phase)
    return Pose((rest.arms[0], Limb(upper, forearm)), rest.legs, tilt=3 * _swing(phase))


def clap(phase: float, style: Style) -> Pose:
    """Both hands meet before the chest and part widely."""
    rest = stand(style)
    opening = _ease(phase)
    upper = 42 + 36 * opening * style.amplitude
    forearm = -104 + 210 * opening
    return Pose((Limb(-upper, -forearm), Limb(upper, forearm)), rest.legs)


def jumping_jack(phase: float, style: Style) -> Pose:
    """Arms and legs spread in a jump and close again."""
    spread = _ease(phase) * style.amplitude
    arm, forearm, leg = 14 + 132 * spread, 10 + 146 * spread, 4 + 34 * spread
    return Pose(
        (Limb(-arm, -forearm), Limb(arm, forearm)),
        (Limb(-leg, -leg), Limb(leg, leg)),
        lift=0.05 * abs(_swing(phase)),
    )


def squat(phase: float, style: Style) -> Pose:
    """Knees bend outwards until the hips are low, hands held before the body."""
    rest = stand(style)
    depth = _ease(phase) * style.amplitude
    thigh, shin, arm, forearm = 10 + 68 * depth, 8 - 22 * depth, 18 + 24 * depth, 8 - 70 * depth
    left, right = rest.arms[0].upper + 14, rest.arms[1].upper - 14
    return Pose(
        (Limb(left - arm, left - forearm), Limb(right + arm, right + forearm)),
        (Limb(-thigh, -shin), Limb(thigh, shin)),
    )


def kick(phase: float, style: Style) -> Pose:
    """One straight leg swings up to the side that the face looks to."""
    rest = stand(style, facing=0.8)
    height = _ease(phase) * style.amplitude
    thigh = 4 + 92 * height
    shin = thigh - 40 * max(0.0, _swing(phase))
    arms = (Limb(-38 + style.idle[0], -30), Limb(30 + style.idle[1], 24))
    return Pose(arms, (rest.legs[0], Limb(thigh, shin)), lean=-12 * height, facing=0.8)


def bow(phase: float, style: Style) -> Pose:
    """The torso bends forward, and the arms go with it."""
    rest = stand(style, facing=0.8)
    lean = 74 * _ease(phase) * style.amplitude
    arms = tuple(Limb(arm.upper - 0.3 * lean, arm.lower - 0.2 * lean) for arm in rest.arms)
    return Pose(arms, rest.legs, lean=lean, facing=0.8)


def walk(phase: float, style: Style) -> Pose:
    """Legs and arms swing crosswise while the figure goes to and fro."""
    # Two steps each way: a triangle wave of period four.
    position = phase / 4 % 1
    facing = 1.0 if position < 0.5 else -1.0
    travel = 0.36 * (1 - abs(4 * position - 2))
    swing = 34 * style.amplitude * _swing(phase)
    bends = [max(0.0, turn * np.cos(2 * np.pi * phase)) * 45 * facing for turn in (1, -1)]
    legs = (Limb(swing, swing - bends[0]), Limb(-swing, -swing - bends[1]))
    arms = tuple(
        Limb(turn * swing + offset, turn * 1.1 * swing + offset + 22 * facing)
        for turn, offset in ((-1, 0.4 * style.idle[0]), (1, 0.4 * style.idle[1]))
    )
    return Pose(arms, legs, lean=5 * facing, facing=facing, travel=travel)


def raise_arms(phase: float, style: Style) -> Pose:
    """Both arms, parallel and straight, go forward and up and come down again."""
    rest = stand(style, facing=0.8)
    angle = 6 + 150 * _ease(phase) * style.amplitude
    arms = (Limb(angle - 4, angle + 2), Limb(angle + 4, angle + 8))
    return Pose(arms, rest.legs, facing=0.8)


def _swing(phase: float) -> float:
    return float(np.sin(2 * np.pi * phase))


def _ease(phase: float) -> float:
    """Rise from 0 to 1 and fall back, once a cycle."""
    return 0.5 - 0.5 * float(np.cos(2 * np.pi * phase))


#: The action of each class index, and the range of its speed in cycles per second.
ACTIONS: dict[str, tuple[Callable[[float, Style], Pose], tuple[float, float]]] = {
    'wave': (wave, (1.2, 1.9)),
    'clap': (clap, (1.0, 1.7)),
    'jumping_jack': (jumping_jack, (0.9, 1.3)),
    'squat': (squat, (0.8, 1.1)),
    'kick': (kick, (0.9, 1.4)),
    'bow': (bow, (0.7, 1.0)),
    'walk': (walk, (0.9, 1.4)),
    'raise_arms': (raise_arms, (0.7, 1.0)),
}
CLASSES = tuple(ACTIONS)
