"""From neighbours to the tags that are answered: scores, facts and ties."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.album import Album
from engine.corrected import CorrectedPictures
from engine.emission import Emission
from engine.explain import Explainer
from engine.facts import Facts
from engine.neighborhood import Searchable
from engine.queries import Query
from engine.results import RankedTag
from engine.saying import least_probability, probabilities_of, quantities_of
from engine.serving import Questions, Served, voters_of, votes_of
from indexing.errors import InputError
from indexing.pixels import Framing
from learners.ranking import rank_tags
from learners.votes import Voters, tag_votes

__all__ = ["Answering"]


class Answering:
    """Answer queries with one learner.

    Parameters
    ----------
    served : Served
        Its learner answers for the corrected pictures (:meth:`CorrectedPictures.applied`).
    pictures : CorrectedPictures
        Those that vote, and what was corrected.
    voters_index : callable
        Gives where the pictures that vote are found by their vectors as they are; called where
        an answer is explained, and where a correction is to be heard that is no vote.
    blocks : tuple of int
        Widths of the layers that vectors are made of.
    emission : Emission
    explainer : Explainer or None
        Says who voted, where somebody wants to know.
    given : ndarray of bool, shape (n_tags,), optional
        Tags that all the pictures were given already, which are not answered. Learners that
        read tags are told them; None = none.

    Raises
    ------
    InputError
        Voters are to be counted, and the learner has none; or a precision is asked for, and the
        learner knows no probabilities.
    """

    def __init__(
        self,
        served: Served,
        pictures: CorrectedPictures,
        voters_index: Callable[[], Searchable],
        blocks: tuple[int, ...],
        emission: Emission,
        explainer: Explainer | None = None,
        given: NDArray[np.bool_] | None = None,
    ) -> None:
        if emission.min_voters and served.voting is None:
            raise InputError(
                f"the learner {served.learner.name!r} has no voters to be counted; --min-voters is "
                "accepted for learners that vote; leave it out, or name one with --learner knn"
            )
        self._least = least_probability(served.learner, emission)
        self._served = served
        self._learner = served.learner
        self._votes = served.voting is served
        self._pictures = pictures
        self._tagged = pictures.tagged
        self._voters_index = voters_index
        self._blocks = blocks
        self._emission = emission
        self._explainer = explainer
        n_tags = pictures.tagged.tags.n_tags
        self._given = np.zeros(n_tags, bool) if given is None else given

    def __call__(
        self, queries: Sequence[Query], vectors: NDArray[np.float32], album: Album | None = None
    ) -> list[tuple[RankedTag, ...]]:
        """Return the tags of each query, best first.

        Parameters
        ----------
        queries : sequence of Query
        vectors : ndarray of float32, shape (n_queries, n_dims)
            As the transform gives them.
        album : Album, optional
            Of these queries, where they share evidence. The voters of one are then counted for
            all of them.
        """
        if not queries:
            return []
        facts = Facts.of(self._pictures, [query.content for query in queries])
        known, removed = facts.known, facts.removed

        def squares(framing: Framing) -> NDArray[np.uint8]:
            return np.stack([query.squares[framing] for query in queries])

        questions = Questions(
            self._tagged,
            vectors,
            facts.own_groups,
            self._blocks,
            (known & ~removed) | self._given,
            squares,
        )
        batch = questions.batch(self._served)
        uncorrected = self._learner.predict_scores(batch)
        heard = self._pictures.heard(self._learner, vectors, self._voters_index)
        alone = heard.corrected(uncorrected)
        scores = alone if album is None else album.scores(alone)
        confirmed = known & ~self._given
        ballots = self._ballots(questions)
        n_voters = None
        if ballots is not None:
            n_voters = tag_votes(ballots.weighing_one(), self._tagged.tags)
            if album is not None:
                n_voters = np.broadcast_to(n_voters.sum(axis=0), n_voters.shape)
        unscored = facts.unscored(n_voters if self._votes else None, uncorrected, alone)
        probabilities = probabilities_of(self._learner, batch)
        if probabilities is not None:
            probabilities = heard.corrected(probabilities)
            if album is not None:
                probabilities = album.probabilities(probabilities)
        counted = n_voters if self._votes or self._emission.min_voters else None
        emitted = self._emission.allows(scores, counted, probabilities, self._least)
        allowed = confirmed | (emitted & ~removed & ~self._given)
        n_given = int(np.count_nonzero(self._given))
        quantities = quantities_of(self._learner, batch, confirmed, n_given)
        most = self._emission.most(scores.shape, quantities)
        ranked = rank_tags(
            confirmed, int(most.max()), (allowed, scores, *self._learner.tie_breaks(batch))
        )
        answers = [
            tuple(
                RankedTag(
                    tag=self._tagged.vocabulary[column],
                    score=float(scores[query, column]),
                    probability=(
                        None if probabilities is None else float(probabilities[query, column])
                    ),
                    is_confirmed=bool(confirmed[query, column]),
                    is_scored=not unscored[query, column],
                )
                for column in ranked[query, : most[query]].tolist()
                if allowed[query, column]
            )
            for query in range(len(queries))
        ]
        if self._explainer is None:
            return answers
        sources = self._learner.sources(batch) | heard.sources(uncorrected)
        if album is not None:
            sources["together"] = scores - alone
        return self._explainer(
            answers,
            ballots,
            sources,
            votes_of(self._learner, batch),
            questions.search(self._voters_index()),
        )

    def _ballots(self, questions: Questions) -> Voters | None:
        """Return who votes on each query: the learner's voters, or those of one that it mixes.

        The latter speak through the score; they are looked at only to be counted or shown.
        """
        voting = self._served.voting
        is_asked = self._votes or self._emission.min_voters or self._explainer is not None
        if voting is None or not is_asked:
            return None
        return voters_of(voting.learner, questions.batch(voting))
