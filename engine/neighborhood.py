"""Find enough neighbours: the search goes on until every query has its voters."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.tagged import TaggedPictures
from indexing.index import Index, Neighbors
from learners.votes import exclude
from learners.voting import NeighborVoting

__all__ = ["find_voters", "find_voters_of", "leave_one_out_neighbors"]

# Room in the first search for copies of the query; most pictures have none.
_SPARE = 8
_ASKED_AT_ONCE = 1_024


def find_voters(
    index: Index,
    queries: NDArray[np.float32],
    tagged: TaggedPictures,
    n_neighbors: int,
    own_groups: NDArray[np.int64],
    is_complete: Callable[[Neighbors], NDArray[np.bool_]],
) -> Neighbors:
    """Return the nearest pictures that may vote, as many as each query needs if there are so many.

    Parameters
    ----------
    index : Index
    queries : ndarray of float32, shape (n_queries, n_dims)
        In the index's vector space.
    tagged : TaggedPictures
    n_neighbors : int
        Voters a query.
    own_groups : ndarray of int64, shape (n_queries,)
        Content group of each query, whose pictures may not vote for it; -1 = none.
    is_complete : callable
        Neighbors to bool (n_queries,): whether a query needs no further ones.

    Returns
    -------
    Neighbors
        Nearest first; a query may have more than it needs.
    """
    n_images = tagged.tags.n_images
    n_fetched = min(n_images, n_neighbors + _SPARE)
    found = _fetch(index, queries, tagged, n_fetched, own_groups)
    lacking = np.flatnonzero(~is_complete(found))
    while len(lacking) and n_fetched < n_images:
        n_fetched = min(n_images, 4 * n_fetched)
        more = _fetch(index, queries[lacking], tagged, n_fetched, own_groups[lacking])
        found = _replaced(found, lacking, more)
        lacking = lacking[~is_complete(more)]
    return found


def find_voters_of(
    learner: NeighborVoting,
    index: Index,
    queries: NDArray[np.float32],
    tagged: TaggedPictures,
    own_groups: NDArray[np.int64],
) -> Neighbors:
    """Return the neighbours that a fitted learner needs; see :func:`find_voters`."""
    return find_voters(
        index,
        queries,
        tagged,
        learner.n_neighbors,
        own_groups,
        lambda found: learner.voters(found).complete,
    )


def leave_one_out_neighbors(
    index: Index,
    tagged: TaggedPictures,
    rows: NDArray[np.int64],
    vectors: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    n_neighbors: int,
) -> Neighbors:
    """Return the neighbours of tagged pictures among the others, their copies left out too.

    Parameters
    ----------
    index : Index
    tagged : TaggedPictures
    rows : ndarray of int64, shape (n_queries,)
        Tagged pictures that ask.
    vectors : callable
        Rows to float32 vectors (n_rows, n_dims).
    n_neighbors : int
        How many are wanted.

    Returns
    -------
    Neighbors
        Shape (n_queries, n_neighbors), padded where the corpus is smaller.
    """
    shape = (len(rows), n_neighbors)
    found = Neighbors(np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32))
    for start in range(0, len(rows), _ASKED_AT_ONCE):
        asked = rows[start : start + _ASKED_AT_ONCE]
        part = find_voters(
            index,
            vectors(asked),
            tagged,
            n_neighbors,
            tagged.groups[tagged.tags.positions(asked)],
            lambda more: np.count_nonzero(more.rows >= 0, axis=1) >= n_neighbors,
        )
        width = min(n_neighbors, part.rows.shape[1])
        found.rows[start : start + len(asked), :width] = part.rows[:, :width]
        found.distances[start : start + len(asked), :width] = part.distances[:, :width]
    return found


def _fetch(
    index: Index,
    queries: NDArray[np.float32],
    tagged: TaggedPictures,
    k: int,
    own_groups: NDArray[np.int64],
) -> Neighbors:
    rows = tagged.tags.rows
    if not len(queries) or k < 1:
        shape = (len(queries), 0)
        return Neighbors(np.empty(shape, np.int64), np.empty(shape, np.float32))
    found = index.search(queries, k, among=rows)
    return exclude(found, query_groups=own_groups, rows=rows, groups=tagged.groups)


def _replaced(found: Neighbors, queries: NDArray[np.int64], more: Neighbors) -> Neighbors:
    """Return ``found`` with the neighbours of some queries replaced by wider ones."""
    shape = (len(found.rows), more.rows.shape[1])
    width = found.rows.shape[1]
    rows = np.full(shape, -1, np.int64)
    distances = np.full(shape, np.inf, np.float32)
    rows[:, :width] = found.rows
    distances[:, :width] = found.distances
    rows[queries] = more.rows
    distances[queries] = more.distances
    return Neighbors(rows, distances)
