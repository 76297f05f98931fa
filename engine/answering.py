"""From neighbours to the tags that are answered: scores, facts, ties, and how many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.explain import Explainer
from engine.queries import Query
from engine.results import RankedTag
from engine.serving import Questions, Served, voters_of, votes_of
from engine.tagged import TaggedPictures
from indexing.errors import InputError
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
        some voter carries, or, where there is a threshold, all of those that reach it.
    threshold : float or None
        Only tags that score at least this.
    min_voters : int, default=0
        Only tags that at least so many voters carry.
    default_top : int, default=5

    Notes
    -----
    Tags that people confirmed for a picture are answered whatever their score. A learner that
    has no voters may answer any tag.
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

    def n_ranked(self, n_tags: int) -> int:
        """Return how many tags of a ranking of ``n_tags`` are looked at."""
        if self.top is not None:
            return self.top
        return self.default_top if self.threshold is None else n_tags

    def allows(
        self, scores: NDArray[np.float32], n_voters: NDArray[np.float32] | None
    ) -> NDArray[np.bool_]:
        """Return which tags may be answered.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_queries, n_tags)
        n_voters : ndarray of float32, shape (n_queries, n_tags), or None
            How many voters carry each tag; None where there are no voters.

        Returns
        -------
        ndarray of bool, shape (n_queries, n_tags)
        """
        allowed = np.ones(scores.shape, bool)
        if n_voters is not None:
            allowed = n_voters >= max(self.min_voters, 1 if self.top is None else 0)
        return allowed if self.threshold is None else allowed & (scores >= self.threshold)


class Answering:
    """Answer queries with one learner.

    Parameters
    ----------
    served : Served
        Its learner was fitted on ``tagged``.
    tagged : TaggedPictures
    blocks : tuple of int
        Widths of the layers that vectors are made of.
    emission : Emission
    explainer : Explainer or None
        Says who voted, where somebody wants to know.

    Raises
    ------
    InputError
        Voters are to be counted, and the learner has none.
    """

    def __init__(
        self,
        served: Served,
        tagged: TaggedPictures,
        blocks: tuple[int, ...],
        emission: Emission,
        explainer: Explainer | None = None,
    ) -> None:
        if emission.min_voters and not isinstance(served.learner, NeighborVoting):
            raise InputError(
                f"the learner {served.learner.name!r} has no voters to be counted; --min-voters is "
                "accepted for learners that vote; leave it out, or name one with --learner knn"
            )
        self._served = served
        self._learner = served.learner
        self._tagged = tagged
        self._blocks = blocks
        self._emission = emission
        self._explainer = explainer

    def __call__(
        self, queries: Sequence[Query], vectors: NDArray[np.float32]
    ) -> list[tuple[RankedTag, ...]]:
        """Return the tags of each query, best first.

        Parameters
        ----------
        queries : sequence of Query
        vectors : ndarray of float32, shape (n_queries, n_dims)
            As the transform gives them.
        """
        if not queries:
            return []
        own_places = [self._tagged.places_of(query.content) for query in queries]
        # A picture that the workspace knows does not vote for itself, nor do its copies.
        own_groups = np.array(
            [self._tagged.groups[places[0]] if places else -1 for places in own_places], np.int64
        )
        questions = Questions(self._tagged, vectors, own_groups, self._blocks)
        batch = questions.batch(self._served)
        scores = self._learner.predict_scores(batch)
        ballots = voters_of(self._learner, batch)
        confirmed = self._confirmed(own_places)
        n_voters = None
        if ballots is not None:
            n_voters = tag_votes(ballots.weighing_one(), self._tagged.tags)
        allowed = confirmed | self._emission.allows(scores, n_voters)
        ranked = rank_tags(
            confirmed,
            self._emission.n_ranked(self._tagged.tags.n_tags),
            (allowed, scores, *self._learner.tie_breaks(batch)),
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
        return self._explainer(
            answers, ballots, self._learner.sources(batch), votes_of(self._learner, batch)
        )

    def _confirmed(self, own_places: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        confirmed = np.zeros((len(own_places), self._tagged.tags.n_tags), bool)
        for query, places in enumerate(own_places):
            for place in places:
                confirmed[query, self._tagged.tags.tags_of(place)] = True
        return confirmed
