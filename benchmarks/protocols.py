"""Protocols: what is learned from, what is asked, and what counts as an answer.

A protocol is a value: it prints, compares and hashes, and it says all that two people must
agree on before their numbers can be compared. What it makes of a data set is in
:mod:`benchmarks.exercises`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.metrics import Measure, parse_measure

__all__ = [
    "FEW_SIZES",
    "Completion",
    "Emission",
    "Emit",
    "JudgedTags",
    "Protocol",
    "Unseen",
    "Vocabulary",
]

FEW_SIZES = (0, 1, 2, 5, 10, 50)
"""Training pictures a tag, of the learning curve."""


class Emit(StrEnum):
    """How it is decided how many tags a picture gets."""

    EXACTLY = "exactly"
    PREDICTED_QUANTITY = "predicted quantity"
    ABOVE = "above"
    EACH_WAY = "each way"


@dataclass(frozen=True)
class Emission:
    """Which tags of a ranking count as given.

    Parameters
    ----------
    how : Emit, default=Emit.EXACTLY
    number : float, default=5
        Tags a picture, or the threshold; not read where the number is told a picture:
        predicted, or each way (:class:`benchmarks.counting.Count`).

    Examples
    --------
    >>> str(Emission()), str(Emission(Emit.ABOVE, 0.5))
    ('exactly 5 tags', 'tags that score above 0.5')
    >>> [str(measure) for measure in Emission(Emit.ABOVE, 0.5).measures()][:4]
    ['map', 'miap', 'ndcg@5', 'c-p>0.5']
    """

    how: Emit = Emit.EXACTLY
    number: float = 5

    def __post_init__(self) -> None:
        if self.how is Emit.EXACTLY and (self.number < 1 or self.number != int(self.number)):
            raise InputError(
                f"{self.number} tags a picture cannot be emitted; whole numbers from 1 are "
                "accepted; correct it"
            )

    def __str__(self) -> str:
        match self.how:
            case Emit.EXACTLY:
                return f"exactly {int(self.number)} tags"
            case Emit.ABOVE:
                return f"tags that score above {self.number:g}"
            case Emit.EACH_WAY:
                return "a fixed number of tags, as many as predicted, as many as are true"
            case _:
                return "as many tags as the method predicts"

    @property
    def suffix(self) -> str:
        """What the names of the measures end in: ``@5``, ``@lqp`` or ``>0.5``."""
        match self.how:
            case Emit.EXACTLY:
                return f"@{int(self.number)}"
            case Emit.ABOVE:
                return f">{float(self.number)}"
            case _:
                return "@lqp"

    def measures(self) -> tuple[Measure, ...]:
        """Return what is measured of every method."""
        cutoff = int(self.number) if self.how is Emit.EXACTLY else 5
        names = ["map", "miap", f"ndcg@{cutoff}"]
        decided = ["c-p", "c-r", "c-f1", "i-f1", "h-f1", "n+"]
        if self.how is Emit.EACH_WAY:
            decided[3:3] = ["i-p", "i-r"]
        names += [f"{name}{self.suffix}" for name in decided]
        names.append(f"accuracy@{cutoff}")
        if self.suffix == "@lqp":
            names += ["lqp-accuracy", "lqp-mse"]
        return tuple(map(parse_measure, names))


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Which tags are candidates: some of those that the training split uses.

    Parameters
    ----------
    most_frequent : int, optional
        Only so many, the most frequent ones. None = all.
    min_pictures : int, default=1
        Only tags of at least so many training pictures.
    """

    most_frequent: int | None = None
    min_pictures: int = 1

    def __str__(self) -> str:
        which = "all" if self.most_frequent is None else f"the {self.most_frequent} most frequent"
        least = "" if self.min_pictures <= 1 else f" of {self.min_pictures} pictures and more"
        return f"{which} tags{least} of the training split"

    def choose(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the tags that are candidates, ascending.

        Parameters
        ----------
        counts : ndarray of int64, shape (n_tags,)
            Training pictures with each tag.
        """
        allowed = np.flatnonzero(counts >= max(self.min_pictures, 1))
        if self.most_frequent is not None:
            # Among equally frequent tags the earlier names stay.
            frequent = np.argsort(-counts[allowed], kind="stable")[: self.most_frequent]
            allowed = np.sort(allowed[frequent])
        return allowed.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Tag completion: part of a picture's tags is given, the rest is asked.

    Parameters
    ----------
    share : float, default=0.5
        Probability with which each true tag is given, independently.
    max_wrong : int, default=2
        At most so many wrong tags are given too; how many is drawn a picture.

    Notes
    -----
    What was given, right or wrong, is no candidate and no truth any more, whatever the
    method: to copy it wins nothing.
    """

    share: float = 0.5
    max_wrong: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or self.max_wrong < 0:
            raise InputError(
                f"tag completion with a share of {self.share} and {self.max_wrong} wrong tags; "
                "a share from 0 to below 1 and 0 or more are accepted; correct them"
            )

    def __str__(self) -> str:
        return (
            f"each true tag given with probability {self.share:g} and up to {self.max_wrong} "
            "wrong ones; what was given is neither candidate nor truth"
        )


class JudgedTags(StrEnum):
    """Which tags are candidates, and judged, where some were taken off the training pictures."""

    UNSEEN = "unseen"
    SEEN = "seen"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Some tags are taken off all training pictures, and asked for all the same.

    Parameters
    ----------
    n_tags : int, optional
        How many are drawn; None = all of them.
    judged : JudgedTags
        The candidates; the others are no truth either.
    n_draws : int, default=5
        Of the tags. With folds, each fold has a draw of its own instead.
    """

    n_tags: int | None
    judged: JudgedTags
    n_draws: int = 5

    def __post_init__(self) -> None:
        if (self.n_tags is not None and self.n_tags < 1) or self.n_draws < 1:
            raise InputError(
                f"{self.n_draws} draws of {self.n_tags} unseen tags; 1 or more of both are "
                "accepted; correct them"
            )

    def __str__(self) -> str:
        taken = "all" if self.n_tags is None else self.n_tags
        return f"{taken} tags taken off the training pictures, {self.judged} tags judged"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """All that decides a benchmark's numbers beside the data, the features and the methods.

    Parameters
    ----------
    evaluation : str, default="test"
        The split whose pictures are asked about. Not read where there are folds.
    n_folds : int, optional
        Ask about folds of the training split instead, in turn: for development.
    vocabulary : Vocabulary
        The candidates.
    emission : Emission
        Which tags count as given by a method.
    completion : Completion, optional
        Part of the tags is input.
    reads_tags : bool, default=False
        Learn from the labels; the tags that people typed are input, whole, and neither
        candidates nor truth unless they are labels too. Instead of `completion`.
    n_examples : int, optional
        Learn from about so many training pictures a tag (:func:`few_examples`); 0 = from all of
        them, but nobody has tagged one.
    album_size : int, optional
        Ask about albums of so many pictures of one series (:func:`benchmarks.draws.albums_of`).
    unseen : Unseen, optional
        Some tags are on no training picture.
    seed : int, default=0
        For every draw.

    Examples
    --------
    >>> print(Protocol(n_folds=5))
    5 folds of the training split, all tags of the training split, exactly 5 tags, seed 0
    """

    evaluation: str = "test"
    n_folds: int | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    emission: Emission = field(default_factory=Emission)
    completion: Completion | None = None
    reads_tags: bool = False
    n_examples: int | None = None
    album_size: int | None = None
    unseen: Unseen | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_folds is not None and self.n_folds < 2:
            raise InputError(f"{self.n_folds} folds; 2 or more are accepted; raise the number")
        if self.n_examples is not None and self.n_examples < 0:
            raise InputError(
                f"{self.n_examples} training pictures a tag; 0 or more are accepted; raise it"
            )
        if self.reads_tags and self.completion is not None:
            raise InputError(
                "typed tags as input, and part of the tags given; one of them is accepted; leave "
                "the other out"
            )
        if self.album_size is not None and self.album_size < 2:
            raise InputError(
                f"albums of {self.album_size} pictures; 2 or more are accepted; raise the number"
            )
        if self.evaluation == "train":
            raise InputError(
                "the training split cannot be evaluated on itself; another split or folds are "
                "accepted; name the split, or ask for folds"
            )

    def __str__(self) -> str:
        asked = (
            f"learn from train, ask about {self.evaluation}"
            if self.n_folds is None
            else f"{self.n_folds} folds of the training split"
        )
        parts = [asked, str(self.vocabulary), str(self.emission)]
        if self.n_examples is not None:
            parts.append(f"{self.n_examples} training pictures a tag")
        if self.album_size is not None:
            parts.append(f"albums of {self.album_size} pictures of a series")
        if self.completion is not None:
            parts.append(str(self.completion))
        if self.unseen is not None:
            parts.append(str(self.unseen))
        if self.reads_tags:
            parts.append("labels learned, typed tags as input")
        return ", ".join([*parts, f"seed {self.seed}"])
