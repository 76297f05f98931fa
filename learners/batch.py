"""What a learner is asked with: the arrays that it needs, and no others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.tag_matrix import TagMatrix

if TYPE_CHECKING:
    from indexing.index import Neighbors

__all__ = ["Batch", "Needs", "check_width", "features_of", "neighbors_of", "scores_of"]


class Needs(Flag):
    """What a learner reads from a :class:`Batch`; combined with ``|``."""

    NOTHING = 0
    FEATURES = auto()
    NEIGHBORS = auto()
    PIXELS = auto()
    TAGS = auto()
    SCORES = auto()
    WORDS = auto()


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What is known of the pictures that a learner is asked about; None = not given.

    Parameters
    ----------
    features : ndarray of float32, shape (n_queries, n_dims), optional
    neighbors : Neighbors, optional
        Rows int64 and distances float32, shape (n_queries, k), nearest first. Rows that do
        not vote may be among them.
    pixels : ndarray of uint8, shape (n_queries, height, width, 3), optional
    tags : TagMatrix, optional
        Tags as input, a picture a query.
    groups : ndarray of int64, shape (n_queries,), optional
        What a picture's bytes are: pictures of equal bytes share a number, -1 = not known.
        Goes with the features that a learner is fitted on, so that no copy teaches it.
    blocks : tuple of int, optional
        Widths of the parts of a feature that are layers of their own, in order; they sum to
        ``n_dims``.
    scores : mapping of str to ndarray of float32, shape (n_queries, n_tags), optional
        What other learners answer, by name, for one that mixes them. To be fitted on, each
        picture's are those of a learner that was fitted without it; NaN = there are none.
    words : ndarray of float32, shape (n_tags, n_word_dims), optional
        Vector of each tag in word space, of unit length; zeros where a tag has none.
    directions : ndarray of float32, shape (n_queries, n_word_dims), optional
        Where in word space each picture lies by what else is known of it; zeros = nothing. Goes
        with `words`.

    Raises
    ------
    InputError
        If two of them hold different numbers of pictures, or blocks do not sum to the width.
    """

    features: NDArray[np.float32] | None = None
    neighbors: "Neighbors | None" = None
    pixels: NDArray[np.uint8] | None = None
    tags: TagMatrix | None = None
    groups: NDArray[np.int64] | None = None
    blocks: tuple[int, ...] | None = None
    scores: Mapping[str, NDArray[np.float32]] | None = None
    words: NDArray[np.float32] | None = None
    directions: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        sizes = self._sizes()
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} of {size}" for name, size in sizes.items())
            raise InputError(
                f"a batch with {found} pictures; all describe the same pictures; "
                "cut them to the same queries"
            )
        if self.blocks is not None and self.features is not None:
            width = self.features.shape[-1]
            if sum(self.blocks) != width or min(self.blocks, default=0) < 1:
                raise InputError(
                    f"blocks {self.blocks} for features of {width} values; positive widths that "
                    "sum to theirs are accepted; pass the widths that the extractor tells"
                )

    def _sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        if self.features is not None:
            sizes["features"] = len(self.features)
        if self.neighbors is not None:
            sizes["neighbors"] = len(self.neighbors.rows)
        if self.pixels is not None:
            sizes["pixels"] = len(self.pixels)
        if self.tags is not None:
            sizes["tags"] = self.tags.n_images
        if self.groups is not None:
            sizes["groups"] = len(self.groups)
        if self.directions is not None:
            sizes["directions"] = len(self.directions)
        for name, scores in (self.scores or {}).items():
            sizes[f"scores of {name}"] = len(scores)
        return sizes

    @property
    def n_queries(self) -> int:
        """Number of pictures; 0 when nothing is given."""
        return next(iter(self._sizes().values()), 0)


def features_of(batch: Batch) -> NDArray[np.float32]:
    """Return the features of a batch, float32 (n_queries, n_dims).

    Raises
    ------
    InputError
        If there are none, or they are no matrix.
    """
    if batch.features is None:
        raise InputError("a batch without features; they are needed; give Batch(features=...)")
    features = np.asarray(batch.features, dtype=np.float32)
    if features.ndim != 2:
        raise InputError(
            f"features of shape {features.shape}; one row a picture is accepted; reshape them"
        )
    return features


def neighbors_of(batch: Batch) -> "Neighbors":
    """Return the neighbours of a batch.

    Raises
    ------
    InputError
        If there are none.
    """
    if batch.neighbors is None:
        raise InputError("a batch without neighbors; voting needs them; give Batch(neighbors=...)")
    return batch.neighbors


def scores_of(batch: Batch, members: Iterable[str], n_tags: int) -> dict[str, NDArray[np.float32]]:
    """Return the scores of some learners, each float32 (n_queries, n_tags).

    Raises
    ------
    InputError
        If those of a learner are missing, or are of another vocabulary.
    """
    given = batch.scores or {}
    scores = {}
    for name in members:
        if name not in given:
            raise InputError(
                f"a batch with scores of {', '.join(given) or 'no learner'}; those of {name} are "
                "needed; give Batch(scores={name: ..., ...})"
            )
        scores[name] = np.asarray(given[name], dtype=np.float32)
        if scores[name].ndim != 2 or scores[name].shape[1] != n_tags:
            raise InputError(
                f"scores of {name} of shape {scores[name].shape} for {n_tags} tags; one row a "
                "picture and one column a tag are accepted; ask a learner of this vocabulary"
            )
    return scores


def check_width(features: NDArray[np.float32], width: int, what: str) -> None:
    """Refuse features that are of another width than what they go into.

    Parameters
    ----------
    features : ndarray of float32, shape (n, width)
    width : int
    what : str
        What takes them, as it is to be named.

    Raises
    ------
    InputError
        If they are no matrix of that width.
    """
    if features.ndim != 2 or features.shape[1] != width:
        raise InputError(
            f"features of shape {features.shape} for {what} of {width} values; (n, {width}) is "
            "accepted; give what it was fitted on"
        )
