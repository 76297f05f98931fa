"""An index and a few pictures that it does not hold, searched as one."""

import numpy as np
from numpy.typing import NDArray

from indexing.index import ArraySource, Index, Neighbors, build_index

__all__ = ["WiderSearch"]


class WiderSearch:
    """The search of an index, and of a few pictures that it does not hold.

    Parameters
    ----------
    index : Index
    rows : ndarray of int64, shape (n_extra,)
        Ascending, above all rows of the index.
    vectors : ndarray of float32, shape (n_extra, n_dims)
        In the index's space.
    """

    def __init__(self, index: Index, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._index = index
        source = ArraySource(rows, vectors)
        self._extra = build_index("exact", index.n_dims, index.metric, rows, source)

    def search(
        self, queries: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> Neighbors:
        """Return the ``k`` nearest of both, as :meth:`indexing.index.Index.search` does."""
        found, extra = (one.search(queries, k, among=among) for one in (self._index, self._extra))
        rows = np.concatenate([found.rows, extra.rows], axis=1)
        distances = np.concatenate([found.distances, extra.distances], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # pads are infinitely far
        return Neighbors(
            np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)
        )
