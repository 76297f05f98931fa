"""The head whose visual side is radial units, and whose voters say what given tags mean."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from learners.base import STATE_FORMAT, Batch, Progress
from learners.heads import Heads
from learners.multimodal.conditional import ConditionalVotes
from learners.quantity import Quantity
from learners.radial import RadialUnits, central_pictures
from learners.tag_matrix import TagMatrix

__all__ = ["VotedHead"]


@dataclass(kw_only=True, eq=False)
class VotedHead:
    r"""Scores of pixels, and what given tags add to them.

    The score of a picture without tags is that of :class:`learners.heads.Heads`; the centres of
    its radial units are the voters of :class:`learners.multimodal.conditional.ConditionalVotes`,
    whose sum counts `tag_weight` times.

    Parameters
    ----------
    n_units : int
        Radial units, which are the voters too, at most.
    prior_correction : float
        As :class:`learners.heads.Heads` takes it.
    sharpness, trust, noise : float
        As :class:`learners.multimodal.conditional.ConditionalVotes` takes them.
    tag_weight : float
        At least 0.
    quantity : bool
        Whether the number of tags is learned.
    seed : int

    Attributes
    ----------
    visual_ : Heads
    voters_ : TagMatrix
        Tags of the pictures that are centres.
    claims_ : TagMatrix
        Input tags that speak for each of them.
    """

    n_units: int
    prior_correction: float
    sharpness: float
    trust: float
    noise: float
    tag_weight: float
    quantity: bool
    seed: int

    visual_: Heads = field(init=False, repr=False)
    voters_: TagMatrix = field(init=False, repr=False)
    claims_: TagMatrix = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._visual()

    def fit(
        self,
        visual: NDArray[np.float32],
        noisy: TagMatrix | None,
        tags: TagMatrix,
        groups: NDArray[np.int64] | None = None,
        on_progress: Progress | None = None,
    ) -> Self:
        """Learn from one picture or more, and one tag or more.

        Parameters
        ----------
        visual : ndarray of float32, shape (n_images, n_dims)
        noisy : TagMatrix or None
            The tags that the pictures came with, where they are of a vocabulary of their own.
            None = input tags are of the vocabulary that is learned.
        tags : TagMatrix
            The tags that are to be learned.
        groups : ndarray of int64, shape (n_images,), optional
            As :class:`learners.base.Batch` holds them.
        on_progress : callable, optional
        """
        batch = Batch(features=visual, groups=groups)
        self.visual_ = self._visual().fit(batch, tags, on_progress)
        centers = central_pictures(tags.n_images, self.n_units, self.seed)
        self.voters_ = tags.take(centers)
        self.claims_ = self.voters_ if noisy is None else noisy.take(centers)
        return self

    def scores_of(
        self, visual: NDArray[np.float32], given: TagMatrix | None
    ) -> NDArray[np.float32]:
        """Return log-odds, float32 (n_images, n_tags), of features and the tags beside them.

        Raises
        ------
        InputError
            If the features are of another width than those of the fitting, or the tags of
            another vocabulary.
        """
        scores = self.visual_.predict_scores(Batch(features=visual))
        if given is None:
            return scores
        votes = ConditionalVotes(
            voters=self.voters_,
            claims=self.claims_,
            sharpness=self.sharpness,
            trust=self.trust,
            noise=self.noise,
        )
        votes.check(given)
        told = np.flatnonzero(np.diff(given.indptr))
        units = self.visual_.inputs_
        if told.size and isinstance(units, RadialUnits):
            scores[told] += self.tag_weight * votes(units(visual[told]), given.take(told))
        return scores

    def quantities(
        self, visual: NDArray[np.float32], given: TagMatrix | None
    ) -> NDArray[np.float64]:
        """Return the number of tags, unrounded, float64 (n_images,); given ones are not read."""
        return self.visual_.predict_quantities(Batch(features=visual))

    def taking(self, tags: TagMatrix, columns: NDArray[np.int64]) -> "VotedHead":
        """Return a head with some of the tags; input tags of the same vocabulary change too.

        Parameters
        ----------
        tags, columns
            As :meth:`learners.base.TagLearner.rebased` takes them.
        """
        other = copy.copy(self)
        other.visual_ = self.visual_.rebased(tags, columns)
        other.voters_ = _taken(self.voters_, columns)
        other.claims_ = other.voters_ if self._is_one_vocabulary else self.claims_
        return other

    @property
    def _is_one_vocabulary(self) -> bool:
        return self.claims_ is self.voters_

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what was learned, ready for ``numpy.savez``."""
        _, visual = self.visual_.state()
        learned = {
            "visual_": visual,
            "voters_": self.voters_.to_arrays(),
            "claims_": {} if self._is_one_vocabulary else self.claims_.to_arrays(),
        }
        named = {
            prefix + name: array
            for prefix, arrays in learned.items()
            for name, array in arrays.items()
        }
        return {**named, "one_vocabulary": np.asarray(self._is_one_vocabulary)}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Take back what :meth:`to_arrays` returned.

        Raises
        ------
        ArtifactError, KeyError
            If an array is missing or damaged.
        """
        is_one_vocabulary = bool(arrays["one_vocabulary"])
        visual, voters = _part(arrays, "visual_"), _part(arrays, "voters_")
        self.voters_ = TagMatrix.from_arrays(voters)
        self.claims_ = self.voters_
        if not is_one_vocabulary:
            self.claims_ = TagMatrix.from_arrays(_part(arrays, "claims_"))
        head = {
            "format": STATE_FORMAT,
            "learner": Heads.name,
            "n_tags": self.voters_.n_tags,
            "params": self._visual().params(),
        }
        self.visual_ = Heads.from_state(head, visual)
        return self

    def _visual(self) -> Heads:
        return Heads(
            n_units=self.n_units,
            prior_correction=self.prior_correction,
            quantity=Quantity.AUTO if self.quantity else Quantity.NONE,
            seed=self.seed,
        )


def _taken(tags: TagMatrix, columns: NDArray[np.int64]) -> TagMatrix:
    """Return the pictures with some of the tags, in any order, -1 = one that nobody carries."""
    kept = np.flatnonzero(columns >= 0)
    order = kept[np.argsort(columns[kept])]  # where each of the old tags that are left stands now
    left = tags.of_tags(columns[order])
    lists = [order[left.tags_of(place)] for place in range(left.n_images)]
    return TagMatrix.from_lists(left.rows, lists, len(columns), left.owners)


def _part(arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
