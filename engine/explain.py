"""Who voted, and what each source adds: the answer to "why this tag?"."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.results import RankedTag, Voter
from engine.tagged import TaggedPictures
from indexing.catalogue import Entry
from indexing.records import printable_path
from learners.votes import Voters

__all__ = ["Explainer"]


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
        ballots: Voters,
        sources: Mapping[str, NDArray[np.float32]],
    ) -> list[tuple[RankedTag, ...]]:
        """Return the answers, explained.

        Parameters
        ----------
        answers : sequence of sequence of RankedTag
            One a query.
        ballots : Voters
            Who voted on each query.
        sources : mapping of str to ndarray of float32, shape (n_queries, n_tags)
            What each source adds to each score.
        """
        return [
            self._explained(answer, self._voters(ballots, query), sources, query)
            for query, answer in enumerate(answers)
        ]

    def _explained(
        self,
        answer: Sequence[RankedTag],
        voters: Sequence[tuple[Voter, frozenset[int]]],
        sources: Mapping[str, NDArray[np.float32]],
        query: int,
    ) -> tuple[RankedTag, ...]:
        explained = []
        for ranked in answer:
            column = self._columns[ranked.tag]
            explained.append(
                replace(
                    ranked,
                    sources={name: float(part[query, column]) for name, part in sources.items()},
                    voters=tuple(voter for voter, carried in voters if column in carried),
                )
            )
        return tuple(explained)

    def _voters(self, ballots: Voters, query: int) -> list[tuple[Voter, frozenset[int]]]:
        """Return who voted on one query, nearest first, each with the columns it carries."""
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
            voters.append((voter, frozenset(self._tagged.tags.tags_of(position).tolist())))
        return voters
