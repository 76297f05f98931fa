"""What a search returns: the nearest rows of each query and how far they are."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Metric", "Neighbors", "compacted"]


class Metric(StrEnum):
    r"""How far two vectors are apart; smaller is closer in all.

    ``l2``
        :math:`|x - y|^2`, squared, in [0, inf).
    ``cosine``
        :math:`1 - x \cdot y / (|x| |y|)`, in [0, 2]; a zero vector is at 1 from every vector.
    ``ip``
        :math:`-x \cdot y`.
    """

    L2 = "l2"
    COSINE = "cosine"
    IP = "ip"


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest pictures of each query, nearest first; equal distances in order of row.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_queries, k)
        Row ids; -1 where there is no further neighbour, at the end only.
    distances : ndarray of float32, shape (n_queries, k)
        Ascending; +inf where ``rows`` is -1.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float32]

    def head(self, k: int) -> "Neighbors":
        """Return the first ``k`` neighbours of each query, or all where there are fewer."""
        return Neighbors(self.rows[:, :k], self.distances[:, :k])

    def keep(self, mask: NDArray[np.bool_]) -> "Neighbors":
        """Return the neighbours where the mask is true, the others taken out.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_queries, k)
            Its values at the padding do not matter.

        Returns
        -------
        Neighbors
            Of the same shape; the freed places are padding, at the end.

        Examples
        --------
        >>> found = Neighbors(np.array([[4, 7, 9]]), np.array([[0.0, 0.5, 0.6]], np.float32))
        >>> found.keep(found.rows != 7).rows
        array([[ 4,  9, -1]])
        """
        return Neighbors(*compacted(self.rows, self.distances, mask, self.rows.shape[1]))

    def without(self, rows: NDArray[np.int64]) -> "Neighbors":
        """Return the neighbours without one given row a query: leave-one-out, by id.

        Parameters
        ----------
        rows : ndarray of int64, shape (n_queries,)
            The row to take out of each query's neighbours, wherever it stands, if it is there.
        """
        return self.keep(self.rows != rows[:, np.newaxis])


def compacted(
    rows: NDArray[np.int64], distances: NDArray[np.float32], mask: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the first ``k`` true places of each line, in their order, padded with -1 and +inf.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_queries, n_found)
        Row ids; -1 is never kept.
    distances : ndarray of float32, shape (n_queries, n_found)
        Their distances.
    mask : ndarray of bool, shape (n_queries, n_found)
        What to keep.
    k : int
        Columns to return; at most n_found.
    """
    kept = mask & (rows >= 0)
    order = np.argsort(~kept, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(kept, order, axis=1)
    return (
        np.where(kept, np.take_along_axis(rows, order, axis=1), -1),
        np.where(kept, np.take_along_axis(distances, order, axis=1), np.float32(np.inf)),
    )
