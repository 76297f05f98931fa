"""What a learner wants to see of a workspace: to be fitted, and to be asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.neighborhood import Search, Searchable, leave_one_out_neighbors
from engine.tagged import TaggedPictures
from engine.vectors import StoredVectors
from indexing.errors import InputError
from indexing.index import Index, Metric, Neighbors
from learners.base import Batch, Needs, Space, TagLearner
from learners.votes import Voters
from learners.voting import NeighborVoting

__all__ = [
    "CountsVotes",
    "Questions",
    "Served",
    "metric_of",
    "training_batch",
    "voters_of",
    "votes_of",
]

_SERVED = Needs.FEATURES | Needs.NEIGHBORS


@runtime_checkable
class CountsVotes(Protocol):
    """A learner whose score is made of a vote: the weights of the voters that carry the tag."""

    def votes(self, neighbors: Neighbors) -> NDArray[np.float32]:
        """Return the vote for each tag, in [0, 1], float32 (n_queries, n_tags)."""


def metric_of(space: Space) -> Metric:
    """Return how far apart vectors of a space are: by cosine, unless it has a ``metric``."""
    return Metric(getattr(space, "metric", Metric.COSINE))


def training_batch(
    learner: TagLearner,
    tagged: TaggedPictures,
    index: Index,
    vectors: StoredVectors,
    blocks: tuple[int, ...],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Batch:
    """Return what a learner reads of the tagged pictures to be fitted on them.

    Parameters
    ----------
    learner : TagLearner
        Not fitted.
    tagged : TaggedPictures
        What it learns from.
    index : Index
        Of the vectors as they are; it may hold other pictures too.
    vectors : StoredVectors
    blocks : tuple of int
        Widths of the layers that the vectors are made of.
    on_progress : callable, optional
        Called with the pictures done and their number, while neighbours are searched.

    Raises
    ------
    InputError
        The learner needs what a workspace does not hold.
    """
    needs = learner.fit_needs
    _check_served(learner, needs)
    rows = tagged.tags.rows
    reads_features = Needs.FEATURES in needs
    neighbors = None
    if Needs.NEIGHBORS in needs:
        n_named = getattr(learner, "n_neighbors", tagged.tags.n_images)
        neighbors = leave_one_out_neighbors(
            index,
            tagged,
            rows,
            vectors,
            min(n_named, max(1, tagged.tags.n_images)),
            unique_owner=bool(getattr(learner, "unique_owner", False)),
            on_progress=on_progress,
        )
    return Batch(
        features=vectors(rows) if reads_features else None,
        groups=tagged.groups if reads_features else None,
        blocks=blocks if reads_features else None,
        neighbors=neighbors,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """A fitted learner, and where its neighbours come from.

    Parameters
    ----------
    learner : TagLearner
        Fitted.
    index : callable
        Gives the index of its neighbours: that of its own space, if it has one. Not called
        where the learner needs no neighbours.
    """

    learner: TagLearner
    index: Callable[[], Searchable]


class Questions:
    """Pictures that learners are asked about; learners of one index share one search.

    Parameters
    ----------
    tagged : TaggedPictures
        What the learners were fitted on.
    vectors : ndarray of float32, shape (n_queries, n_dims)
        As they are, in no learner's space.
    own_groups : ndarray of int64, shape (n_queries,)
        Content group of each picture, which does not vote for it; -1 = none.
    blocks : tuple of int
        Widths of the layers that the vectors are made of.
    """

    def __init__(
        self,
        tagged: TaggedPictures,
        vectors: NDArray[np.float32],
        own_groups: NDArray[np.int64],
        blocks: tuple[int, ...],
    ) -> None:
        self._tagged = tagged
        self._vectors = vectors
        self._own_groups = own_groups
        self._blocks = blocks
        self._searches: dict[int, Search] = {}

    def batch(self, served: Served) -> Batch:
        """Return what a fitted learner reads of the pictures.

        Raises
        ------
        InputError
            The learner needs what a workspace does not hold.
        """
        learner = served.learner
        _check_served(learner, learner.needs)
        neighbors = None
        if isinstance(learner, NeighborVoting):
            neighbors = self.search(served.index(), learner.space).voters_of(learner)
        # A learner that reads nothing of the pictures must still know how many there are.
        reads_features = Needs.FEATURES in learner.needs or neighbors is None
        return Batch(
            features=self._vectors if reads_features else None,
            blocks=self._blocks if reads_features else None,
            neighbors=neighbors,
        )

    def search(self, index: Searchable, space: Space | None = None) -> Search:
        """Return the search in an index, which may have answered others already.

        Parameters
        ----------
        index : Searchable
        space : Space, optional
            Whose vectors it holds; None = the vectors as they are.
        """
        if id(index) not in self._searches:
            queries = self._vectors if space is None else space(self._vectors)
            self._searches[id(index)] = Search(index, queries, self._tagged, self._own_groups)
        return self._searches[id(index)]


def voters_of(learner: TagLearner, batch: Batch) -> Voters | None:
    """Return who votes on each picture of a batch; None for a learner without voters."""
    if batch.neighbors is None or not isinstance(learner, NeighborVoting):
        return None
    return learner.voters(batch.neighbors)


def votes_of(learner: TagLearner, batch: Batch) -> NDArray[np.float32] | None:
    """Return the votes that the scores are made of; None for a learner that counts none."""
    if batch.neighbors is None or not isinstance(learner, CountsVotes):
        return None
    return learner.votes(batch.neighbors)


def _check_served(learner: TagLearner, needs: Needs) -> None:
    unserved = needs & ~_SERVED
    if unserved or (Needs.NEIGHBORS in learner.needs and not isinstance(learner, NeighborVoting)):
        raise InputError(
            f"the learner {learner.name!r} needs more than a workspace holds "
            f"({(unserved or Needs.NEIGHBORS).name}); features of pictures, and neighbours for "
            "those that vote, are what it gives; choose another learner"
        )
