"""Measures of a ranking: average precision, discounted cumulative gain."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_precisions", "best_first", "dcg_ratios", "hits", "score_precisions"]

# Scores sorted at a time: bounds the temporaries of a sort to some 100 MB.
STEP_SIZE = 1 << 22

# So many items are ranked faster by counting those above each than by sorting all.
_FEW_RANKED = 24


def best_first(scores: NDArray[np.floating], by_id: NDArray[np.intp]) -> NDArray[np.int32]:
    """Sort each row by score, ties by id, both descending.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rankings, n_items)
        No NaN.
    by_id : ndarray of int, shape (n_items,)
        The items by id, descending.

    Returns
    -------
    ndarray of int32, shape (n_rankings, n_items)
        Item positions, best first.

    Examples
    --------
    >>> best_first(np.array([[0.5, 0.9, 0.5]]), np.array([2, 1, 0]))
    array([[1, 2, 0]], dtype=int32)
    """
    n_rankings, n_items = scores.shape
    order = np.empty((n_rankings, n_items), dtype=np.int32)
    step = max(1, STEP_SIZE // max(n_items, 1))
    for start in range(0, n_rankings, step):
        part = slice(start, start + step)
        # The stable sort leaves ties in the order they stand in, which is by id.
        order[part] = by_id[np.argsort(-scores[part][:, by_id], axis=1, kind="stable")]
    return order


def average_precisions(
    order: NDArray[np.integer],
    relevant: NDArray[np.bool_],
    retrieved: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    r"""Average precision of each ranking.

    With :math:`r_1 < r_2 < \dots` the ranks of the relevant items that are retrieved and
    :math:`R` the number of all relevant items,

    .. math:: AP = \frac{1}{R} \sum_m \frac{m}{r_m} .

    Parameters
    ----------
    order : ndarray of int, shape (n_rankings, n_items)
        Item positions, best first.
    relevant : ndarray of bool, shape (n_rankings, n_items)
        By item position.
    retrieved : ndarray of bool, shape (n_rankings, n_items), optional
        Items that are not retrieved stand at the end of `order` and add nothing. None = all.

    Returns
    -------
    ndarray of float64, shape (n_rankings,)
        In [0, 1]; NaN where nothing is relevant.

    Notes
    -----
    The survey prints the sum up to N, the number of relevant pictures. Read literally, a
    relevant picture below rank N would add nothing; the sum here runs over the full
    ranking, as the measure is meant and as trec_eval computes it.

    References
    ----------
    J. Fu, Y. Rui, "Advances in deep learning approaches for image tagging",
    equation 6.
    """
    ranking, rank, found = hits(order, relevant, retrieved)
    n_relevant = np.count_nonzero(relevant, axis=1)
    totals = np.bincount(ranking, weights=found / (rank + 1), minlength=len(order))
    values = np.full(len(order), np.nan)
    np.divide(totals, n_relevant, out=values, where=n_relevant > 0)
    return values


def score_precisions(
    scores: NDArray[np.floating], relevant: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Average precision of each row of scores, where nobody needs the ranking itself.

    That of :func:`average_precisions`, of equal scores the first leading. Where few of thousands
    of items are relevant, it takes a tenth of the time: the others are not sorted.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rankings, n_items)
        No NaN.
    relevant : ndarray of bool, shape (n_rankings, n_items)

    Returns
    -------
    ndarray of float64, shape (n_rankings,)
        In [0, 1]; NaN where nothing is relevant.

    Examples
    --------
    >>> score_precisions(np.array([[0.5, 0.9, 0.5]]), np.array([[False, True, True]])).round(3)
    array([0.833])
    """
    found = np.full(len(scores), np.nan)
    for row in np.flatnonzero(relevant.any(axis=1)):
        items = np.flatnonzero(relevant[row])
        ranks = np.sort(_ranks(scores[row], items))
        found[row] = np.mean(np.arange(1, len(items) + 1) / ranks)
    return found


def _ranks(scores: NDArray[np.floating], items: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the ranks of some items, from 1, int64 (n,); the first of equal scores leads."""
    if len(items) > _FEW_RANKED:
        of_all = np.empty(len(scores), np.int64)
        of_all[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        return np.asarray(of_all[items])
    ranks = np.ones(len(items), np.int64)
    for place, item in enumerate(items):
        level = scores[item]
        ranks[place] += np.count_nonzero(scores > level)
        ranks[place] += np.count_nonzero(scores[:item] == level)
    return ranks


def hits(
    order: NDArray[np.integer],
    relevant: NDArray[np.bool_],
    retrieved: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """List the relevant items that are retrieved, ranking by ranking, best first.

    Returns
    -------
    ranking, rank, found : ndarray of int, shape (n_hits,)
        The ranking of each hit, its rank in it from 0, and how many hits it has so far,
        this one counted.
    """
    if retrieved is not None:
        relevant = relevant & retrieved
    ranking, rank = np.nonzero(np.take_along_axis(relevant, order, axis=1))
    first_hit = np.searchsorted(ranking, np.arange(len(order)))
    found = np.arange(1, len(ranking) + 1) - first_hit[ranking]
    return ranking, rank, found


def dcg_ratios(
    order: NDArray[np.integer],
    grades: NDArray[np.generic],
    cutoff: int,
    retrieved: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    r"""Discounted cumulative gain of each ranking's top, over that of the ideal ranking.

    .. math:: DCG@l = \sum_{i \le l} \frac{2^{r_i} - 1}{\log_2(1 + i)}

    with :math:`r_i` the grade of the item at rank :math:`i`. The ideal ranking holds all
    items of the truth, best grades first, cut at the same :math:`l`.

    Parameters
    ----------
    order : ndarray of int, shape (n_rankings, n_items)
        Item positions, best first.
    grades : ndarray of bool or number, shape (n_rankings, n_items)
        By item position; 0 = not relevant.
    cutoff : int
        Ranks that count, at least 1.
    retrieved : ndarray of bool, shape (n_rankings, n_items), optional
        As in :func:`average_precisions`.

    Returns
    -------
    ndarray of float64, shape (n_rankings,)
        In [0, 1]; NaN where nothing is relevant.

    Notes
    -----
    The survey writes ``log`` without a base and calls ``2^r`` itself the relevance level;
    the base cancels in the ratio, and the gain is ``2^r - 1`` with grade ``r``.

    References
    ----------
    J. Fu, Y. Rui, "Advances in deep learning approaches for image tagging",
    equation 7.
    """
    n_items = grades.shape[1]
    depth = min(cutoff, n_items)
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    top = order[:, :depth]
    gains = np.exp2(np.take_along_axis(grades, top, axis=1).astype(np.float64)) - 1
    if retrieved is not None:
        gains *= np.take_along_axis(retrieved, top, axis=1)
    best = np.partition(grades, n_items - depth, axis=1)[:, n_items - depth :] if depth else top
    ideal_grades = np.sort(best.astype(np.float64), axis=1)[:, ::-1]
    ideal = (np.exp2(ideal_grades) - 1) @ discounts
    values = np.full(len(order), np.nan)
    np.divide(gains @ discounts, ideal, out=values, where=ideal > 0)
    return values
