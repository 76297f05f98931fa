"""Scores beside the truth: checked once, sorted once, read by every measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError
from learners.metrics.rankings import best_first

__all__ = ["Judged"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of one method, and what is true.

    Parameters
    ----------
    scores : array of float, shape (n_images, n_tags)
        Higher is better; no NaN; ``-inf`` = not a candidate.
    truth : array of bool or number, shape (n_images, n_tags)
        Above 0 = relevant; the value is the grade, which only NDCG reads.
    image_ids : sequence of str or int, length n_images, optional
        Order tied pictures, descending. None = by position.
    tags : sequence of str or int, length n_tags, optional
        Order tied tags, descending. None = by position.
    quantities : array of float, shape (n_images,), optional
        Predicted number of labels of each picture, unrounded; ``@lqp`` reads it.

    Raises
    ------
    InputError
        If a score is NaN, a grade negative, an id repeated or a shape does not fit.
    """

    scores: NDArray[np.floating]
    truth: NDArray[np.generic]
    image_ids: Sequence[object] | NDArray[np.generic] | None = None
    tags: Sequence[object] | NDArray[np.generic] | None = None
    quantities: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        scores = _float_matrix("scores", self.scores)
        truth = np.asarray(self.truth)
        if truth.dtype.kind not in "biuf":
            raise InputError(
                f"truth is {truth.dtype}; it is bool, or grades of 0 and more; convert it"
            )
        if truth.shape != scores.shape:
            raise InputError(
                f"truth of shape {truth.shape} for scores of shape {scores.shape}; "
                "both are (n_images, n_tags); align them"
            )
        if np.isnan(scores).any():
            raise InputError("a score is NaN; numbers can be ranked; mend the method")
        if truth.dtype != np.bool_ and not np.all((truth >= 0) & (truth < np.inf)):
            raise InputError("a grade of truth is negative or not finite; 0 means not relevant")
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "truth", truth)
        if self.quantities is not None:
            quantities = np.asarray(self.quantities, dtype=np.float64)
            if quantities.shape != scores.shape[:1] or not np.isfinite(quantities).all():
                raise InputError(
                    f"quantities of shape {quantities.shape} for {len(scores)} pictures; "
                    "each picture has one finite number; align them"
                )
            object.__setattr__(self, "quantities", quantities)

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return int(self.scores.shape[0])

    @property
    def n_tags(self) -> int:
        """Size of the vocabulary."""
        return int(self.scores.shape[1])

    @cached_property
    def relevant(self) -> NDArray[np.bool_]:
        """Whether the tag is true of the picture, shape (n_images, n_tags)."""
        return self.truth.astype(np.bool_)

    @cached_property
    def candidates(self) -> NDArray[np.bool_]:
        """Whether the tag may be given to the picture, shape (n_images, n_tags)."""
        return self.scores > -np.inf

    @cached_property
    def tag_order(self) -> NDArray[np.int32]:
        """Tags of each picture, best first, shape (n_images, n_tags)."""
        return best_first(self.scores, _ranks("tags", self.tags, self.n_tags))

    @cached_property
    def image_order(self) -> NDArray[np.int32]:
        """Pictures of each tag, best first, shape (n_tags, n_images)."""
        return best_first(self.scores.T, _ranks("image_ids", self.image_ids, self.n_images))


def _float_matrix(name: str, values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InputError(
            f"{name} is {array.dtype} of shape {array.shape}; it is numbers of shape "
            "(n_images, n_tags); convert it"
        )
    kind = np.float32 if array.dtype == np.float32 else np.float64
    return array.astype(kind, copy=False)


def _ranks(
    name: str, ids: Sequence[object] | NDArray[np.generic] | None, n_items: int
) -> NDArray[np.intp]:
    """Return the positions of the items by id, descending."""
    if ids is None:
        return np.arange(n_items)[::-1]
    array = np.asarray(ids)
    if array.shape != (n_items,):
        raise InputError(
            f"{array.size} {name} for {n_items} of them in the scores; each has one; align them"
        )
    unique, first = np.unique(array, return_index=True)
    if unique.size != n_items:
        raise InputError(f"{n_items - unique.size} {name} are repeated; ids are unique")
    return first[::-1]
