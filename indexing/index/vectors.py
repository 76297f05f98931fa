"""Vectors on their way into an index: checked, brought to the metric's form, streamed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.errors import IndexingError
from indexing.index.neighbors import Metric

__all__ = [
    "ArraySource",
    "VectorSource",
    "VectorStream",
    "block_rows",
    "checked_rows",
    "prepared_vectors",
]

# Squared norms above this would overflow float32 in a squared distance.
MAX_SQUARED_NORM = 1e37
# Below this, or above MAX_SQUARED_NORM, float32 does not hold a squared norm accurately.
MIN_SQUARED_NORM = 1e-30

BLOCK_BYTES = 64 << 20
BLOCK_ROWS = 8192


class VectorSource(Protocol):
    """Where the vectors of an index come from, by row; usually the store of a workspace."""

    def __call__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return the vectors of the rows, in the index's own space.

        Parameters
        ----------
        rows : ndarray of int64, shape (n_rows,)
            Row ids, ascending.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_dims)
            Their vectors, in the same order.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """A :class:`VectorSource` over vectors that are in memory (or mapped) already.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_images,)
        Row ids, ascending.
    vectors : ndarray of float32, shape (n_images, n_dims)
        Their vectors.
    """

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def __call__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return the vectors of the rows."""
        places = np.searchsorted(self.rows, rows)
        inside = places < len(self.rows)
        known = inside.copy()
        known[inside] = self.rows[places[inside]] == rows[inside]
        if not known.all():
            raise IndexingError(
                f"the row {rows[~known][0]} has no vector here; "
                f"{len(self.rows)} rows have one; ask for one of them"
            )
        return self.vectors[places]


@dataclass(frozen=True, slots=True)
class VectorStream:
    """A source seen through its checks: blocks of vectors in the form that the metric needs.

    Parameters
    ----------
    source : VectorSource
        Where the vectors come from.
    n_dims : int
        Width that they must have.
    metric : Metric
        The index's metric.
    """

    source: VectorSource
    n_dims: int
    metric: Metric

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the prepared vectors of the rows, float32 of shape (n_rows, n_dims)."""
        vectors = prepared_vectors(self.source(rows), self.n_dims, self.metric, "vector", rows)
        if len(vectors) != len(rows):
            raise IndexingError(
                f"the source returned {len(vectors)} vectors for {len(rows)} rows; "
                "one vector a row is accepted; correct the source"
            )
        return vectors

    def blocks(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and their prepared vectors, a block at a time, at most 64 MB each."""
        size = block_rows(self.n_dims)
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            yield chunk, self(chunk)


def block_rows(n_dims: int) -> int:
    """Return how many float32 vectors of that width make one block."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * n_dims)))


def prepared_vectors(
    vectors: NDArray[np.float32],
    n_dims: int,
    metric: Metric,
    what: str,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Check vectors and bring them to the form in which the metric is an inner product or L2.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, n_dims)
        Finite.
    n_dims : int
        Width that they must have.
    metric : Metric
        For the cosine they are divided by their length; zero vectors stay zero.
    what : str
        What a message calls one of them: ``"vector"`` or ``"query"``.
    rows : ndarray of int64, shape (n,), optional
        Row ids for the message, which names the position where there are none.

    Returns
    -------
    ndarray of float32, shape (n, n_dims)
        C-contiguous; the argument itself where nothing had to change.

    Raises
    ------
    IndexingError
        Where an array of another type or shape is given, or a value that is not finite.
    """
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2:
        found = (
            f"{vectors.dtype} of shape {vectors.shape}"
            if isinstance(vectors, np.ndarray)
            else type(vectors).__name__
        )
        raise IndexingError(
            f"each {what} must be a line of a float32 array of shape (n, {n_dims}), "
            f"not {found}; convert with numpy.asarray(..., dtype=numpy.float32)"
        )
    if vectors.shape[1] != n_dims:
        raise IndexingError(
            f"a {what} has {vectors.shape[1]} dimensions; this index holds {n_dims}; "
            "use the extractor and the transform that the index was built with"
        )
    vectors = np.ascontiguousarray(vectors)
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.vecdot(vectors, vectors)
    # NaN and infinity are seen in the squared norms, so this needs no pass of its own.
    usable = squared <= MAX_SQUARED_NORM
    if not usable.all():
        place = int(np.argmin(usable))
        name = f"{what} {place}" if rows is None else f"the {what} of row {rows[place]}"
        problem = "too large" if np.isfinite(vectors[place]).all() else "not finite"
        raise IndexingError(
            f"{name} holds a value that is {problem}; "
            f"finite values of a norm up to {MAX_SQUARED_NORM**0.5:.0e} are accepted; "
            "extract it again or leave it out"
        )
    return _unit(vectors, squared) if metric is Metric.COSINE else vectors


def _unit(vectors: NDArray[np.float32], squared: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors divided by their lengths; zero vectors stay zero."""
    tiny = squared < MIN_SQUARED_NORM
    norms: NDArray[np.float32] = np.sqrt(squared)
    if not tiny.any():
        return np.divide(vectors, norms[:, np.newaxis])
    # Their squares underflow: brought to a largest value of 1 first, they do not.
    vectors = vectors.copy()
    peaks = np.abs(vectors[tiny]).max(axis=1)
    peaks[peaks == 0.0] = 1.0
    vectors[tiny] /= peaks[:, np.newaxis]
    norms[tiny] = np.linalg.norm(vectors[tiny], axis=1)
    norms[norms == 0.0] = 1.0
    vectors /= norms[:, np.newaxis]
    return vectors


def checked_rows(rows: NDArray[np.int64], what: str) -> NDArray[np.int64]:
    """Return row ids after checking them: int64, one-dimensional, not negative, each once.

    Raises
    ------
    IndexingError
        Naming one row that cannot be used.
    """
    if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype != np.int64:
        found = (
            f"{rows.dtype} of shape {rows.shape}"
            if isinstance(rows, np.ndarray)
            else type(rows).__name__
        )
        raise IndexingError(
            f"{what} are {found}; an int64 array of one dimension is accepted; "
            "convert with numpy.asarray(..., dtype=numpy.int64)"
        )
    if len(rows) and rows.min() < 0:
        raise IndexingError(
            f"{what} hold {rows.min()}; row ids from 0 are accepted; "
            "-1 is the padding of a search: take it out"
        )
    ordered = np.sort(rows)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise IndexingError(
            f"{what} hold the row {twice[0]} twice; each may occur once; take one of them out"
        )
    return rows
