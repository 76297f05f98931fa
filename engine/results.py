"""What the engine answers: plain values that print as JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from indexing.errors import RefusalReason
from indexing.records import Refusal

__all__ = [
    "BuildReport",
    "Found",
    "RankedTag",
    "Relation",
    "SearchAnswer",
    "TagAnswer",
    "Voter",
    "refusal_counts",
    "refusal_totals",
    "refused_pictures",
]


@dataclass(frozen=True, slots=True)
class Voter:
    """A picture of the corpus that voted.

    Parameters
    ----------
    image_id, path : str
        Which picture; printable.
    distance : float
        To the picture asked about, in the space of the learner that it votes with: cosine, in
        [0, 2], unless the learner has one of its own.
    weight : float
        Share of the vote, in [0, 1]; below 0 where it votes against the tag, which was removed
        from it.
    tags : tuple of str
        What people typed for it.
    """

    image_id: str
    path: str
    distance: float
    weight: float
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "image_id": self.image_id,
            "path": self.path,
            "distance": round(self.distance, 6),
            "weight": round(self.weight, 6),
        }


class Relation(StrEnum):
    """Why a tag is answered that no learner gave; the values are what people read."""

    KIND = "kind of"
    """It is a kind of what the tag that brought it is, by WordNet."""
    NEAR = "near"
    """It is near the tag that brought it, by word vectors."""


@dataclass(frozen=True, slots=True)
class RankedTag:
    """One tag of an answer.

    Parameters
    ----------
    tag : str
        As people most often spell it.
    score : float
        The learner's score, higher is better.
    probability : float or None
        Calibrated probability; None while nothing is calibrated.
    is_confirmed : bool
        People gave this very picture this tag; such tags come first.
    is_scored : bool
        The score is the learner's own. False for confirmed tags that no other picture speaks
        for: nobody voted, or the score is that of the correction which confirms it.
    vote : float or None
        The vote that the score is made of, at most 1: what the weights of its voters sum to.
        None unless explained, and for learners that count none.
    sources : dict of str to float or None
        What each source adds to the score; they sum to it. None unless explained.
    voters : tuple of Voter or None
        The voters that carry the tag, nearest first. None unless explained.
    brought_by : str or None
        The tag that brought it; None = the learner gave it.
    relation : Relation or None
        How it follows from that tag.
    nearest_without : Found or None
        The nearest tagged picture that lacks the tag: what would speak against it. None unless
        explained, and where every picture carries the tag.
    """

    tag: str
    score: float
    probability: float | None = None
    is_confirmed: bool = False
    is_scored: bool = True
    vote: float | None = None
    sources: dict[str, float] | None = None
    voters: tuple[Voter, ...] | None = None
    nearest_without: "Found | None" = None
    brought_by: str | None = None
    relation: Relation | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        fields: dict[str, Any] = {
            "tag": self.tag,
            "score": round(self.score, 6),
            "probability": None if self.probability is None else round(self.probability, 6),
        }
        if self.is_confirmed:
            fields["confirmed"] = True
        if self.brought_by is not None:
            fields["brought_by"] = self.brought_by
            fields["relation"] = self.relation
        if self.voters is not None:
            fields["vote"] = None if self.vote is None else round(self.vote, 6)
        if self.sources is not None:
            fields["sources"] = {
                name: round(part, 6) + 0.0  # a member without weight adds 0, not -0
                for name, part in self.sources.items()
            }
        if self.voters is not None:
            fields["voters"] = [voter.to_json() for voter in self.voters]
            lacking = self.nearest_without
            fields["nearest_without"] = None if lacking is None else lacking.to_json()
        return fields


@dataclass(frozen=True, slots=True)
class TagAnswer:
    """The tags of one picture, or why it could not be read.

    Parameters
    ----------
    image : str
        The path as it was given, printable.
    learner : str
        Who answers.
    tags : tuple of RankedTag
        Best first.
    seconds : float
        Wall seconds spent, shared evenly among the pictures that were answered together.
    error : str or None
        Why there is no answer.
    voter : str or None
        The learner whose voters explain the tags: the one that answers, or one that it mixes.
        None where nobody voted.
    is_explained : bool
        Whether the tags come with their sources and voters.
    """

    image: str
    learner: str
    tags: tuple[RankedTag, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    voter: str | None = None
    is_explained: bool = False

    def with_tags(self, tags: "tuple[RankedTag, ...]") -> "TagAnswer":
        """Return the answer with other tags."""
        return replace(self, tags=tags)

    def unexplained(self) -> "TagAnswer":
        """Return the answer without votes, sources and voters."""
        return replace(
            self,
            is_explained=False,
            tags=tuple(
                replace(ranked, vote=None, sources=None, voters=None, nearest_without=None)
                for ranked in self.tags
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        if self.error is not None:
            return {"image": self.image, "error": self.error}
        return {
            "image": self.image,
            "learner": self.learner,
            **({"voter": self.voter} if self.is_explained else {}),
            "tags": [tag.to_json() for tag in self.tags],
            "seconds": round(self.seconds, 4),
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that a search found; ``tags`` is None where nobody has tagged it.

    ``distance`` is the cosine distance of the vectors, in [0, 2].
    """

    image_id: str
    path: str
    distance: float
    tags: tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "image_id": self.image_id,
            "path": self.path,
            "distance": round(self.distance, 6),
            "tags": None if self.tags is None else list(self.tags),
        }


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The pictures nearest to a query picture, nearest first, or why it could not be read."""

    query: str
    results: tuple[Found, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        if self.error is not None:
            return {"query": self.query, "error": self.error}
        return {"query": self.query, "results": [found.to_json() for found in self.results]}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did.

    Parameters
    ----------
    workspace, source : str
        Where the workspace lies and what was read.
    n_indexed, n_tagged, n_voters, n_tags : int
        Pictures in the index, those that people have tagged, those that vote, distinct tags.
    n_added, n_removed, n_moved, n_retagged, n_extracted : int
        Changes against the build before; pictures that went through the network.
    refusals : tuple of Refusal
        Files that were not indexed, and sidecars that could not be read.
    learners : dict
        What was chosen for each learner.
    seconds : float
        Wall seconds.
    is_changed : bool
        Whether there is a new generation.
    dropped : dict of str to str
        Trained learners that could not be carried over, and why.
    """

    workspace: str
    source: str
    n_indexed: int
    n_tagged: int
    n_voters: int
    n_tags: int
    n_added: int
    n_removed: int
    n_moved: int
    n_retagged: int
    n_extracted: int
    refusals: tuple[Refusal, ...]
    learners: dict[str, dict[str, Any]]
    seconds: float
    is_changed: bool
    dropped: dict[str, str] = field(default_factory=dict)

    @property
    def n_sidecars_not_read(self) -> int:
        """How many sidecars could not be read; their pictures are indexed all the same."""
        return refusal_totals(self.refusals)["sidecars_not_read"]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "workspace": self.workspace,
            "source": self.source,
            "indexed": self.n_indexed,
            "tagged": self.n_tagged,
            "voters": self.n_voters,
            "tags": self.n_tags,
            "added": self.n_added,
            "removed": self.n_removed,
            "moved": self.n_moved,
            "retagged": self.n_retagged,
            "extracted": self.n_extracted,
            "refused": dict(refusal_counts(refused_pictures(self.refusals))),
            "sidecars_not_read": self.n_sidecars_not_read,
            "learners": self.learners,
            "dropped": self.dropped,
            "seconds": round(self.seconds, 3),
            "changed": self.is_changed,
        }


def refused_pictures(refusals: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """Return the refusals without those of sidecars, whose pictures are indexed all the same."""
    return tuple(one for one in refusals if one.reason is not RefusalReason.BAD_SIDECAR)


def refusal_totals(refusals: Sequence[Refusal]) -> dict[str, int]:
    """Return how many pictures were refused, and how many sidecars were not read."""
    n_pictures = len(refused_pictures(refusals))
    return {"refused": n_pictures, "sidecars_not_read": len(refusals) - n_pictures}


def refusal_counts(refusals: Sequence[Refusal]) -> list[tuple[RefusalReason, int]]:
    """Return how often each reason occurs, most frequent first, then by name.

    Examples
    --------
    >>> refusal_counts([Refusal("a.jpg", RefusalReason.EMPTY, "0 bytes")])
    [(<RefusalReason.EMPTY: 'empty'>, 1)]
    """
    counts = Counter(refusal.reason for refusal in refusals)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
