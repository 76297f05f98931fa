"""Voters of the pictures that a learner is fitted on, where it keeps its own space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.index import ArraySource, Index, Metric, Neighbors, build_index
from learners.votes import exclude

__all__ = ["covering", "leave_one_out", "nearest_among", "separate_groups"]

# Queries whose candidates are chosen at a time.
_CHOSEN_AT_ONCE = 1_024


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

    Returns
    -------
    Neighbors
        As wide as `n_neighbors`, padded where there are fewer vectors.
    """
    width = min(n_neighbors, len(vectors))
    if not width or not vectors.shape[1]:
        shape = (len(queries), n_neighbors)
        return Neighbors(np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32))
    found = _index(vectors).search(queries, width)
    pads = ((0, 0), (0, n_neighbors - width))
    return Neighbors(
        np.pad(found.rows, pads, constant_values=-1),
        np.pad(found.distances, pads, constant_values=np.inf),
    )


def _index(vectors: NDArray[np.float32]) -> Index:
    rows = np.arange(len(vectors), dtype=np.int64)
    return build_index("auto", vectors.shape[1], Metric.COSINE, rows, ArraySource(rows, vectors))


def leave_one_out(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], n_neighbors: int
) -> Neighbors:
    """Return the nearest others of each picture, its byte-identical copies left out.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_images, n_dims)
    groups : ndarray of int64, shape (n_images,)
        Not negative; see :func:`separate_groups`. Pictures of a group have one vector: it is
        looked up once.
    n_neighbors : int

    Returns
    -------
    Neighbors
        Rows are positions; as wide as `n_neighbors`.
    """
    _, first, group_of, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    shape = (len(first), n_neighbors)
    found = Neighbors(np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32))
    if len(vectors) and vectors.shape[1]:
        index = _index(vectors)
        rows = np.arange(len(vectors), dtype=np.int64)
        # So many neighbours are fetched that, without the copies, enough are left.
        room = 1 << np.ceil(np.log2(sizes)).astype(np.int64)
        for spare in np.unique(room).tolist():
            asking = np.flatnonzero(room == spare)
            wide = index.search(vectors[first[asking]], min(n_neighbors + spare, len(rows)))
            own = groups[first[asking]]
            left = exclude(wide, query_groups=own, rows=rows, groups=groups).head(n_neighbors)
            width = left.rows.shape[1]
            found.rows[asking, :width] = left.rows
            found.distances[asking, :width] = left.distances
    return Neighbors(found.rows[group_of], found.distances[group_of])


def covering(rankings: Sequence[NDArray[np.integer]], n_neighbors: int) -> NDArray[np.int64]:
    r"""Choose candidates so that they cover each of several rankings as far as possible.

    The union of the first :math:`r` of every ranking, :math:`r` as large as `n_neighbors`
    candidates allow, and of those at rank :math:`r + 1` as many as still fit.

    Parameters
    ----------
    rankings : sequence of ndarray of int, shape (n_queries, n_ranked)
        Rows, best first, one ranking a base distance, each at least `n_neighbors` long or
        complete; -1 pads.
    n_neighbors : int

    Returns
    -------
    ndarray of int64, shape (n_queries, n_neighbors)
        Rows; -1 pads at the end.

    References
    ----------
    Guillaumin et al., ICCV 2009, section 2.2.
    """
    n_queries = len(rankings[0])
    chosen = np.full((n_queries, n_neighbors), -1, np.int64)
    for start in range(0, n_queries, _CHOSEN_AT_ONCE):
        part = slice(start, start + _CHOSEN_AT_ONCE)
        some = _covering([ranking[part] for ranking in rankings], n_neighbors)
        chosen[part, : some.shape[1]] = some
    return chosen


def _covering(rankings: Sequence[NDArray[np.integer]], n_neighbors: int) -> NDArray[np.integer]:
    rows = np.concatenate(rankings, axis=1)
    rank = np.concatenate(
        [np.broadcast_to(np.arange(one.shape[1]), one.shape) for one in rankings], axis=1
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
    return chosen
