"""Voting by pictures whose vectors the learner keeps itself, the nearer the more."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs
from learners.batch import features_of
from learners.parameters import real_number
from learners.tag_matrix import TagMatrix
from learners.votes import Voters, tag_votes
from learners.voting import VotingLearner

if TYPE_CHECKING:
    from indexing.index import Neighbors

__all__ = ["VectorVoting", "unit_length"]

# Distances held at a time: 8 MB as float32, and a dozen times that while they are sorted.
_STEP_CELLS = 1 << 21


@dataclass(kw_only=True, eq=False)
class VectorVoting(VotingLearner):
    r"""What searches for its voters itself: every distance computed, in bounded memory.

    With :math:`d_j` the cosine distance, in [0, 2], of voter :math:`j` and :math:`y_{jt}` 1
    where it carries tag :math:`t`,

    .. math:: score(x, t) = \sum_j e^{-w d_j} y_{jt} \Big/ \sum_j e^{-w d_j} .

    Who votes is what subclasses say. A picture that the learner was fitted on votes for
    itself when it is asked about.

    Parameters
    ----------
    weight_decay : float
        The :math:`w`, at least 0: how fast a vote fades with its distance.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    vectors_ : ndarray of float32, shape (n_images, n_dims)
        Of the tagged pictures, of unit length.
    """

    needs: ClassVar[Needs] = Needs.FEATURES
    fit_needs: ClassVar[Needs] = Needs.FEATURES

    weight_decay: float
    vectors_: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.weight_decay = real_number("weight_decay", self.weight_decay)

    def voters(self, features: NDArray[np.float32]) -> Voters:
        """Return who votes on each picture, nearest first, with which weight.

        Parameters
        ----------
        features : ndarray of float32, shape (n_queries, n_dims)
            As the learner was fitted on.

        Returns
        -------
        Voters
            The weights of a picture's voters sum to 1.
        """
        self._check_fitted()
        return self._voters(self._embedded(features))

    @abstractmethod
    def _candidates(self, queries: NDArray[np.float32]) -> "Neighbors":
        """Return who votes on each query: positions, -1 pads, and distances, nearest first."""

    def _embedded(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what distances are measured between; of unit length, or zero."""
        if features.shape[1] != self.vectors_.shape[1]:
            raise InputError(
                f"features of {features.shape[1]} values; the learner {self.name!r} was fitted on "
                f"{self.vectors_.shape[1]}; give what it was fitted on"
            )
        return unit_length(features)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        super()._fit(batch, tags)
        self.vectors_ = unit_length(features_of(batch))

    def _voters(self, queries: NDArray[np.float32]) -> Voters:
        found = self._candidates(queries)
        votes = found.rows >= 0
        # As far as the nearest voter votes with weight 1: the sum never vanishes, however far
        # away everybody is.
        beyond = np.where(votes, found.distances - found.distances[:, :1], 0)
        weights = np.where(votes, np.exp(-self.weight_decay * beyond), 0)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1)
        rows = np.full(found.rows.shape, -1, dtype=np.int64)
        rows[votes] = self.tags_.rows[found.rows[votes]]
        return Voters(
            positions=found.rows,
            rows=rows,
            distances=found.distances,
            weights=weights.astype(np.float32),
        )

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        queries = self._embedded(features_of(batch))
        scores = np.empty((len(queries), self.n_tags_), dtype=np.float32)
        for part in self._steps(len(queries)):
            scores[part] = tag_votes(self._voters(queries[part]), self.tags_)
        return scores

    def _steps(self, n_queries: int) -> Iterator[slice]:
        step = max(1, _STEP_CELLS // max(self.tags_.n_images, 1))
        for start in range(0, n_queries, step):
            yield slice(start, start + step)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {**super()._arrays(), "vectors": self.vectors_}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(arrays)
        self.vectors_ = np.asarray(arrays["vectors"], dtype=np.float32)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors scaled to length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
