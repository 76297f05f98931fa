"""Scores of learners for pictures that they have not seen, all pictures of a corpus in turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from learners.base import TagLearner
from learners.tag_matrix import TagMatrix

__all__ = [
    "CrossFitted",
    "Material",
    "Member",
    "Reading",
    "crossfit",
    "fold_of",
    "reading_of",
]

_N_FOLDS = 5
# Of a learner that takes so long that it is fitted once more only.
_HELD_OUT_PARTS = 10

Fit = TypeVar("Fit")


class Reading(StrEnum):
    """How scores of unseen pictures come about."""

    LEAVE_ONE_OUT = "leave-one-out"
    """No picture votes for itself or its copies: one fit serves all."""
    OWN = "own"
    """The learner tells itself what it would say of each, unseen: one fit serves all."""
    FOLDS = "folds"
    """Each fifth is scored by a fit on the others."""
    HELD_OUT = "held out"
    """A tenth is scored by a fit on the others; the rest has no scores."""


_READINGS = {
    "knn": Reading.LEAVE_ONE_OUT,
    "tagvote": Reading.LEAVE_ONE_OUT,
    "copy": Reading.LEAVE_ONE_OUT,
    "mscnn": Reading.HELD_OUT,
}


@runtime_checkable
class CrossFitted(Protocol):
    """A learner that knows what it would say of the pictures it was fitted on, had it not been.

    From folds that it was fitted across anyway, or in closed form.
    """

    def out_of_fold_scores(self) -> NDArray[np.float32] | None:
        """Return what it would score the pictures it was fitted on, had it not seen them.

        Float32 (n_images, n_tags), NaN for a picture that was not read; None = that is not
        known, as by a learner that was saved and opened again: it is fitted across folds.
        """


class Material(Protocol[Fit]):
    """Tagged pictures on which learners are fitted, and asked, by place.

    Attributes
    ----------
    tags : TagMatrix
        The tagged pictures.
    groups : ndarray of int64, shape (n_images,)
        Pictures of equal bytes share a number; -1 = nothing is known of the bytes.
    """

    @property
    def tags(self) -> TagMatrix:
        """The tagged pictures."""

    @property
    def groups(self) -> NDArray[np.int64]:
        """What the bytes of each picture are, int64 (n_images,); -1 = not known."""

    def fit(self, name: str, params: Mapping[str, Any], places: NDArray[np.int64]) -> Fit:
        """Fit a learner on the pictures at some places, ascending."""

    def learner(self, fitted: Fit) -> TagLearner:
        """Return the learner of what :meth:`fit` returned."""

    def scores(self, fitted: Fit, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the pictures at some places, float32 (n_places, n_tags).

        A picture that the learner was fitted on has no vote for itself or for its copies.
        """


@dataclass(frozen=True, eq=False)
class Member(Generic[Fit]):
    """A learner fitted on all pictures, and what it says of them unseen.

    Parameters
    ----------
    fitted : object
        What :meth:`Material.fit` returned.
    scores : ndarray of float32, shape (n_images, n_tags)
        Out of fold; NaN in rows of pictures that were not read.
    """

    fitted: Fit
    scores: NDArray[np.float32]


def reading_of(name: str) -> Reading:
    """Return how unseen pictures are read of a learner that keeps no reading of its own."""
    return _READINGS.get(name, Reading.FOLDS)


def crossfit(
    material: Material[Fit],
    name: str,
    params: Mapping[str, Any],
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Member[Fit]:
    """Fit a learner on all pictures, and score each picture as if it had not been there.

    Parameters
    ----------
    material : Material
    name : str
        Key of :data:`learners.table.LEARNERS`.
    params : mapping
        Its hyper-parameters.
    seed : int, default=0
        For the folds.
    on_progress : callable, optional
        Called with fits done and to do.
    """
    tags = material.tags
    everything = np.arange(tags.n_images)
    reading = reading_of(name)
    n_fits = {Reading.FOLDS: _N_FOLDS + 1, Reading.HELD_OUT: 2}.get(reading, 1)
    on_progress(0, n_fits)
    fitted = material.fit(name, params, everything)
    learner = material.learner(fitted)
    if isinstance(learner, CrossFitted):
        own = learner.out_of_fold_scores()
        if own is not None:
            return Member(fitted, own)
    if reading is Reading.LEAVE_ONE_OUT:
        return Member(fitted, material.scores(fitted, everything))
    # What the fit on all has chosen need not be chosen again a fold.
    chosen: dict[str, Any] = getattr(learner, "refit_params", dict)()
    settled = {**params, **chosen}
    n_folds = _HELD_OUT_PARTS if reading is Reading.HELD_OUT else _N_FOLDS
    numbers = fold_of(material.groups, n_folds, seed)
    scores = np.full((tags.n_images, tags.n_tags), np.nan, np.float32)
    for fold in range(1 if reading is Reading.HELD_OUT else n_folds):
        on_progress(fold + 1, n_fits)
        asked = np.flatnonzero(numbers == fold)
        if asked.size and asked.size < tags.n_images:
            part = material.fit(name, settled, np.flatnonzero(numbers != fold))
            scores[asked] = material.scores(part, asked)
    return Member(fitted, scores)


def fold_of(groups: NDArray[np.int64], n_folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each picture, int64 (n_images,); copies lie in one.

    Parameters
    ----------
    groups : ndarray of int64, shape (n_images,)
        Pictures of equal bytes share a number; -1 = nothing is known of the bytes.
    n_folds : int
    seed : int, default=0
    """
    alone = groups.max(initial=-1) + 1 + np.arange(groups.size)
    _, group = np.unique(np.where(groups < 0, alone, groups), return_inverse=True)
    n_groups = int(group.max(initial=-1)) + 1
    numbers = np.random.default_rng(seed).permutation(n_groups) % n_folds
    return np.asarray(numbers[group], np.int64)
