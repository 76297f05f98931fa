"""Find enough neighbours: the search goes on until every query has its voters."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.tagged import TaggedPictures
from indexing.index import Index, Neighbors
from learners.votes import Voters, exclude, voters
from learners.voting import NeighborVoting

__all__ = ["Search", "Searchable", "leave_one_out_neighbors"]

# Room in the first search for copies of the query; most pictures have none.
_SPARE = 8
_ASKED_AT_ONCE = 1_024


class Searchable(Protocol):
    """What can be searched: an index, or an index and a few pictures more."""

    def search(
        self, queries: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> Neighbors:
        """Return the nearest pictures, as :meth:`indexing.index.Index.search` does."""


class Search:
    """Pictures that ask one index which tagged pictures are nearest to them.

    Several learners may ask it for voters: one search, as wide as the greediest of them needs,
    answers them all (:meth:`foresee`).

    Parameters
    ----------
    index : Searchable
        May hold pictures that are not in `tagged`.
    queries : ndarray of float32, shape (n_queries, n_dims)
        In the index's vector space.
    tagged : TaggedPictures
    own_groups : ndarray of int64, shape (n_queries,)
        Content group of each query, whose pictures are never found; -1 = none.
    """

    def __init__(
        self,
        index: Searchable,
        queries: NDArray[np.float32],
        tagged: TaggedPictures,
        own_groups: NDArray[np.int64],
    ) -> None:
        self._index = index
        self._queries = queries
        self._tagged = tagged
        self._own_groups = own_groups
        self._foreseen = 0
        self._first: Neighbors | None = None

    def foresee(self, n_neighbors: int) -> None:
        """Say that somebody is going to ask for so many voters a query."""
        self._foreseen = max(self._foreseen, n_neighbors)

    def voters(self, n_neighbors: int, choose: Callable[[Neighbors], Voters]) -> Neighbors:
        """Return the nearest pictures that vote, as many as are needed if there are so many.

        Parameters
        ----------
        n_neighbors : int
            Voters a query.
        choose : callable
            Who votes among neighbours; the search goes on until they are complete.

        Returns
        -------
        Neighbors
            Those that vote, nearest first, float32 and int64 (n_queries, n_neighbors).
        """
        n_images = self._tagged.tags.n_images
        nearest = self.nearest(n_neighbors)
        n_fetched = nearest.rows.shape[1]
        chosen = choose(nearest)
        found = Neighbors(chosen.rows, chosen.distances)
        lacking = np.flatnonzero(~chosen.complete)
        while len(lacking) and n_fetched < n_images:
            n_fetched = min(n_images, 4 * n_fetched)
            chosen = choose(self._fetch(n_fetched, lacking))
            found.rows[lacking] = chosen.rows
            found.distances[lacking] = chosen.distances
            lacking = lacking[~chosen.complete]
        return found

    def voters_of(self, learner: NeighborVoting) -> Neighbors:
        """Return the neighbours that a fitted learner needs; see :meth:`voters`."""
        return self.voters(learner.n_neighbors, learner.voters)

    def nearest(self, n_neighbors: int) -> Neighbors:
        """Return the nearest tagged pictures of each query, so many or more; pads at the end."""
        self.foresee(n_neighbors)
        n_fetched = min(self._tagged.tags.n_images, self._foreseen + _SPARE)
        if self._first is None or self._first.rows.shape[1] < n_fetched:
            self._first = self._fetch(n_fetched, np.arange(len(self._queries)))
        return self._first

    def _fetch(self, k: int, asking: NDArray[np.int64]) -> Neighbors:
        rows = self._tagged.tags.rows
        if not len(asking) or k < 1:
            shape = (len(asking), 0)
            return Neighbors(np.empty(shape, np.int64), np.empty(shape, np.float32))
        found = self._index.search(self._queries[asking], k, among=rows)
        return exclude(
            found,
            query_groups=self._own_groups[asking],
            rows=rows,
            groups=self._tagged.groups,
        )


def leave_one_out_neighbors(
    index: Index,
    tagged: TaggedPictures,
    rows: NDArray[np.int64],
    vectors: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    n_neighbors: int,
    *,
    unique_owner: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Return the neighbours of tagged pictures among the others, their copies left out too.

    Parameters
    ----------
    index : Index
        May hold pictures that are not in `tagged`.
    tagged : TaggedPictures
    rows : ndarray of int64, shape (n_queries,)
        Tagged pictures that ask.
    vectors : callable
        Rows to float32 vectors (n_rows, n_dims).
    n_neighbors : int
        How many are wanted.
    unique_owner : bool, default=False
        At most one neighbour an owner, the nearest, as in :func:`learners.votes.voters`.
    on_progress : callable, optional
        Called with the pictures done and their number.

    Returns
    -------
    Neighbors
        Shape (n_queries, n_neighbors), padded where the corpus is smaller.

    Notes
    -----
    Pictures of the same bytes have the same neighbours, which are searched once: were each of
    very many copies to look past all others, that would cost the square of their number.
    """
    shape = (len(rows), n_neighbors)
    found = Neighbors(np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32))
    order, bounds = _by_group(tagged.groups[tagged.tags.positions(rows)])
    for start in range(0, len(bounds) - 1, _ASKED_AT_ONCE):
        stops = bounds[start : start + _ASKED_AT_ONCE + 1]
        asked = rows[order[stops[:-1]]]
        own_groups = tagged.groups[tagged.tags.positions(asked)]
        part = Search(index, vectors(asked), tagged, own_groups).voters(
            n_neighbors, lambda near: voters(near, tagged.tags, n_neighbors, unique_owner)
        )
        members = order[stops[0] : stops[-1]]
        source = np.repeat(np.arange(len(asked)), np.diff(stops))
        found.rows[members] = part.rows[source]
        found.distances[members] = part.distances[source]
        on_progress(int(stops[-1]), len(rows))
    return found


def _by_group(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places in order of their group, and where each group starts and the last ends."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return order, np.append(starts, len(groups))
