"""What the plots show, as arrays."""

import numpy as np
from numpy.typing import NDArray

from learners.metrics import Judged, average_precisions

__all__ = ["average_precision_by_tag", "means_by_octave", "precision_recall"]

FloatArray = NDArray[np.float64]


def precision_recall(judged: Judged, n_points: int = 200) -> tuple[FloatArray, FloatArray]:
    """Precision and recall of all decisions together, over all thresholds.

    Parameters
    ----------
    judged : Judged
        Scores and truth.
    n_points : int, default=200
        Points kept, about evenly spaced in recall; the ends always are.

    Returns
    -------
    recall, precision : ndarray of float64, shape (n_points or fewer,)
        Recall ascending. A point a distinct score: equal scores pass a threshold together.
        Recall ends below 1 where true tags are no candidates.

    Examples
    --------
    >>> scores, truth = np.array([[0.9, 0.5], [0.5, 0.1]]), np.array([[1, 0], [1, 0]])
    >>> precision_recall(Judged(scores, truth))
    (array([0.5, 1. ]), array([1.        , 0.66666667]))
    """
    n_relevant = int(np.count_nonzero(judged.relevant))
    said, true = judged.scores[judged.candidates], judged.relevant[judged.candidates]
    if not n_relevant or not said.size:
        return np.empty(0), np.empty(0)
    order = np.argsort(-said, kind="stable")
    said = said[order]
    ends = np.flatnonzero(np.append(said[1:] != said[:-1], True))
    found = np.cumsum(true[order])[ends]
    recall, precision = found / n_relevant, found / (ends + 1)
    # Of the points up to each recall the last one; nothing lies between the last hit and the end.
    wanted = np.linspace(recall[0], recall[-1], n_points)
    kept = np.unique(np.r_[0, np.searchsorted(recall, wanted), np.searchsorted(recall, recall[-1])])
    return recall[kept], precision[kept]


def average_precision_by_tag(judged: Judged) -> tuple[NDArray[np.int64], FloatArray]:
    """Return how many pictures have each tag, and its average precision (NaN where none has)."""
    values = average_precisions(judged.image_order, judged.relevant.T, judged.candidates.T)
    return np.count_nonzero(judged.relevant, axis=0), values


def means_by_octave(
    frequencies: NDArray[np.int64], values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Average the values of tags of about the same frequency: 1, 2 to 3, 4 to 7, ...

    Returns
    -------
    frequency, mean : ndarray of float64, shape (n_octaves,)
        Geometric mean of the frequencies and mean of the values, of each octave that has tags.

    Examples
    --------
    >>> means_by_octave(np.array([0, 1, 4, 4]), np.array([np.nan, 0.2, 0.4, 0.6]))
    (array([1., 4.]), array([0.2, 0.5]))
    """
    judged = frequencies > 0
    logs, values = np.log2(frequencies[judged]), values[judged]
    octaves = np.floor(logs).astype(np.int64)
    counts = np.bincount(octaves)
    filled = counts > 0
    places = np.bincount(octaves, weights=logs)[filled] / counts[filled]
    means = np.bincount(octaves, weights=values)[filled] / counts[filled]
    return np.exp2(places), means
