"""The vectors of indexed pictures, from the feature store."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from indexing.index import VectorTransform
from indexing.store import FeatureStore
from learners.base import Space

__all__ = ["SpaceVectors", "StoredVectors"]

_READ_AT_ONCE = 4_096


class StoredVectors:
    """The vectors of indexed pictures, from the feature store through the index's transform.

    Parameters
    ----------
    contents : mapping of int to bytes
        Content hash of each picture by row id.
    features : FeatureStore
    transform : VectorTransform
    """

    def __init__(
        self, contents: Mapping[int, bytes], features: FeatureStore, transform: VectorTransform
    ) -> None:
        self._contents = contents
        self._features = features
        self._transform = transform

    def __call__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return float32 (n_rows, n_dims)."""
        vectors = np.empty((len(rows), self._transform.n_out), np.float32)
        for start in range(0, len(rows), _READ_AT_ONCE):
            part = slice(start, start + _READ_AT_ONCE)
            vectors[part] = self._transform(self.features(rows[part]), in_place=True)
        return vectors

    def features(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the raw features, float32 (n_rows, n_dims)."""
        return self._features.fetch([self._contents[row] for row in rows.tolist()])


class SpaceVectors:
    """The vectors of indexed pictures in the space of a learner.

    Parameters
    ----------
    space : Space
    vectors : StoredVectors
    """

    def __init__(self, space: Space, vectors: StoredVectors) -> None:
        self._space = space
        self._vectors = vectors

    def __call__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return float32 (n_rows, n_out)."""
        parts = [
            self._space(self._vectors(rows[start : start + _READ_AT_ONCE]))
            for start in range(0, max(1, len(rows)), _READ_AT_ONCE)
        ]
        return np.concatenate(parts)
