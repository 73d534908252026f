"""Measures of a ranking by scores."""

import numpy as np


def average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return ``sum_n (R_n - R_{n-1}) P_n`` over the distinct scores, highest first.

    Average precision as in scikit-learn's ``average_precision_score``: samples with equal scores
    enter together, without interpolation.

    Args:
        targets (np.ndarray): Whether each sample is positive, (N,) bool.
        scores (np.ndarray): (N,), finite.

    Returns:
        float: In [0, 1]; 0 if no sample is positive.
    """
    if not targets.any():
        return 0.0
    targets, last_of_ties = _rank(targets, scores)
    hits = targets.cumsum()[last_of_ties]
    return float((np.diff(hits, prepend=0) * hits / (last_of_ties + 1)).sum() / hits[-1])


def roc_curve(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ROC curve over the distinct scores, highest first.

    Samples with equal scores enter together, so ties become a slanted line.

    Args:
        targets (np.ndarray): Whether each sample is positive, (N,) bool, with at least one of each
            kind.
        scores (np.ndarray): (N,), finite.

    Returns:
        tuple[np.ndarray, np.ndarray]: The accepted fractions of the negatives and of the positives,
        from (0, 0) to (1, 1).
    """
    targets, last_of_ties = _rank(targets, scores)
    curves = [np.append(0, kind.cumsum()[last_of_ties]) for kind in (~targets, targets)]
    return curves[0] / curves[0][-1], curves[1] / curves[1][-1]


def equal_error_rate(false_alarms: np.ndarray, hits: np.ndarray) -> float:
    """Return the rate at which a piecewise linear ROC curve has as many misses as false alarms.

    Args:
        false_alarms (np.ndarray): From :func:`roc_curve`.
        hits (np.ndarray): From :func:`roc_curve`.

    Returns:
        float: In [0, 1].
    """
    # The excess rises from -1 to 1; interpolate the false alarms where it is 0.
    excess = false_alarms - (1 - hits)
    return float(np.interp(0, excess, false_alarms))


def rank_first(
    similarity: np.ndarray, same: np.ndarray, compared: np.ndarray
) -> tuple[float, float]:
    """Return Rank-1 and its chance level.

    Args:
        similarity (np.ndarray): (N, N), similarity of each video to each.
        same (np.ndarray): (N, N) bool, whether two videos show the same person.
        compared (np.ndarray): (N, N) bool, whether two videos are compared; at least one in each
            row.

    Returns:
        tuple[float, float]: The share of ``same`` among the most similar videos, and among all
        compared videos, each averaged over the rows.
    """
    similarity = np.where(compared, similarity, -np.inf)
    nearest = similarity == similarity.max(1, keepdims=True)
    shares = [(same & chosen).sum(1) / chosen.sum(1) for chosen in (nearest, compared)]
    return float(shares[0].mean()), float(shares[1].mean())


def _rank(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets by falling score, and the last index of each distinct score."""
    order = np.argsort(-scores, kind='stable')
    targets, scores = targets[order], scores[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return targets, last_of_ties
