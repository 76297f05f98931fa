"""One number a picture and tag that ranks as the engine ranks: by score, then by tie break."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["folded"]

# Whole numbers that float32 holds exactly, and trec_eval with it.
_FLOAT32_INTEGERS = 1 << 24


def folded(
    scores: NDArray[np.floating], tie_breaks: Sequence[NDArray[np.generic]] = ()
) -> NDArray[np.floating]:
    """Fold scores and tie breaks into scores that need no tie breaks.

    Parameters
    ----------
    scores : ndarray of float, shape (n_images, n_tags)
        Higher is better; no NaN. ``-inf`` = not a candidate, and stays.
    tie_breaks : sequence of ndarray, each of shape (n_images, n_tags) or (n_tags,)
        As :meth:`learners.base.TagLearner.tie_breaks` returns them.

    Returns
    -------
    ndarray of float32 or float64, shape (n_images, n_tags)
        `scores` themselves where they order every picture's tags without ties. Else the dense
        rank, from 0, of (score, tie breaks, position of the tag, the first best) among all
        pictures and tags: one monotone map for the whole matrix, so that tags are ranked in a
        picture as :func:`learners.ranking.rank_tags` ranks them, and pictures under a tag by
        the same scores and tie breaks, ties among them staying ties. float32 holds the ranks
        exactly, unless there are more than 16 million, which come as float64.

    Examples
    --------
    >>> folded(np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]), [np.array([1, 2, 0])])
    array([[3., 4., 0.],
           [3., 1., 2.]], dtype=float32)
    """
    candidates = scores > -np.inf
    ordered = np.sort(scores, axis=1)
    if not np.any((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > -np.inf)):
        return scores
    position = np.arange(scores.shape[1], 0, -1)
    keys = [
        np.broadcast_to(key, scores.shape)[candidates] for key in (scores, *tie_breaks, position)
    ]
    order = np.lexsort(keys[::-1])
    rises = np.zeros(order.size, dtype=bool)
    for key in keys:
        rises[1:] |= key[order][1:] != key[order][:-1]
    ranks = np.empty(order.size, dtype=np.int64)
    ranks[order] = np.cumsum(rises)
    kind = np.float32 if ranks.max(initial=0) < _FLOAT32_INTEGERS else np.float64
    result = np.full(scores.shape, -np.inf, dtype=kind)
    result[candidates] = ranks
    return result
