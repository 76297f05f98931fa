"""Voters of the pictures that a learner is fitted on, where it keeps its own space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.index import ArraySource, Metric, Neighbors, build_index
from learners.votes import exclude

__all__ = ["covering", "leave_one_out", "nearest_among", "separate_groups"]

# Room for copies of the picture that asks; one with more of them has fewer voters.
_MOST_COPIES = 64


def separate_groups(groups: NDArray[np.int64] | None, n_images: int) -> NDArray[np.int64]:
    """Return a content group for each picture, int64 (n_images,): its own where none is known."""
    if groups is None:
        return np.arange(n_images)
    own = groups.max(initial=-1) + 1 + np.arange(n_images)
    return np.where(groups < 0, own, groups)


def nearest_among(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], n_neighbors: int
) -> Neighbors:
    """Return the nearest vectors of each query by cosine; rows are positions in `vectors`.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, n_dims)
    vectors : ndarray of float32, shape (n_images, n_dims)
    n_neighbors : int
    """
    rows = np.arange(len(vectors), dtype=np.int64)
    width = min(n_neighbors, len(vectors))
    if not width or not vectors.shape[1]:
        shape = (len(queries), n_neighbors)
        return Neighbors(np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32))
    source = ArraySource(rows, vectors)
    index = build_index("auto", vectors.shape[1], Metric.COSINE, rows, source)
    return index.search(queries, width)


def leave_one_out(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], n_neighbors: int
) -> Neighbors:
    """Return the nearest others of each picture, its byte-identical copies left out.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_images, n_dims)
    groups : ndarray of int64, shape (n_images,)
        Not negative; see :func:`separate_groups`.
    n_neighbors : int

    Returns
    -------
    Neighbors
        Rows are positions.
    """
    copies = np.unique(groups, return_counts=True)[1].max(initial=1)
    found = nearest_among(vectors, vectors, n_neighbors + min(int(copies), _MOST_COPIES))
    rows = np.arange(len(vectors), dtype=np.int64)
    return exclude(found, query_groups=groups, rows=rows, groups=groups).head(n_neighbors)


def covering(found: Sequence[Neighbors], n_neighbors: int) -> NDArray[np.int64]:
    r"""Choose candidates so that they cover each of several rankings as far as possible.

    The union of the first :math:`r` of every ranking, :math:`r` as large as `n_neighbors`
    candidates allow, and of those at rank :math:`r + 1` as many as still fit.

    Parameters
    ----------
    found : sequence of Neighbors
        The rankings, one a base distance, each at least `n_neighbors` long or complete.
    n_neighbors : int

    Returns
    -------
    ndarray of int64, shape (n_queries, n_neighbors)
        Rows; -1 pads at the end.

    References
    ----------
    Guillaumin et al., ICCV 2009, section 2.2.
    """
    rows = np.concatenate([ranking.rows for ranking in found], axis=1)
    rank = np.concatenate(
        [np.broadcast_to(np.arange(one.rows.shape[1]), one.rows.shape) for one in found], axis=1
    )
    never = np.iinfo(np.int64).max
    rank = np.where(rows < 0, never, rank)
    # By row, its best rank first: every repetition of a row is then a worse one.
    order = np.lexsort((rank, rows), axis=-1)
    rows, rank = np.take_along_axis(rows, order, 1), np.take_along_axis(rank, order, 1)
    rank[:, 1:][rows[:, 1:] == rows[:, :-1]] = never
    best = np.argsort(rank, axis=1, kind="stable")[:, :n_neighbors]
    chosen = np.take_along_axis(rows, best, 1)
    chosen[np.take_along_axis(rank, best, 1) == never] = -1
    pads = max(0, n_neighbors - chosen.shape[1])
    return np.pad(chosen, ((0, 0), (0, pads)), constant_values=-1)
