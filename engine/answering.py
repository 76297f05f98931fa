"""From neighbours to the tags that are answered: scores, facts, ties, and how many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.explain import Explainer
from engine.neighborhood import find_voters_of
from engine.queries import Query
from engine.results import RankedTag
from engine.tagged import TaggedPictures
from indexing.errors import InputError
from indexing.index import Index
from learners.base import Batch
from learners.ranking import rank_tags
from learners.votes import tag_votes
from learners.voting import NeighborVoting

__all__ = ["Answering", "Emission"]


@dataclass(frozen=True, kw_only=True)
class Emission:
    """Which tags of a ranking are answered.

    Parameters
    ----------
    top : int or None
        So many, while the vocabulary lasts; None = the ``default_top`` best of those that
        some voter carries.
    threshold : float or None
        Only tags that score at least this.
    min_voters : int, default=0
        Only tags that at least so many voters carry.
    default_top : int, default=5

    Notes
    -----
    Tags that people confirmed for a picture are answered whatever their score.
    """

    top: int | None = None
    threshold: float | None = None
    min_voters: int = 0
    default_top: int = 5

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise InputError(
                f"{self.top} tags were asked for; 1 or more are accepted; ask for at least one"
            )
        if self.threshold is not None and math.isnan(self.threshold):
            raise InputError("the threshold is not a number; a score is accepted, such as 0.5")

    @property
    def n_ranked(self) -> int:
        """How many tags of a ranking are looked at."""
        return self.default_top if self.top is None else self.top

    def allows(
        self, scores: NDArray[np.float32], n_voters: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return which tags may be answered.

        Parameters
        ----------
        scores, n_voters : ndarray of float32, shape (n_queries, n_tags)
            Score of each tag, and how many voters carry it.

        Returns
        -------
        ndarray of bool, shape (n_queries, n_tags)
        """
        allowed: NDArray[np.bool_] = n_voters >= max(self.min_voters, 1 if self.top is None else 0)
        return allowed if self.threshold is None else allowed & (scores >= self.threshold)


class Answering:
    """Answer queries with one learner.

    Parameters
    ----------
    learner : NeighborVoting
        Fitted on ``tagged``.
    tagged : TaggedPictures
    emission : Emission
    explainer : Explainer or None
        Says who voted, where somebody wants to know.
    """

    def __init__(
        self,
        learner: NeighborVoting,
        tagged: TaggedPictures,
        emission: Emission,
        explainer: Explainer | None = None,
    ) -> None:
        self._learner = learner
        self._tagged = tagged
        self._emission = emission
        self._explainer = explainer

    def __call__(
        self, queries: Sequence[Query], vectors: NDArray[np.float32], index: Index
    ) -> list[tuple[RankedTag, ...]]:
        """Return the tags of each query, best first.

        Parameters
        ----------
        queries : sequence of Query
        vectors : ndarray of float32, shape (n_queries, n_dims)
            In the index's vector space.
        index : Index
        """
        if not queries:
            return []
        own_places = [self._tagged.places_of(query.content) for query in queries]
        # A picture that the workspace knows does not vote for itself, nor do its copies.
        own_groups = np.array(
            [self._tagged.groups[places[0]] if places else -1 for places in own_places], np.int64
        )
        neighbors = find_voters_of(self._learner, index, vectors, self._tagged, own_groups)
        batch = Batch(neighbors=neighbors)
        scores = self._learner.predict_scores(batch)
        ballots = self._learner.voters(neighbors)
        n_voters = tag_votes(ballots.weighing_one(), self._tagged.tags)
        confirmed = self._confirmed(own_places)
        allowed = confirmed | self._emission.allows(scores, n_voters)
        ranked = rank_tags(
            confirmed, self._emission.n_ranked, (allowed, scores, *self._learner.tie_breaks(batch))
        )
        answers = [
            tuple(
                RankedTag(
                    tag=self._tagged.vocabulary[column],
                    score=float(scores[query, column]),
                    is_confirmed=bool(confirmed[query, column]),
                )
                for column in ranked[query].tolist()
                if allowed[query, column]
            )
            for query in range(len(queries))
        ]
        if self._explainer is None:
            return answers
        return self._explainer(answers, ballots, self._learner.sources(batch))

    def _confirmed(self, own_places: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        confirmed = np.zeros((len(own_places), self._tagged.tags.n_tags), bool)
        for query, places in enumerate(own_places):
            for place in places:
                confirmed[query, self._tagged.tags.tags_of(place)] = True
        return confirmed
