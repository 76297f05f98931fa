"""Scores to a list of tags: which n, in which order, whatever ties there are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError

__all__ = ["rank_tags"]


def rank_tags(
    scores: ArrayLike, n: int, tie_breaks: Sequence[NDArray[np.generic]] = ()
) -> NDArray[np.int64]:
    """Return the `n` best tags of each picture, best first.

    Tags are ordered by score, then by each tie break, all descending, then by position in
    the vocabulary, ascending: the vocabulary is sorted, so this is "by name".

    Parameters
    ----------
    scores : array of float, shape (n_queries, n_tags)
        Higher is better; no NaN.
    n : int
        Tags a picture, at least 0.
    tie_breaks : sequence of array, each of shape (n_queries, n_tags) or (n_tags,)
        What orders tags of equal score, most important first; higher is better.

    Returns
    -------
    ndarray of int64, shape (n_queries, min(n, n_tags))
        Tag positions.

    Raises
    ------
    InputError
        If a score is NaN, a shape does not fit or `n` is negative.

    Notes
    -----
    Nothing is sorted but the tags that are returned. Key by key, the tags above the n-th
    best value are in, those below are out, and only the tags that tie with it go on to the
    next key.

    Examples
    --------
    >>> rank_tags([[0.2, 0.4, 0.2, 0.2]], 3, tie_breaks=[np.array([7, 1, 9, 7])])
    array([[1, 2, 0]])
    """
    keys = _keys(scores, tie_breaks)
    n_queries, n_tags = keys[0].shape
    if n < 0:
        raise InputError(f"{n} tags a picture were asked for; at least 0; raise the number")
    n = min(n, n_tags)
    chosen = np.zeros((n_queries, n_tags), dtype=bool)
    tied = np.ones((n_queries, n_tags), dtype=bool)
    missing = np.full(n_queries, n, dtype=np.int64)
    if 0 < n < n_tags:
        for key in keys:
            values = np.where(tied, key, -np.inf)
            best = np.sort(np.partition(values, n_tags - n, axis=1)[:, n_tags - n :], axis=1)
            # The n-th best value is itself tied, so a row never misses fewer than one tag.
            border = best[np.arange(n_queries), n - missing][:, None]
            above = tied & (values > border)
            tied &= values == border
            chosen |= above
            missing -= np.count_nonzero(above, axis=1)
            if np.array_equal(np.count_nonzero(tied, axis=1), missing):
                break
    chosen |= tied & (np.cumsum(tied, axis=1) <= missing[:, None])
    tags = np.nonzero(chosen)[1].reshape(n_queries, n)
    chosen_keys = [np.take_along_axis(key, tags, axis=1) for key in keys]
    order = np.lexsort((tags, *(-key for key in reversed(chosen_keys))), axis=1)
    return np.take_along_axis(tags, order, axis=1)


def _keys(
    scores: ArrayLike, tie_breaks: Sequence[NDArray[np.generic]]
) -> list[NDArray[np.floating]]:
    """Return scores and tie breaks as float matrices of one shape."""
    first = _as_float(np.asarray(scores))
    if first.ndim != 2:
        raise InputError(
            f"scores of shape {first.shape}; they are (n_queries, n_tags); add the missing axis"
        )
    keys = [first]
    for tie_break in tie_breaks:
        key = _as_float(np.asarray(tie_break))
        if key.shape not in (first.shape, first.shape[1:]):
            raise InputError(
                f"a tie break of shape {key.shape} for scores of shape {first.shape}; "
                "it is (n_queries, n_tags) or (n_tags,); align it"
            )
        keys.append(np.broadcast_to(key, first.shape))
    if any(np.isnan(key).any() for key in keys):
        raise InputError("a score or tie break is NaN; numbers can be ranked; mend the learner")
    return keys


def _as_float(values: NDArray[np.generic]) -> NDArray[np.floating]:
    """Keep float32, make all else float64."""
    kind = np.float32 if values.dtype == np.float32 else np.float64
    return values.astype(kind, copy=False)
