"""Exact search: every distance computed, block by block, in bounded memory.

It is the oracle that the other indexes are measured against, and an index of its own.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.index.base import BuildRequest, Found, Index
from indexing.index.description import IndexDescription
from indexing.index.neighbors import Metric
from indexing.index.vectors import VectorSource, block_rows

__all__ = ["ExactIndex", "nearest"]

VECTORS = "vectors.npy"

# Distances held at a time: 16 MB as float32, 32 MB more as sorting keys.
TILE = 1 << 22
# Float64 copies of vectors made at a time, in values: 16 MB.
WIDENED = 1 << 21
NOTHING = np.iinfo(np.int64).max


class ExactIndex(Index):
    """Exact search with the BLAS of numpy; the file is mapped, so that opening costs nothing.

    Squared distances are computed in float64, because expanding the square cancels; the
    other metrics in float32. Equal distances are ordered by row, at the cut after k too.
    """

    name = "exact"
    files = (VECTORS,)

    def __init__(
        self,
        description: IndexDescription,
        rows: NDArray[np.int64],
        vectors: NDArray[np.float32],
    ) -> None:
        super().__init__(description, rows)
        self._vectors = vectors  # the order is that of the rows

    @classmethod
    def build(cls, request: BuildRequest) -> Self:
        """Read all vectors into one array."""
        vectors = np.empty((len(request.rows), request.stream.n_dims), dtype=np.float32)
        start = 0
        for rows, block in request.stream.blocks(request.rows):
            vectors[start : start + len(rows)] = block
            start += len(rows)
        return cls(request.description(cls.name), request.rows, vectors)

    @classmethod
    def load(
        cls,
        folder: Path,
        description: IndexDescription,
        rows: NDArray[np.int64],
        *,
        device: str,
        source: VectorSource | None,
    ) -> Self:
        """Map the vectors; they are read when they are searched."""
        try:
            mapped = np.load(folder / VECTORS, mmap_mode="r" if len(rows) else None)
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(
                f"{folder / VECTORS} cannot be read ({error}); vectors that this index saved "
                "are accepted; build the index again"
            ) from error
        if mapped.shape != (len(rows), description.n_dims) or mapped.dtype != np.float32:
            raise ArtifactError(
                f"{folder / VECTORS} holds {mapped.dtype} of shape {mapped.shape}; float32 of "
                f"shape ({len(rows)}, {description.n_dims}) is accepted; build the index again"
            )
        return cls(description, rows, np.asarray(mapped))

    def _search(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64] | None
    ) -> Found:
        return nearest(queries, k, self.metric, self._blocks(among))

    def _blocks(
        self, among: NDArray[np.int64] | None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        size = block_rows(self.n_dims)
        if among is None:
            for start in range(0, self.n_images, size):
                block = slice(start, start + size)
                yield self._rows[block], self._vectors[block]
        else:
            places = np.searchsorted(self._rows, among)
            for start in range(0, len(among), size):
                yield among[start : start + size], self._vectors[places[start : start + size]]

    def _add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        merged = np.concatenate([self._vectors, vectors])
        if self.n_images and rows[0] < self._rows[-1]:
            merged = merged[np.argsort(np.concatenate([self._rows, rows]))]
        self._vectors = merged

    def _remove(self, rows: NDArray[np.int64], remaining: NDArray[np.int64]) -> None:
        self._vectors = self._vectors[np.searchsorted(self._rows, remaining)]

    def _save(self, folder: Path) -> None:
        np.save(folder / VECTORS, self._vectors, allow_pickle=False)

    def _bytes_per_image(self) -> float:
        return 4.0 * self.n_dims + 8.0


def nearest(
    queries: NDArray[np.float32],
    k: int,
    metric: Metric,
    blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
) -> Found:
    """Find the exact nearest neighbours in a stream of vectors.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, n_dims)
        Of unit length for the cosine.
    k : int
        Neighbours wanted.
    metric : Metric
        How distances are measured.
    blocks : iterable of (ndarray of int64, ndarray of float32)
        Row ids, ascending over all blocks, and their vectors, of unit length for the cosine.

    Returns
    -------
    rows, distances : ndarray of int64 and float32, shape (n_queries, k)
        Ordered by distance, then row; -1 and +inf where there are fewer vectors than k.
    """
    best = np.full((len(queries), k), NOTHING, dtype=np.int64)
    all_rows: list[NDArray[np.int64]] = []
    n_seen = 0
    for rows, vectors in blocks:
        step = max(1, TILE // max(1, len(rows)))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            keys = _keys(_distances(queries[part], vectors, metric), n_seen)
            best[part] = _smallest(np.concatenate([best[part], _smallest(keys, k)], axis=1), k)
        all_rows.append(rows)
        n_seen += len(rows)
    best.sort(axis=1)
    rows = np.concatenate([*all_rows, np.array([-1], dtype=np.int64)])
    places = np.where(best == NOTHING, n_seen, best & 0xFFFFFFFF)
    bits = (best >> 32).astype(np.int32)
    distances = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32)
    return rows[places], np.where(best == NOTHING, np.float32(np.inf), distances)


def _distances(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], metric: Metric
) -> NDArray[np.float32]:
    """Return all distances, float32 of shape (n_queries, n_vectors)."""
    if metric is not Metric.L2:
        similarities: NDArray[np.float32] = queries @ vectors.T
        if metric is Metric.IP:
            return np.negative(similarities, out=similarities)
        np.subtract(1.0, similarities, out=similarities)
        return np.clip(similarities, 0.0, 2.0, out=similarities)
    distances = np.empty((len(queries), len(vectors)), dtype=np.float32)
    wide = queries.astype(np.float64)
    wide_norms = np.vecdot(wide, wide)[:, np.newaxis]
    step = max(1, WIDENED // vectors.shape[1])
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step].astype(np.float64)
        squared = wide @ part.T
        squared *= -2.0
        squared += wide_norms
        squared += np.vecdot(part, part)
        distances[:, start : start + step] = np.maximum(squared, 0.0, out=squared)
    return distances


def _keys(distances: NDArray[np.float32], first: int) -> NDArray[np.int64]:
    """Return integers in the order of distance, then position: what makes the cut after k exact.

    The bits of a float32 order like an int32 once those of negative values are flipped; they
    become the upper half of the key, the position in the stream the lower.
    """
    distances += 0.0  # makes -0.0 the same as 0.0
    bits = distances.view(np.int32)
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    keys <<= 32
    keys |= np.arange(first, first + distances.shape[1], dtype=np.int64)
    return keys


def _smallest(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return the k smallest keys of each line, in any order, or all where there are fewer."""
    if keys.shape[1] <= k:
        return keys
    return np.partition(keys, k - 1, axis=1)[:, :k]
