"""What a learner wants to see of a workspace: to be fitted, and to be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.given import half_of, told
from engine.neighborhood import Search, Searchable, leave_one_out_neighbors
from engine.pixels import StoredPixels
from engine.tagged import TaggedPictures
from engine.vectors import StoredVectors
from indexing.errors import InputError
from indexing.index import Index, Metric, Neighbors
from indexing.pixels import Framing
from learners.base import Batch, Needs, Space, TagLearner, TagMatrix
from learners.framing import framing_of
from learners.votes import Voters, voters
from learners.voting import NeighborVoting

__all__ = [
    "CountsVotes",
    "MixesMembers",
    "Questions",
    "Served",
    "check_served",
    "hears",
    "metric_of",
    "n_neighbors_of",
    "reads_neighbors",
    "training_batch",
    "voters_of",
    "votes_of",
]

_SERVED = Needs.FEATURES | Needs.NEIGHBORS | Needs.TAGS | Needs.WORDS


@runtime_checkable
class CountsVotes(Protocol):
    """A learner whose score is made of a vote: the weights of the voters that carry the tag."""

    def votes(self, neighbors: Neighbors) -> NDArray[np.float32]:
        """Return the vote for each tag, in [0, 1], float32 (n_queries, n_tags)."""


@runtime_checkable
class MixesMembers(Protocol):
    """A learner that mixes what others say."""

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members, in order."""

    def heeds_neighbors(self) -> bool:
        """Return whether, fitted, it heeds the picture's neighbours."""

    def hears(self, member: str) -> bool:
        """Return whether, fitted, it heeds a member, on any tag."""

    def member_params(self) -> dict[str, dict[str, Any]]:
        """Return what each member is made with, by name, in order."""


def metric_of(space: Space) -> Metric:
    """Return how far apart vectors of a space are: by cosine, unless it has a ``metric``."""
    return Metric(getattr(space, "metric", Metric.COSINE))


def training_batch(
    learner: TagLearner,
    tagged: TaggedPictures,
    index: Index,
    vectors: StoredVectors,
    blocks: tuple[int, ...],
    pixels: StoredPixels | None = None,
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
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
    pixels : StoredPixels, optional
        For learners that look at pictures.
    on_progress : callable, optional
        Called with (stage, done, total) while neighbours are searched and pictures decoded.

    Raises
    ------
    InputError
        The learner needs what a workspace does not hold.

    Notes
    -----
    Tags as input are half of each picture's own, drawn: as if the others were asked for.
    """
    needs = learner.fit_needs
    check_served(learner, needs, gives_pixels=pixels is not None)
    rows = tagged.tags.rows
    reads_features = Needs.FEATURES in needs
    tells_copies = reads_features or bool(needs & (Needs.SCORES | Needs.PIXELS))
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
            on_progress=partial(on_progress, "neighbours"),
        )
    squares = None
    if pixels is not None and Needs.PIXELS in needs:
        squares = pixels(rows, framing_of(learner), partial(on_progress, "pixels of pictures"))
    return Batch(
        features=vectors(rows) if reads_features else None,
        groups=tagged.groups if tells_copies else None,
        blocks=blocks if reads_features else None,
        neighbors=neighbors,
        tags=half_of(tagged.tags) if Needs.TAGS in needs else None,
        pixels=squares,
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
    members : mapping of str to Served
        The learners that it mixes, by name; those that it does not heed may lack.
    """

    learner: TagLearner
    index: Callable[[], Searchable]
    members: "Mapping[str, Served]" = field(default_factory=dict)

    @property
    def framings(self) -> set[Framing]:
        """How the learner, and those that it mixes, want to see pictures."""
        learners = [one.learner for one in (self, *self.members.values())]
        return {framing_of(learner) for learner in learners if Needs.PIXELS in learner.needs}

    @property
    def reads_tags(self) -> bool:
        """Whether the learner, or one that it mixes, reads tags that pictures come with."""
        return any(Needs.TAGS in one.learner.needs for one in (self, *self.members.values()))

    @property
    def voting(self) -> "Served | None":
        """Whose voters explain an answer: the learner's own, or the weightiest member's."""
        if isinstance(self.learner, NeighborVoting):
            return self
        weights: Mapping[str, float] = getattr(self.learner, "weights", {})
        voting = [name for name in self.members if self.members[name].voting is not None]
        heaviest = max(voting, key=lambda name: weights.get(name, 0.0), default=None)
        return None if heaviest is None else self.members[heaviest]


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
    given : ndarray of bool, shape (n_queries, n_tags), optional
        Tags that the pictures come with, for learners that read some; None = none.
    squares : callable, optional
        Gives the pictures, uint8 (n_queries, size, size, 3), as a framing shows them; for
        learners that look at pictures.
    """

    def __init__(
        self,
        tagged: TaggedPictures,
        vectors: NDArray[np.float32],
        own_groups: NDArray[np.int64],
        blocks: tuple[int, ...],
        given: NDArray[np.bool_] | None = None,
        squares: Callable[[Framing], NDArray[np.uint8]] | None = None,
    ) -> None:
        self._tagged = tagged
        self._vectors = vectors
        self._own_groups = own_groups
        self._blocks = blocks
        self._given = given
        self._squares = squares
        self._searches: dict[int, Search] = {}
        self._batches: dict[int, tuple[Served, Batch]] = {}

    def batch(self, served: Served) -> Batch:
        """Return what a fitted learner reads of the pictures; asked again, the same.

        Raises
        ------
        InputError
            The learner needs what a workspace does not hold.
        """
        if id(served) not in self._batches:
            self._batches[id(served)] = served, self._batch(served)
        return self._batches[id(served)][1]

    def _batch(self, served: Served) -> Batch:
        learner = served.learner
        check_served(learner, learner.needs, gives_pixels=self._squares is not None)
        heard = [one for name, one in served.members.items() if hears(learner, name)]
        for one in (served, *heard):
            if reads_neighbors(one.learner):
                self.search(one.index(), one.learner.space).foresee(n_neighbors_of(one.learner))
        neighbors = None
        if reads_neighbors(learner):
            search = self.search(served.index(), learner.space)
            neighbors = self._neighbors(learner, search)
        elif Needs.NEIGHBORS in learner.needs:
            nobody = (len(self._vectors), 0)
            neighbors = Neighbors(np.empty(nobody, np.int64), np.empty(nobody, np.float32))
        squares = None
        if self._squares is not None and Needs.PIXELS in learner.needs:
            squares = self._squares(framing_of(learner))
        # A learner that reads nothing of the pictures must still know how many there are.
        reads_features = Needs.FEATURES in learner.needs or (neighbors is None and squares is None)
        return Batch(
            features=self._vectors if reads_features else None,
            blocks=self._blocks if reads_features else None,
            neighbors=neighbors,
            tags=self._tags() if Needs.TAGS in learner.needs else None,
            pixels=squares,
            scores=self._scores(served) if Needs.SCORES in learner.needs else None,
        )

    def _tags(self) -> TagMatrix:
        if self._given is not None:
            return told(self._given)
        return told(np.zeros((len(self._vectors), self._tagged.tags.n_tags), bool))

    def _neighbors(self, learner: TagLearner, search: Search) -> Neighbors:
        if isinstance(learner, NeighborVoting):
            return search.voters_of(learner)
        n_neighbors, tags = n_neighbors_of(learner), self._tagged.tags
        return search.voters(n_neighbors, lambda near: voters(near, tags, n_neighbors))

    def _scores(self, served: Served) -> dict[str, NDArray[np.float32]]:
        """Return what the members of a learner say, by name; only those it heeds are asked."""
        names = served.learner.member_names if isinstance(served.learner, MixesMembers) else ()
        unheard = np.zeros((len(self._vectors), self._tagged.tags.n_tags), np.float32)
        scores = dict.fromkeys(names, unheard)
        for name, member in served.members.items():
            if hears(served.learner, name):
                scores[name] = member.learner.predict_scores(self.batch(member))
        return scores

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


def hears(learner: TagLearner, member: str) -> bool:
    """Return whether a fitted learner heeds one that it mixes, on any tag."""
    return not isinstance(learner, MixesMembers) or learner.hears(member)


def reads_neighbors(learner: TagLearner) -> bool:
    """Return whether a fitted learner reads neighbours: one that mixes others may not."""
    if isinstance(learner, MixesMembers) and not learner.heeds_neighbors():
        return False
    return Needs.NEIGHBORS in learner.needs


def n_neighbors_of(learner: TagLearner) -> int:
    """Return how many neighbours a learner names, at least 1."""
    named = getattr(learner, "n_neighbors", 1)
    return named if isinstance(named, int) else 1


def check_served(learner: TagLearner, needs: Needs, *, gives_pixels: bool = True) -> None:
    """Refuse a learner that needs what a workspace does not hold.

    Parameters
    ----------
    learner : TagLearner
    needs : Needs
        What it reads.
    gives_pixels : bool, default=True
        Whether pictures are at hand.

    Raises
    ------
    InputError
        It needs more than features, pixels, tags, neighbours and, where it mixes others, their
        scores; or it needs neighbours and does not say who of them votes, or how many it reads.
    """
    unserved = needs & ~(_SERVED | Needs.PIXELS if gives_pixels else _SERVED)
    if isinstance(learner, MixesMembers):
        unserved &= ~Needs.SCORES
    counts = isinstance(learner, NeighborVoting | MixesMembers)
    if unserved or (Needs.NEIGHBORS in learner.needs and not counts):
        raise InputError(
            f"the learner {learner.name!r} needs more than a workspace holds "
            f"({(unserved or Needs.NEIGHBORS).name}); features and pixels of pictures, tags, "
            "and neighbours for those that vote, are what it gives; choose another learner"
        )
