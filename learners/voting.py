"""Neighbour voting: the nearest tagged pictures lend their tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs, TagLearner
from learners.batch import neighbors_of
from learners.parameters import true_or_false, whole_number
from learners.tag_matrix import TagMatrix
from learners.votes import Voters, Weights, tag_votes, voters

if TYPE_CHECKING:
    from indexing.index import Neighbors

__all__ = ["KNN", "NeighborVoting", "TagVote", "VotingLearner"]


@dataclass(kw_only=True, eq=False)
class VotingLearner(TagLearner):
    """What all votes are counted by: the learner keeps the tagged pictures.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    """

    tags_: TagMatrix = field(init=False, repr=False)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self.tags_ = tags

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {f"tags_{name}": array for name, array in self.tags_.to_arrays().items()}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        prefix = "tags_"
        self.tags_ = TagMatrix.from_arrays(
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        )


@dataclass(kw_only=True, eq=False)
class NeighborVoting(VotingLearner):
    """What is asked with neighbours: the tagged pictures themselves are all that is learned."""

    needs: ClassVar[Needs] = Needs.NEIGHBORS
    answers_new_tags: ClassVar[bool] = True

    n_neighbors: int

    def __post_init__(self) -> None:
        self.n_neighbors = whole_number("n_neighbors", self.n_neighbors)

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        self.tags_ = tags

    def voters(self, neighbors: "Neighbors") -> Voters:
        """Return who votes on each query, with which weight; see :mod:`learners.votes`."""
        self._check_fitted()
        return self._voters(neighbors, self._vote_weights())

    def _vote_weights(self) -> Weights:
        return Weights.UNIFORM

    def _voters(self, neighbors: "Neighbors", weights: Weights) -> Voters:
        return voters(neighbors, self.tags_, self.n_neighbors, weights=weights)

    def _tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        alike = self._voters(neighbors_of(batch), Weights.SIMILARITY)
        return tag_votes(alike, self.tags_), self.tags_.counts


@dataclass(kw_only=True, eq=False)
class KNN(NeighborVoting):
    r"""Share of the nearest tagged pictures that carry a tag.

    With :math:`w_j` the weight of voter :math:`j` and :math:`y_{jt}` 1 where it carries tag
    :math:`t`,

    .. math:: score(x, t) = \sum_j w_j y_{jt} \Big/ \sum_j w_j .

    Equal scores are ordered by summed similarity, then by tag frequency (:meth:`tie_breaks`).

    Parameters
    ----------
    n_neighbors : int, default=5
        Voters a picture, at most; at least 1.
    weights : Weights, default=Weights.UNIFORM
        What a vote weighs.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.

    Notes
    -----
    A picture whose voters all weigh 0, or that has none, scores 0 for every tag.

    Examples
    --------
    >>> from indexing.index import Neighbors
    >>> tags = TagMatrix.from_lists([10, 11, 12], [[0], [0, 1], [2]], n_tags=3)
    >>> near = Neighbors(rows=np.array([[11, 10]]), distances=np.array([[0.1, 0.2]], np.float32))
    >>> KNN(n_neighbors=2).fit(Batch(), tags).predict_scores(Batch(neighbors=near))
    array([[1. , 0.5, 0. ]], dtype=float32)
    """

    name: ClassVar[str] = "knn"
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors", "weights"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "n_neighbors": (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
    }

    n_neighbors: int = 5
    weights: Weights = Weights.UNIFORM

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            self.weights = Weights(self.weights)
        except ValueError:
            raise InputError(
                f"weights is {self.weights!r}; it is one of {', '.join(Weights)}; choose one"
            ) from None

    def _vote_weights(self) -> Weights:
        return self.weights

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        found = self._voters(neighbors_of(batch), self.weights)
        scores = tag_votes(found, self.tags_)
        # Summed in float64, as the votes are: a tag that all voters carry scores exactly 1.
        total = found.weights.sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        np.divide(scores, total, out=scores, where=total > 0)
        return scores


@dataclass(kw_only=True, eq=False)
class TagVote(NeighborVoting):
    r"""Neighbour voting, one vote per owner, less what chance would give.

    With :math:`k_t` the voters that carry tag :math:`t`, :math:`k_x` the voters found,
    and :math:`n_t` of the :math:`n` training images carrying :math:`t`,

    .. math:: score(x, t) = k_t - k_x \, n_t / n .

    Parameters
    ----------
    n_neighbors : int, default=1000
        Voters per image, at most.
    unique_owner : bool, default=True
        At most one voter an owner, the nearest. Pictures of unknown owner are each their own,
        and where no owner is known the rule is off.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    prior_ : ndarray of float32, shape (n_tags,)
        Share of training images with each tag, in [0, 1].

    Notes
    -----
    The paper's prior counts the *requested* k; this counts the voters found, which
    differs only on small corpora, where the paper's prior would exceed any vote.

    References
    ----------
    X. Li, C. Snoek, M. Worring, "Learning Social Tag Relevance by Neighbor Voting",
    IEEE Trans. Multimedia 11(7), 2009.

    Examples
    --------
    >>> from indexing.index import Neighbors
    >>> tags = TagMatrix.from_lists([0, 1, 2, 3], [[0], [0], [1], []], 2, owners=[5, 5, 6, -1])
    >>> near = Neighbors(
    ...     rows=np.array([[0, 1, 2]]), distances=np.array([[0.1, 0.2, 0.3]], np.float32)
    ... )
    >>> TagVote(n_neighbors=3).fit(Batch(), tags).predict_scores(Batch(neighbors=near))
    array([[0. , 0.5]], dtype=float32)
    """

    name: ClassVar[str] = "tagvote"
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors", "unique_owner"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "n_neighbors": (5, 10, 20, 50, 100, 200, 500, 1000)
    }

    n_neighbors: int = 1000
    unique_owner: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.unique_owner = true_or_false("unique_owner", self.unique_owner)

    @property
    def prior_(self) -> NDArray[np.float32]:
        """Share of training images with each tag."""
        return self.tags_.prior.astype(np.float32)

    def _voters(self, neighbors: "Neighbors", weights: Weights) -> Voters:
        return voters(neighbors, self.tags_, self.n_neighbors, self.unique_owner, weights)

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        sources = self._sources(batch)
        return np.add(sources["votes"], sources["prior"], out=sources["votes"])

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        found = self._voters(neighbors_of(batch), Weights.UNIFORM)
        expected = found.n_found[:, None].astype(np.float32) * self.prior_
        return {"votes": tag_votes(found, self.tags_), "prior": -expected}
