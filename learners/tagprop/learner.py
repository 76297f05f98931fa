"""TagProp: the weighted vote of the neighbours, weights and all learned from the tags."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, Needs, Space
from learners.batch import neighbors_of
from learners.parameters import real_number, true_or_false, whole_number
from learners.projection import LinearMap
from learners.tag_matrix import TagMatrix
from learners.tagprop.spaces import BlockScaling
from learners.tagprop.weighting import softmax
from learners.votes import Voters, Weights, tag_votes, voters
from learners.voting import NeighborVoting

if TYPE_CHECKING:
    from indexing.index import Neighbors
    from learners.tagprop.training import Learned

__all__ = ["TagProp", "VoteWeights"]


class VoteWeights(StrEnum):
    """What a voter's weight depends on."""

    RANK = "rank"
    """On its rank: a weight a rank."""
    DISTANCE = "distance"
    """On its distance: one sharpness."""
    DISTANCES = "distances"
    """On a distance a block of the features: a sharpness each."""
    METRIC = "metric"
    """On its distance after a linear map that is learned."""


@dataclass(kw_only=True, eq=False)
class TagProp(NeighborVoting):
    r"""Weighted vote of the neighbours, then a sigmoid a tag.

    With :math:`y_{jt}` 1 where voter :math:`j` carries tag :math:`t`, the vote is
    :math:`x_{it} = \sum_j \pi_{ij} y_{jt}`, and the score

    .. math:: score(i, t) = \alpha_t x_{it} + \beta_t ,

    the log-odds of the sigmoid; without sigmoids it is :math:`x_{it}` itself. The weights sum to
    1 and are

    - ``rank``: :math:`\pi_{ij} = \gamma_k` for the neighbour at rank :math:`k`;
    - ``distance``: :math:`\pi_{ij} \propto e^{-\theta d_{ij}}`, :math:`d` the cosine distance;
    - ``distances``: :math:`\pi_{ij} \propto e^{-\theta \cdot d_{ij}}`, :math:`\theta \ge 0`, one
      cosine distance a block of the features;
    - ``metric``: as ``distance``, in the space of a learned linear map.

    All is fitted to the likelihood of the tags of the training pictures
    (:class:`learners.tagprop.likelihood.Likelihood`), where no picture and no byte-identical
    copy of it votes for itself.

    Parameters
    ----------
    weights : VoteWeights, default=VoteWeights.DISTANCE
        What a voter's weight depends on.
    sigmoids : bool, default=True
        Whether each tag has a sigmoid of its own.
    shrinkage : float, default=5
        How many tagged pictures it takes to pull a tag's sigmoid away from the one that all
        tags share; 0 = the paper's.
    joint : bool, default=False
        Whether weights and sigmoids are fitted together, as in the paper. Else the weights
        come first, by the likelihood without sigmoids.
    n_neighbors : int, default=200
        Voters a picture, at most; at least 1.
    unique_owner : bool, default=False
        At most one voter an owner, the nearest.
    n_dims : int, default=256
        Width of the learned space.
    regularization : float, optional
        Ridge of the map's closed form; None = chosen across folds of the training pictures.
    n_supervised : int, optional
        How many of the map's directions start as those that correlate with tags; None = chosen.
    n_rounds : int, optional
        Rounds of gradient steps on the map; None = chosen.
    seed : int, default=0
        For all that is drawn while a map is learned.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    params_ : ndarray of float64
        ``rank``: the logarithm of each rank's weight, up to a constant; else the sharpness, one
        value.
    slopes_, offsets_ : ndarray of float64, shape (n_tags,)
        Of the sigmoids; ones and zeros without.
    shared_ : ndarray of float64, shape (2,)
        Slope and offset of a tag that was not there when the learner was fitted.
    space_ : LinearMap or BlockScaling or None
        Where neighbours are looked up.

    Notes
    -----
    What differs from the paper. Slopes are kept above 0: a negative one would reverse a tag's
    order. They are shrunk towards a shared one, and are fitted after the weights: on folds of
    Corel-5K a free and joint fit costs some 2 points of MiAP, since tags of ten pictures follow
    their noise and the weights spread out to please them. With several distances the voters
    are the nearest by the learned sum of them; the paper's rule, which covers every distance
    alike, chooses the candidates of the first fit only. The metric is this project's: the paper
    weighs given distances.

    References
    ----------
    M. Guillaumin, T. Mensink, J. Verbeek, C. Schmid, "TagProp: Discriminative metric learning
    in nearest neighbor models for image auto-annotation", ICCV 2009.
    """

    name: ClassVar[str] = "tagprop"

    weights: VoteWeights = VoteWeights.DISTANCE
    sigmoids: bool = True
    shrinkage: float = 5.0
    joint: bool = False
    n_neighbors: int = 200
    unique_owner: bool = False
    n_dims: int = 256
    regularization: float | None = None
    n_supervised: int | None = None
    n_rounds: int | None = None
    seed: int = 0
    params_: NDArray[np.float64] = field(init=False, repr=False)
    slopes_: NDArray[np.float64] = field(init=False, repr=False)
    offsets_: NDArray[np.float64] = field(init=False, repr=False)
    shared_: NDArray[np.float64] = field(init=False, repr=False)
    space_: "LinearMap | BlockScaling | None" = field(init=False, repr=False)
    chosen_: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Whom training asked, and the neighbours it found for them; it is not saved.
        self._unseen: tuple[NDArray[np.int64], Neighbors] | None = None
        try:
            self.weights = VoteWeights(self.weights)
        except ValueError:
            raise InputError(
                f"weights is {self.weights!r}; it is one of {', '.join(VoteWeights)}; choose one"
            ) from None
        for name in ("sigmoids", "joint", "unique_owner"):
            setattr(self, name, true_or_false(name, getattr(self, name)))
        self.shrinkage = real_number("shrinkage", self.shrinkage)
        self.n_dims = whole_number("n_dims", self.n_dims)
        self.seed = whole_number("seed", self.seed, least=0)
        if self.regularization is not None:
            self.regularization = real_number("regularization", self.regularization, above=0)
        for name in ("n_supervised", "n_rounds"):
            if getattr(self, name) is not None:
                setattr(self, name, whole_number(name, getattr(self, name), least=0))

    @property
    def fit_needs(self) -> Needs:
        """Neighbours where the space is given, features where it is learned."""
        in_own_space = self.weights in (VoteWeights.DISTANCES, VoteWeights.METRIC)
        return Needs.FEATURES if in_own_space else Needs.NEIGHBORS

    @property
    def space(self) -> Space | None:
        """The learned space, where there is one."""
        return self.space_

    def refit_params(self) -> dict[str, Any]:
        """Return the hyper-parameters that fitting chose, to be given to a second fit."""
        self._check_fitted()
        return dict(self.chosen_)

    def out_of_fold_scores(self) -> NDArray[np.float32] | None:
        """Return the scores of the pictures it was fitted on, each as if it had not been there.

        Neighbours in the learned space are those of a map that was fitted without the picture;
        what is shared by all pictures, the sharpness and the sigmoids, is not taken back.

        Returns
        -------
        ndarray of float32, shape (n_images, n_tags), or None
            NaN for pictures that were not read; None of a learner that was not fitted here.
        """
        self._check_fitted()
        if self._unseen is None:
            return None
        asked, neighbors = self._unseen
        scores = np.full((self.tags_.n_images, self.tags_.n_tags), np.nan, np.float32)
        scores[asked] = self.predict_scores(Batch(neighbors=neighbors))
        return scores

    def votes(self, neighbors: "Neighbors") -> NDArray[np.float32]:
        """Return the weighted votes, before any sigmoid, float32 (n_queries, n_tags)."""
        return tag_votes(self.voters(neighbors), self.tags_)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        # Compiled code and scipy: only training waits for them.
        from learners.tagprop.training import learn

        self._take(learn(self, batch, tags, self._report), tags)

    def _take(self, learned: "Learned", tags: TagMatrix) -> None:
        self.tags_ = tags
        self.space_ = learned.space
        self.chosen_ = learned.chosen
        self._unseen = (learned.asked, learned.neighbors)
        self.params_ = learned.fitted.params
        sigmoids = learned.fitted.sigmoids
        n_tags = tags.n_tags
        self.slopes_ = np.ones(n_tags) if sigmoids is None else sigmoids.slopes
        self.offsets_ = np.zeros(n_tags) if sigmoids is None else sigmoids.offsets
        self.shared_ = np.array(
            [1.0, 0.0] if sigmoids is None else [sigmoids.shared_slope, sigmoids.shared_offset]
        )

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        super()._rebase(tags, columns)
        self._unseen = None
        is_known = columns >= 0
        slope, offset = self.shared_
        slopes, offsets = np.full(tags.n_tags, slope), np.full(tags.n_tags, offset)
        slopes[is_known] = self.slopes_[columns[is_known]]
        offsets[is_known] = self.offsets_[columns[is_known]]
        self.slopes_, self.offsets_ = slopes, offsets

    def voters(self, neighbors: "Neighbors") -> Voters:
        """Return who votes on each query, with its learned weight; a query's sum to 1."""
        self._check_fitted()
        return self._voters(neighbors, Weights.UNIFORM)

    def _voters(self, neighbors: "Neighbors", weights: Weights) -> Voters:
        # Nobody has more voters than there are pictures: pads would only take room.
        most = max(1, min(self.n_neighbors, self.tags_.n_images))
        found = voters(neighbors, self.tags_, most, self.unique_owner)
        is_voter = found.positions >= 0
        if self.weights is VoteWeights.RANK:
            energies = np.broadcast_to(self._rank_energies(most), is_voter.shape)
        else:
            energies = -self.params_[0] * np.where(is_voter, found.distances, 0)
        learned = softmax(energies, is_voter).astype(np.float32)
        return dataclasses.replace(found, weights=learned)

    def _rank_energies(self, n_ranks: int) -> NDArray[np.float64]:
        """Return the energy of each rank; ranks that the fitting did not reach have the last."""
        further = max(0, n_ranks - self.params_.size)
        return np.concatenate([self.params_, np.repeat(self.params_[-1:], further)])[:n_ranks]

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        votes = self.votes(neighbors_of(batch))
        if not self.sigmoids:
            return votes
        return (votes * self.slopes_ + self.offsets_).astype(np.float32)

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        votes = self.votes(neighbors_of(batch))
        if not self.sigmoids:
            return {"votes": votes}
        offsets = np.broadcast_to(self.offsets_.astype(np.float32), votes.shape)
        return {"votes": (votes * self.slopes_).astype(np.float32), "offset": offsets}

    def _tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        return (self.tags_.counts,)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays: dict[str, NDArray[np.generic]] = {
            **super()._arrays(),
            "params": self.params_,
            "slopes": self.slopes_,
            "offsets": self.offsets_,
            "shared": self.shared_,
        }
        if isinstance(self.space_, LinearMap):
            arrays |= {"mean": self.space_.mean, "matrix": self.space_.matrix}
        elif self.space_ is not None:
            arrays |= {"widths": np.asarray(self.space_.widths), "scales": self.space_.scales}
        return arrays

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(arrays)
        n_tags = self.tags_.n_tags
        n_params = max(1, self.n_neighbors) if self.weights is VoteWeights.RANK else 1
        for name, least, most in (
            ("params", 1, n_params),
            ("slopes", n_tags, n_tags),
            ("offsets", n_tags, n_tags),
            ("shared", 2, 2),
        ):
            array = np.asarray(arrays[name], dtype=np.float64)
            if array.ndim != 1 or not least <= array.size <= most or not np.isfinite(array).all():
                raise ArtifactError(
                    f"a saved learner 'tagprop' whose {name} are of shape {array.shape} or not "
                    f"finite; {most} finite numbers are accepted; train the learner again"
                )
            setattr(self, f"{name}_", array)
        self.chosen_ = {}
        self.space_ = None
        if self.weights is VoteWeights.METRIC:
            mean, matrix = (np.asarray(arrays[name], np.float32) for name in ("mean", "matrix"))
            if mean.ndim != 1 or matrix.ndim != 2 or len(matrix) != len(mean):
                raise ArtifactError(
                    f"a saved learner 'tagprop' with a mean of shape {mean.shape} and a map of "
                    f"shape {matrix.shape}; (n,) and (n, n_dims) are accepted; train it again"
                )
            self.space_ = LinearMap(mean, matrix)
        elif self.weights is VoteWeights.DISTANCES:
            widths = tuple(np.asarray(arrays["widths"], np.int64).ravel().tolist())
            scales = np.asarray(arrays["scales"], np.float32).ravel()
            if len(widths) != len(scales):
                raise ArtifactError(
                    f"a saved learner 'tagprop' with {len(widths)} blocks and {len(scales)} "
                    "scales; as many of each are accepted; train it again"
                )
            self.space_ = BlockScaling(widths, scales)
