"""Learners that are trained at once: what the engine does with one does not depend on TagProp."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch, Needs, Space, TagLearner, TagMatrix
from learners.batch import features_of, neighbors_of
from learners.votes import Voters, Weights, tag_votes, voters
from learners.voting import NeighborVoting


@dataclass(kw_only=True, eq=False)
class Fading(NeighborVoting):
    """The nearer vote more; the score is twice the vote less a half. Its decay is learned."""

    name: ClassVar[str] = "fading"

    n_neighbors: int = 6
    decay: float | None = None
    unique_owner: bool = False
    is_rigid: bool = False
    decay_: float = field(init=False, repr=False)
    n_fitted_: int = field(init=False, repr=False)

    #: What every fit saw, for tests to look at.
    seen: ClassVar[list[tuple[dict[str, Any], Batch, TagMatrix]]] = []

    @property
    def fit_needs(self) -> Needs:
        return Needs.NEIGHBORS

    def refit_params(self) -> dict[str, Any]:
        return {"decay": self.decay_}

    def votes(self, neighbors: Neighbors) -> NDArray[np.float32]:
        return tag_votes(self.voters(neighbors), self.tags_)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        super()._fit(batch, tags)
        type(self).seen.append((self.params(), batch, tags))
        for step in range(2):
            self._report("steps", step + 1, 2)
        self.decay_ = 10.0 if self.decay is None else self.decay

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        if self.is_rigid:
            raise InputError("rigid learners cannot follow; train it again")
        super()._rebase(tags, columns)

    def _voters(self, neighbors: Neighbors, weights: Weights) -> Voters:
        found = voters(neighbors, self.tags_, self.n_neighbors, self.unique_owner)
        near = np.where(found.positions >= 0, np.exp(-self.decay_ * found.distances), 0)
        total = near.sum(axis=1, keepdims=True)
        return replace(found, weights=(near / np.where(total > 0, total, 1)).astype(np.float32))

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        return 2 * self.votes(neighbors_of(batch)) - np.float32(0.5)

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        votes = 2 * self.votes(neighbors_of(batch))
        return {"votes": votes, "offset": np.full_like(votes, -0.5)}

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {**super()._arrays(), "decay": np.asarray(self.decay_)}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(arrays)
        self.decay_ = float(arrays["decay"])


@dataclass(frozen=True)
class Some:
    """Keeps the last values of a vector."""

    n_dims: int

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors[:, -self.n_dims :].copy()


@dataclass(kw_only=True, eq=False)
class Turned(Fading):
    """Fading, in a space of its own."""

    name: ClassVar[str] = "turned"

    n_dims: int = 3

    @property
    def fit_needs(self) -> Needs:
        return Needs.FEATURES

    @property
    def space(self) -> Space | None:
        return Some(self.n_dims)


@dataclass(kw_only=True, eq=False)
class Means(TagLearner):
    """Nobody votes: a tag scores the product with the mean vector of its pictures."""

    name: ClassVar[str] = "means"
    needs: ClassVar[Needs] = Needs.FEATURES
    fit_needs: ClassVar[Needs] = Needs.FEATURES

    means_: NDArray[np.float32] = field(init=False, repr=False)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        present = tags.toarray().astype(np.float32)
        counts = np.maximum(present.sum(axis=0), 1)[:, None]
        self.means_ = (present.T @ features_of(batch)) / counts

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        self.means_ = np.where(columns[:, None] >= 0, self.means_[columns], 0)

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        return features_of(batch) @ self.means_.T

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"means": self.means_}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.means_ = np.asarray(arrays["means"], np.float32)


class Cut(NamedTuple):
    """From where on tags are right so often."""

    threshold: float
    precision: float
    recall: float


@dataclass(kw_only=True, eq=False)
class Certain(Means):
    """Means that knows probabilities, the squares of its scores, and how many tags there are."""

    name: ClassVar[str] = "certain"

    n_emitted: float = 2.0
    scale: float = 1.0

    def predict_probabilities(self, batch: Batch) -> NDArray[np.float32]:
        return np.clip(self.scale * self.predict_scores(batch), 0, 1) ** 2

    def predict_quantities(self, batch: Batch) -> NDArray[np.float64]:
        return np.full(batch.n_queries, self.n_emitted)

    def cut_for_precision(self, precision: float) -> Cut | None:
        return Cut(0.9, precision, 0.25) if precision < 0.95 else None


STAND_INS = {"fading": Fading, "turned": Turned, "means": Means, "certain": Certain}
