"""The contract of an index: vectors in by row, the nearest rows out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from indexing.errors import IndexingError
from indexing.index.description import RECORD, IndexDescription, write_record
from indexing.index.neighbors import Metric, Neighbors, compacted
from indexing.index.vectors import VectorSource, VectorStream, checked_rows, prepared_vectors

__all__ = ["BuildRequest", "Found", "Index", "member", "overfetched"]

# Row ids and distances as a backend returns them: int64 and float32, shape (n_queries, k).
Found = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What a backend needs to build an index.

    Parameters
    ----------
    factory : str
        What the caller asked for, to be recorded.
    form : str
        What is to be built.
    rows : ndarray of int64, shape (n_images,)
        Ascending, each once.
    stream : VectorStream
        Their vectors, checked and prepared for the metric.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    seed : int
        For every random choice.
    """

    factory: str
    form: str
    rows: NDArray[np.int64]
    stream: VectorStream
    device: str
    seed: int

    def description(self, backend: str) -> IndexDescription:
        """Return the record of an index that was asked for by this."""
        return IndexDescription(
            factory=self.factory,
            form=self.form,
            backend=backend,
            metric=self.stream.metric,
            n_dims=self.stream.n_dims,
        )


class Index(ABC):
    """Vectors by row id, and the search for the nearest of them.

    The public methods check what they are given and pad what they return; a backend writes
    the methods with an underscore, and sees vectors prepared for the metric alone: for the
    cosine they have unit length, so that it is an inner product. Any number of threads may
    search at once; while one adds or removes, no other may do anything.

    Parameters
    ----------
    description : IndexDescription
        What the index is.
    rows : ndarray of int64, shape (n_images,)
        Row ids it holds, ascending.
    """

    #: Name in :data:`indexing.index.backends.BACKENDS`, and the files that ``_save`` writes.
    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]]

    def __init__(self, description: IndexDescription, rows: NDArray[np.int64]) -> None:
        self._description = description
        self._rows = rows

    @classmethod
    @abstractmethod
    def build(cls, request: BuildRequest) -> Self:
        """Build an index of all rows of the request, reading its vectors block by block."""

    @classmethod
    @abstractmethod
    def load(
        cls,
        folder: Path,
        description: IndexDescription,
        rows: NDArray[np.int64],
        *,
        device: str,
        source: VectorSource | None,
    ) -> Self:
        """Open what :meth:`save` wrote; an :class:`ArtifactError` where that is damaged."""

    @property
    def metric(self) -> Metric:
        """How distances are measured."""
        return self._description.metric

    @property
    def n_dims(self) -> int:
        """Width of the vectors and queries."""
        return self._description.n_dims

    @property
    def n_images(self) -> int:
        """Vectors held."""
        return len(self._rows)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row ids held, int64 of shape (n_images,), ascending; do not write into it."""
        return self._rows

    @property
    def description(self) -> IndexDescription:
        """What the index is, with the numbers of this moment."""
        return replace(
            self._description, n_images=self.n_images, bytes_per_image=self._bytes_per_image()
        )

    def search(
        self, queries: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> Neighbors:
        """Find the nearest pictures of each query.

        Parameters
        ----------
        queries : ndarray of float32, shape (n_queries, n_dims)
            Finite.
        k : int
            Neighbours wanted, at least 1.
        among : ndarray of int64, optional
            Row ids that may be returned, in any order; those that the index does not hold
            are ignored. None = all.

        Returns
        -------
        Neighbors
            Of shape (n_queries, k), padded where there are fewer rows than k.

        Raises
        ------
        IndexingError
            Where queries, k or among are none that the index can answer.
        """
        if k < 1:
            raise IndexingError(f"k is {k}; 1 or more is accepted; ask for a neighbour at least")
        queries = prepared_vectors(queries, self.n_dims, self.metric, "query")
        n_allowed = self.n_images
        if among is not None:
            among = np.sort(checked_rows(among, "the rows to search among"))
            among = among[member(among, self._rows)]
            n_allowed = len(among)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        distances = np.full((len(queries), k), np.inf, dtype=np.float32)
        wanted = min(k, n_allowed)
        if wanted and len(queries):
            everything = n_allowed == self.n_images
            found = self._search(queries, wanted, None if everything else among)
            rows[:, :wanted], distances[:, :wanted] = _ordered(*found, self.metric)
        return Neighbors(rows, distances)

    def add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add pictures.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Row ids that the index does not hold yet.
        vectors : ndarray of float32, shape (n, n_dims)
            Their vectors, finite.

        Raises
        ------
        IndexingError
            Naming a row that cannot be added; the index is then as it was.
        """
        rows = checked_rows(rows, "the rows to add")
        held = rows[member(rows, self._rows)]
        if len(held):
            raise IndexingError(
                f"the row {held[0]} is in the index already; a row may be added once; "
                "remove it first, or hand out another row id"
            )
        vectors = prepared_vectors(vectors, self.n_dims, self.metric, "vector", rows)
        if len(vectors) != len(rows):
            raise IndexingError(
                f"{len(vectors)} vectors for {len(rows)} rows; one vector a row is accepted; "
                "pass as many of each"
            )
        if len(rows):
            order = np.argsort(rows)
            self._add(rows[order], vectors[order])
            self._rows = np.sort(np.concatenate([self._rows, rows]))

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Remove pictures.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Row ids that the index holds.

        Raises
        ------
        IndexingError
            Naming a row that the index does not hold; the index is then as it was.
        """
        rows = np.sort(checked_rows(rows, "the rows to remove"))
        unknown = rows[~member(rows, self._rows)]
        if len(unknown):
            raise IndexingError(
                f"the row {unknown[0]} is not in the index, which holds {self.n_images} rows; "
                "only rows that it holds can be removed; see Index.rows"
            )
        if len(rows):
            remaining = self._rows[~member(self._rows, rows)]
            self._remove(rows, remaining)
            self._rows = remaining

    def save(self, folder: Path) -> None:
        """Write the index into a folder, made if need be, that holds no index yet.

        Raises
        ------
        IndexingError
            Where it holds one: that may be the one whose files this index has mapped.
        """
        folder.mkdir(parents=True, exist_ok=True)
        taken = [name for name in (RECORD, *self.files) if (folder / name).exists()]
        if taken:
            raise IndexingError(
                f"{folder} holds {taken[0]} already; a folder without an index is accepted; "
                "save into a new one"
            )
        self._save(folder)
        write_record(folder, self.description, self._rows, self.files)

    @abstractmethod
    def _search(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64] | None
    ) -> Found:
        """Return k rows a query and their distances, -1 where there are fewer.

        k is at most the rows to choose from, ``among`` is ascending and a true subset.
        """

    @abstractmethod
    def _add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors; the rows are ascending."""

    @abstractmethod
    def _remove(self, rows: NDArray[np.int64], remaining: NDArray[np.int64]) -> None:
        """Remove the rows, so that the remaining ones are left; both ascending."""

    @abstractmethod
    def _save(self, folder: Path) -> None:
        """Write the backend's own files."""

    @abstractmethod
    def _bytes_per_image(self) -> float:
        """Return the memory that a vector takes."""


def member(rows: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows, of any shape, are among ascending ones; -1 never is."""
    if not len(among):
        return np.zeros(rows.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(among, rows), len(among) - 1)
    return np.equal(among[places], rows)


def overfetched(
    search: Callable[[int], Found], k: int, among: NDArray[np.int64], n_images: int
) -> Found:
    """Search wider than k and keep what is allowed.

    Parameters
    ----------
    search : callable
        From a number of neighbours to rows and distances.
    k : int
        Neighbours wanted.
    among : ndarray of int64, shape (n_allowed,)
        Rows that may be returned, ascending.
    n_images : int
        Rows in the index.

    Returns
    -------
    rows, distances : ndarray of int64 and float32, shape (n_queries, k)
        Some queries may have found fewer than k; then they end in -1.
    """
    # What k takes on average, and a little more, so that few queries come back short.
    width = min(n_images, int(1.2 * k * n_images / len(among)) + 16)
    rows, distances = search(width)
    return compacted(rows, distances, member(rows, among), k)


def _ordered(rows: NDArray[np.int64], distances: NDArray[np.float32], metric: Metric) -> Found:
    """Clip what rounding took out of the metric's range, pad, and order by distance and row."""
    missing = (rows < 0) | ~np.isfinite(distances)
    if metric is not Metric.IP:
        # Rounding leaves the cosine of a vector with itself, and a squared distance that was
        # computed by expanding the square, a little below zero.
        distances = np.clip(distances, 0.0, 2.0 if metric is Metric.COSINE else None)
    rows = np.where(missing, -1, rows)
    distances = np.where(missing, np.float32(np.inf), distances)
    later, earlier = distances[:, 1:], distances[:, :-1]
    mixed = (later < earlier) | ((later == earlier) & (rows[:, 1:] < rows[:, :-1]))
    lines = mixed.any(axis=1)
    if lines.any():
        order = np.lexsort((rows[lines], distances[lines]), axis=-1)
        rows[lines] = np.take_along_axis(rows[lines], order, axis=1)
        distances[lines] = np.take_along_axis(distances[lines], order, axis=1)
    return rows, distances
