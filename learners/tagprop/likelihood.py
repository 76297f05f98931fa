"""The likelihood of tags given who votes with which weight, and its gradients.

Compiled, and sparse: only the tags that a picture's voters carry, or itself, are looked at, so
that the cost is the number of votes cast. All other pairs of picture and tag have a vote of 0
and are counted a tag at a time. Training alone comes here; answering needs numpy alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numba import get_num_threads, njit, prange, set_num_threads
from numpy.typing import NDArray

from learners.tag_matrix import TagMatrix

__all__ = ["SMOOTHING", "Likelihood", "Looked"]

Function = TypeVar("Function", bound=Callable[..., Any])

SMOOTHING = 1e-5
"""The epsilon of the paper: how much a voter's tag may be wrong, where there are no sigmoids."""

# The pictures are cut into so many parts, whatever the number of cores, so that sums come out
# the same everywhere.
_N_PARTS = 32
# With fewer voters than this, waking the other threads takes longer than the work.
_FEWEST_FOR_THREADS = 50_000


@dataclass(frozen=True, eq=False)
class Looked:
    """What one look at all pictures gives; of the negative log-likelihood, smaller is better.

    Parameters
    ----------
    loss : float
        Negative weighted log-likelihood.
    weights : ndarray of float64, shape (n_queries, n_neighbors)
        Its derivative by the weight of each voter.
    slopes, offsets : ndarray of float64, shape (n_tags,)
        Its derivatives by each tag's slope and offset; zero where there are no sigmoids.
    slope_curvature, offset_curvature : ndarray of float64, shape (n_tags,)
        Its second derivatives.
    """

    loss: float
    weights: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    slope_curvature: NDArray[np.float64]
    offset_curvature: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Likelihood:
    r"""The objective of TagProp over one set of neighbours.

    With :math:`x_{it} = \sum_j \pi_{ij} y_{jt}` the weighted vote, a picture carries a tag with
    probability :math:`p_{it} = \sigma(\alpha_t x_{it} + \beta_t)`, or, without sigmoids,
    :math:`p_{it} = \epsilon + (1 - 2 \epsilon) x_{it}`, which is the paper's
    :math:`\sum_j \pi_{ij} [(1 - \epsilon) y_{jt} + \epsilon (1 - y_{jt})]`. What is maximised is

    .. math:: \sum_{it} c_{it} \ln p(y_{it}), \qquad c_{it} = 1/n^+ \text{ if } y_{it}
              \text{ else } 1/n^-,

    with :math:`n^+, n^-` the pairs of picture and tag that are present, and absent.

    Parameters
    ----------
    positions : ndarray of int32, shape (n_queries, n_neighbors)
        Where each voter stands in `tags`; pads (-1) at the end.
    tags : TagMatrix
        Tags of the voters.
    truth : TagMatrix
        Tags of the pictures that are asked about, in the order of the queries.

    References
    ----------
    M. Guillaumin, T. Mensink, J. Verbeek, C. Schmid, "TagProp: Discriminative metric learning
    in nearest neighbor models for image auto-annotation", ICCV 2009, equations 1-3 and 7.
    """

    positions: NDArray[np.int32]
    tags: TagMatrix
    truth: TagMatrix

    @property
    def n_present(self) -> int:
        """Pairs of picture and tag that are present; at least 1."""
        return max(self.truth.indices.size, 1)

    @property
    def n_absent(self) -> int:
        """Pairs of picture and tag that are absent; at least 1."""
        n_pairs = self.truth.n_images * self.truth.n_tags
        return max(n_pairs - self.truth.indices.size, 1)

    @cached_property
    def _csr(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], Any]:
        return (
            self.tags.indptr,
            self.tags.indices.astype(np.int32),
            self.truth.indptr,
            self.truth.indices.astype(np.int32),
        )

    def look(
        self,
        weights: NDArray[np.float64],
        sigmoids: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
        *,
        n_pairs: tuple[float, float] | None = None,
        by_weights: bool = True,
    ) -> Looked:
        """Return the loss at some weights, and its derivatives.

        Parameters
        ----------
        weights : ndarray of float64, shape (n_queries, n_neighbors)
            Not negative; those of a query's voters sum to 1, or to 0 where it has none.
        sigmoids : tuple of two ndarray of float64, shape (n_tags,), or None
            Slope and offset of each tag; None = no sigmoids.
        n_pairs : tuple of two float, optional
            Pairs present and absent that the loss is divided by, where the queries are a
            sample of others; else those of `truth`.
        by_weights : bool, default=True
            Whether the derivatives by the weights are wanted: they are half of the work. Else
            they are zeros.
        """
        n_tags = self.truth.n_tags
        n_present, n_absent = n_pairs or (self.n_present, self.n_absent)
        slopes, offsets = sigmoids if sigmoids is not None else (np.zeros(n_tags),) * 2
        by_weight = np.zeros(self.positions.shape)
        n_threads = get_num_threads()
        if self.positions.size < _FEWEST_FOR_THREADS:
            set_num_threads(1)
        try:
            losses, sums = _look(
                self.positions,
                weights,
                *self._csr,
                slopes,
                offsets,
                sigmoids is not None,
                1 / n_present,
                1 / n_absent,
                SMOOTHING,
                by_weights,
                by_weight,
            )
        finally:
            set_num_threads(n_threads)
        sums = sums.sum(axis=0)  # (4, n_tags)
        # Every pair counts as absent with a vote of 0 first; _look corrects those that are not.
        n_queries = self.truth.n_images
        if sigmoids is None:
            zeros = -n_queries * n_tags / n_absent * np.log1p(-SMOOTHING)
        else:
            unseen = 1 / (1 + np.exp(-offsets))
            zeros = n_queries / n_absent * np.logaddexp(0, offsets).sum()
            sums[1] += n_queries / n_absent * unseen
            sums[3] += n_queries / n_absent * unseen * (1 - unseen)
        return Looked(float(losses.sum() + zeros), by_weight, *sums)


def _compiled(*, parallel: bool = False) -> Callable[[Function], Function]:
    """Return a decorator that compiles, and keeps what it compiled where it may write."""

    def decorate(function: Function) -> Function:
        try:
            compiled: Any = njit(cache=True, parallel=parallel)(function)
        except RuntimeError:  # neither beside the source nor in the user's cache folder
            compiled = njit(parallel=parallel)(function)
        return cast(Function, compiled)

    return decorate


@_compiled()
def _softplus(z: Any) -> Any:
    return max(z, 0.0) + np.log1p(np.exp(-abs(z)))


@_compiled(parallel=True)
def _look(  # noqa: C901 - one pass: what it touches stays in the cache
    positions: Any,
    weights: Any,
    indptr: Any,
    indices: Any,
    own_indptr: Any,
    own_indices: Any,
    slopes: Any,
    offsets: Any,
    has_sigmoids: bool,
    present_weight: float,
    absent_weight: float,
    smoothing: float,
    wants_weights: bool,
    by_weight: Any,
) -> tuple[Any, Any]:
    n_queries, n_neighbors = positions.shape
    n_tags = slopes.size
    losses = np.zeros(_N_PARTS)
    sums = np.zeros((_N_PARTS, 4, n_tags))
    per_part = (n_queries + _N_PARTS - 1) // _N_PARTS
    for part in prange(_N_PARTS):
        votes = np.zeros(n_tags)
        by_vote = np.zeros(n_tags)
        # 1 = some voter carries the tag, 2 = the picture itself, 3 = both
        seen = np.zeros(n_tags, np.int8)
        touched = np.empty(n_tags, np.int32)
        for query in range(part * per_part, min(n_queries, (part + 1) * per_part)):
            n_touched = 0
            for rank in range(n_neighbors):
                voter = positions[query, rank]
                if voter < 0:
                    break
                weight = weights[query, rank]
                for entry in range(indptr[voter], indptr[voter + 1]):
                    tag = indices[entry]
                    if seen[tag] == 0:
                        seen[tag] = 1
                        touched[n_touched] = tag
                        n_touched += 1
                    votes[tag] += weight
            for entry in range(own_indptr[query], own_indptr[query + 1]):
                tag = own_indices[entry]
                if seen[tag] == 0:
                    touched[n_touched] = tag
                    n_touched += 1
                seen[tag] += 2
            for place in range(n_touched):
                tag = touched[place]
                vote = votes[tag]
                is_present = seen[tag] >= 2
                if has_sigmoids:
                    logit = slopes[tag] * vote + offsets[tag]
                    probability = 1 / (1 + np.exp(-logit))
                    unseen = 1 / (1 + np.exp(-offsets[tag]))
                    losses[part] -= absent_weight * _softplus(offsets[tag])
                    sums[part, 1, tag] -= absent_weight * unseen
                    sums[part, 3, tag] -= absent_weight * unseen * (1 - unseen)
                    if is_present:
                        losses[part] += present_weight * _softplus(-logit)
                        by_logit = present_weight * (probability - 1)
                        curvature = present_weight * probability * (1 - probability)
                    else:
                        losses[part] += absent_weight * _softplus(logit)
                        by_logit = absent_weight * probability
                        curvature = absent_weight * probability * (1 - probability)
                    sums[part, 0, tag] += by_logit * vote
                    sums[part, 1, tag] += by_logit
                    sums[part, 2, tag] += curvature * vote * vote
                    sums[part, 3, tag] += curvature
                    by_vote[tag] = by_logit * slopes[tag]
                else:
                    # Rounding may take a vote a little above 1.
                    probability = smoothing + (1 - 2 * smoothing) * min(vote, 1.0)
                    losses[part] += absent_weight * np.log1p(-smoothing)
                    if is_present:
                        losses[part] -= present_weight * np.log(probability)
                        by_vote[tag] = -present_weight * (1 - 2 * smoothing) / probability
                    else:
                        losses[part] -= absent_weight * np.log1p(-probability)
                        by_vote[tag] = absent_weight * (1 - 2 * smoothing) / (1 - probability)
            for rank in range(n_neighbors if wants_weights else 0):
                voter = positions[query, rank]
                if voter < 0:
                    break
                total = 0.0
                for entry in range(indptr[voter], indptr[voter + 1]):
                    total += by_vote[indices[entry]]
                by_weight[query, rank] = total
            for place in range(n_touched):
                votes[touched[place]] = 0.0
                seen[touched[place]] = 0
    return losses, sums
