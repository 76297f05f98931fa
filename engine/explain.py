"""Who voted, and what each source adds: the answer to "why this tag?"."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.counterexamples import nearest_without
from engine.neighborhood import Search
from engine.results import Found, RankedTag, Voter
from engine.tagged import TaggedPictures
from indexing.catalogue import Entry
from indexing.records import printable_path
from learners.corrections import CorrectedTags
from learners.votes import Voters

__all__ = ["Explainer", "no_voters"]


def no_voters(learner: str) -> str:
    """Return what is said where voters are asked for and a learner has none."""
    return f"{learner} does not vote; --learner knn shows the neighbours"


class Explainer:
    """Adds sources and voters to the answers of a voting learner.

    Parameters
    ----------
    tagged : TaggedPictures
    entries : mapping of int to Entry
        Indexed pictures by row id.
    """

    def __init__(self, tagged: TaggedPictures, entries: Mapping[int, Entry]) -> None:
        self._tagged = tagged
        self._entries = entries
        self._columns = {tag: column for column, tag in enumerate(tagged.vocabulary)}

    def __call__(
        self,
        answers: Sequence[Sequence[RankedTag]],
        ballots: Voters | None,
        sources: Mapping[str, NDArray[np.float32]],
        votes: NDArray[np.float32] | None,
        search: Search,
    ) -> list[tuple[RankedTag, ...]]:
        """Return the answers, explained.

        Parameters
        ----------
        answers : sequence of sequence of RankedTag
            One a query.
        ballots : Voters or None
            Who voted on each query; None where nobody votes.
        sources : mapping of str to ndarray of float32, shape (n_queries, n_tags)
            What each source adds to each score.
        votes : ndarray of float32, shape (n_queries, n_tags), or None
            The vote that each score is made of, for learners that count one.
        search : Search
            Of the queries, among the vectors as they are.
        """
        columns = [[self._columns[ranked.tag] for ranked in answer] for answer in answers]
        lacking = nearest_without(search, self._tagged, columns)
        explained = []
        for query, answer in enumerate(answers):
            voters = [] if ballots is None else self._voters(ballots, query)
            parts = {name: part[query] for name, part in sources.items()}
            vote = None if votes is None else votes[query]
            explained.append(self._explained(answer, voters, parts, vote, lacking[query]))
        return explained

    def _explained(
        self,
        answer: Sequence[RankedTag],
        voters: Sequence[tuple[Voter, frozenset[int]]],
        sources: Mapping[str, NDArray[np.float32]],
        vote: NDArray[np.float32] | None,
        lacking: Mapping[int, tuple[int, float]],
    ) -> tuple[RankedTag, ...]:
        explained = []
        for ranked in answer:
            column = self._columns[ranked.tag]
            explained.append(
                replace(
                    ranked,
                    vote=None if vote is None else float(vote[column]),
                    sources={name: float(part[column]) for name, part in sources.items()},
                    voters=tuple(voter for voter, carried in voters if column in carried),
                    nearest_without=(self._found(*lacking[column]) if column in lacking else None),
                )
            )
        return tuple(explained)

    def _found(self, row: int, distance: float) -> Found:
        record = self._entries[row].record
        return Found(record.image_id, printable_path(record.path), distance, record.tags)

    def _voters(self, ballots: Voters, query: int) -> list[tuple[Voter, frozenset[int]]]:
        """Return who voted on one query, nearest first, each with the columns it votes on.

        One whose tags were corrected stands there twice: it votes against what was removed.
        """
        weights = ballots.weights[query]
        total = float(weights.sum()) or 1.0
        voters = []
        for position, row, distance, weight in zip(
            ballots.positions[query].tolist(),
            ballots.rows[query].tolist(),
            ballots.distances[query].tolist(),
            weights.tolist(),
            strict=True,
        ):
            if position < 0:
                break
            record = self._entries[row].record
            path = printable_path(record.path)
            voter = Voter(record.image_id, path, distance, weight / total, record.tags or ())
            tags = self._tagged.tags
            voters.append((voter, frozenset(tags.tags_of(position).tolist())))
            if isinstance(tags, CorrectedTags):
                against = replace(voter, weight=-voter.weight)
                voters.append((against, frozenset(tags.forbidden.tags_of(position).tolist())))
        return voters
