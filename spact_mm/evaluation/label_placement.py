"""Placement of names beside points, so that they cover nothing."""

import numpy as np

#: Gaps between a name and its point to try, nearest first, in units of the caller.
_GAPS = (7, 12, 18, 26, 36, 50)
_ANGLES = np.arange(16) * np.pi / 8
_ROUNDS = 3


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    obstacles: np.ndarray,
    bounds: np.ndarray,
    unit: float = 1.0,
) -> np.ndarray:
    """Choose a place around its point for each label that covers the least, near places first.

    A greedy search, repeated so that early labels take later ones into account. Boxes are (left,
    bottom, right, top).

    Args:
        points (np.ndarray): The labelled points, (N, 2).
        sizes (np.ndarray): Width and height of the labels, (N, 2).
        obstacles (np.ndarray): Boxes that must not be covered, (M, 4).
        bounds (np.ndarray): Box that labels must not leave, (4,).
        unit (float): Length of a typographic point in the unit of the coordinates.

    Returns:
        np.ndarray: Centres of the labels, (N, 2).
    """
    gaps, angles = (grid.ravel() for grid in np.meshgrid(_GAPS, _ANGLES, indexing='ij'))
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    boxes, costs = [], []
    for point, size in zip(points, sizes, strict=True):
        centers = point + directions * (size / 2 + unit * gaps[:, None])
        candidates = np.hstack([centers - size / 2, centers + size / 2])
        outside = size.prod() - _overlap(candidates, bounds[None])[:, 0]
        boxes.append(candidates)
        costs.append(_overlap(candidates, obstacles).sum(1) + outside + 2 * unit * gaps)
    chosen = np.full((len(points), 4), -np.inf)
    for _ in range(_ROUNDS):
        for index, (candidates, cost) in enumerate(zip(boxes, costs, strict=True)):
            others = np.delete(chosen, index, axis=0)
            others = others[np.isfinite(others[:, 0])]
            # Overlapping names are the worst to read.
            chosen[index] = candidates[np.argmin(cost + 3 * _overlap(candidates, others).sum(1))]
    return (chosen[:, :2] + chosen[:, 2:]) / 2


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the common area of each of N boxes with each of M others, (N, M)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (high - low).clip(min=0).prod(2)
