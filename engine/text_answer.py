"""What a search by words answers: plain values that print as JSON."""

from dataclasses import dataclass
from typing import Any

__all__ = ["TextAnswer", "TextFound"]


@dataclass(frozen=True, slots=True)
class TextFound:
    """A picture that was found by words.

    Parameters
    ----------
    image_id, path : str
        Which picture; printable.
    distance : float or None
        Cosine distance to the picture that is searched with, in [0, 2]; 2 where an approximate
        index has not found it. None where there is no such picture.
    scores : dict of str to float
        What each word scores for it, on the scale of who scored it; higher is better.
    confirmed : tuple of str
        Words that people gave it as tags.
    unscored : tuple of str
        Those that no other picture speaks for: the score is not the learner's own.
    tags : tuple of str or None
        What people typed for it; None where nobody has tagged it.
    """

    image_id: str
    path: str
    distance: float | None
    scores: dict[str, float]
    confirmed: tuple[str, ...]
    unscored: tuple[str, ...]
    tags: tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "image_id": self.image_id,
            "path": self.path,
            "distance": None if self.distance is None else round(self.distance, 6),
            "scores": {word: round(score, 6) for word, score in self.scores.items()},
            "confirmed": list(self.confirmed),
            "tags": None if self.tags is None else list(self.tags),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAnswer:
    """What was found by words, and what the words were taken for.

    Parameters
    ----------
    query : str
    tags : dict of str to str
        Words that are tags of the workspace, and which.
    unseen : tuple of str
        Words that nobody has tagged with, found by word vectors and the network's classes.
    unknown : tuple of str
        Words of which nothing is known.
    meant : dict of str to str
        Words that are no tags and perhaps mistyped, and the tags that are like them.
    cancelled : tuple of str
        Words that are wanted and not wanted at once: what is left is not of them.
    excluded : int
        Pictures left out because of words that were not wanted.
    learner : str or None
        Who scored the tags; None where no word is one.
    results : tuple of TextFound
        Best first.
    """

    query: str
    tags: dict[str, str]
    unseen: tuple[str, ...]
    unknown: tuple[str, ...]
    meant: dict[str, str]
    cancelled: tuple[str, ...]
    excluded: int
    learner: str | None
    results: tuple[TextFound, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "query": self.query,
            "tags": self.tags,
            "unseen": list(self.unseen),
            "unknown": list(self.unknown),
            "cancelled": list(self.cancelled),
            "excluded": self.excluded,
            "learner": self.learner,
            "results": [found.to_json() for found in self.results],
        }
