"""What TagProp learns, variant by variant."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.index import Neighbors
from learners.base import Progress
from learners.batch import Batch, features_of, neighbors_of
from learners.projection import LinearMap
from learners.tag_matrix import TagMatrix
from learners.tagprop.fitting import Fitted, fit_weights
from learners.tagprop.learner import TagProp, VoteWeights
from learners.tagprop.likelihood import Likelihood
from learners.tagprop.metric_fitting import MOST_TAUGHT, MetricChoice, fit_metric, sampled
from learners.tagprop.metric_learning import MetricSettings
from learners.tagprop.searching import covering, leave_one_out, separate_groups
from learners.tagprop.spaces import BlockScaling, unit_blocks
from learners.tagprop.weighting import ByDistance, ByRank, Fixed, Weighting
from learners.votes import Voters, voters

__all__ = ["Learned", "base_distances", "learn"]

# With several distances, neighbours are fetched again so often with the sharpness found.
_N_FETCHES = 2
# Values gathered at a time: 64 MB.
_STEP_VALUES = 1 << 24
# Over-fetched where an owner votes once only.
_OWNERS_ROOM = 4


@dataclass(frozen=True, eq=False)
class Learned:
    """What fitting found.

    Parameters
    ----------
    fitted : Fitted
    space : LinearMap or BlockScaling or None
        Where neighbours are looked up.
    chosen : dict
        Hyper-parameters that were chosen.
    asked : ndarray of int64, shape (n_asked,)
        Positions of the pictures that weights and sigmoids were read from, ascending.
    neighbors : Neighbors
        Of those pictures, none of which had a part in how they were found.
    """

    fitted: Fitted
    space: LinearMap | BlockScaling | None
    chosen: dict[str, Any]
    asked: NDArray[np.int64]
    neighbors: Neighbors


def learn(learner: TagProp, batch: Batch, tags: TagMatrix, report: Progress) -> Learned:
    """Fit a learner's variant.

    Parameters
    ----------
    learner : TagProp
        Its hyper-parameters are read.
    batch : Batch
        Neighbours without the pictures' own copies, or features with `groups` and `blocks`.
    tags : TagMatrix
    report : callable
        Called with (stage, done, total).
    """
    space: LinearMap | BlockScaling | None = None
    chosen: dict[str, Any] = {}
    asked = np.arange(tags.n_images)
    n_neighbors = max(1, min(learner.n_neighbors, tags.n_images))
    width = n_neighbors
    if learner.unique_owner and np.any(tags.owners >= 0):
        width = min(_OWNERS_ROOM * width, max(1, tags.n_images))
    if learner.weights is VoteWeights.METRIC:
        groups = separate_groups(batch.groups, tags.n_images)
        metric = fit_metric(
            features_of(batch),
            tags,
            groups,
            MetricChoice(
                regularization=learner.regularization,
                n_supervised=learner.n_supervised,
                n_rounds=learner.n_rounds,
            ),
            MetricSettings(n_neighbors=n_neighbors, seed=learner.seed),
            learner.n_dims,
            report,
            n_found=width,
        )
        space, asked, found = metric.map, metric.asked, metric.neighbors
        chosen = {
            "regularization": metric.choice.regularization,
            "n_supervised": metric.choice.n_supervised,
            "n_rounds": metric.choice.n_rounds,
        }
        neighbors = _by_row(found, tags)
    elif learner.weights is VoteWeights.DISTANCES:
        features = features_of(batch)
        blocks = batch.blocks or (features.shape[1],)
        groups = separate_groups(batch.groups, tags.n_images)
        taught = sampled(np.arange(tags.n_images), MOST_TAUGHT, learner.seed)
        space = _scaling(
            features[taught], blocks, tags.take(taught), groups[taught], n_neighbors, report
        )
        neighbors = _by_row(leave_one_out(space(features), groups, width), tags)
    else:
        neighbors = neighbors_of(batch)
    found_voters = voters(neighbors, tags, n_neighbors, learner.unique_owner)
    likelihood = _likelihood(found_voters, tags, tags.take(asked))
    weighting: Weighting
    if learner.weights is VoteWeights.RANK:
        weighting = ByRank(found_voters.positions >= 0)
    else:
        weighting = _by_distance(found_voters, found_voters.distances[..., None])
    fitted = _weights(learner, likelihood, weighting, report)
    return Learned(fitted, space, chosen, asked, neighbors)


def _weights(
    learner: TagProp, likelihood: Likelihood, weighting: Weighting, report: Progress
) -> Fitted:
    """Fit weights and sigmoids: together, or one after the other."""

    def on_step(step: int) -> None:
        report("likelihood: step", step, 0)

    if learner.joint or not learner.sigmoids:
        return fit_weights(
            likelihood,
            weighting,
            sigmoids=learner.sigmoids,
            shrinkage=learner.shrinkage,
            on_step=on_step,
        )
    first = fit_weights(likelihood, weighting, sigmoids=False, shrinkage=0, on_step=on_step)
    fixed = Fixed(weighting.is_voter, weighting(first.params))
    second = fit_weights(
        likelihood, fixed, sigmoids=True, shrinkage=learner.shrinkage, on_step=on_step
    )
    return Fitted(first.params, second.sigmoids, second.losses)


def _scaling(
    features: NDArray[np.float32],
    blocks: tuple[int, ...],
    tags: TagMatrix,
    groups: NDArray[np.int64],
    n_neighbors: int,
    report: Progress,
) -> BlockScaling:
    """Weigh the base distances: on candidates that cover each, then on the nearest by the sum."""
    rankings = []
    for number, (_, block) in enumerate(unit_blocks(features, blocks)):
        report("distances: neighbours", number, len(blocks))
        rankings.append(leave_one_out(block, groups, n_neighbors).rows.astype(np.int32))
    candidates = covering(rankings, n_neighbors)
    del rankings
    sharpness: NDArray[np.float64] | None = None
    for fetch in range(_N_FETCHES):
        if sharpness is not None:
            space = BlockScaling.of(blocks, sharpness)
            candidates = leave_one_out(space(features), groups, n_neighbors).rows
        report("distances: likelihood", fetch, _N_FETCHES)
        distances = base_distances(features, blocks, candidates)
        weighting = ByDistance(candidates >= 0, distances)
        likelihood = Likelihood(positions=candidates.astype(np.int32), tags=tags, truth=tags)
        fitted = fit_weights(likelihood, weighting, sigmoids=False, shrinkage=0, start=sharpness)
        sharpness = fitted.params
    return BlockScaling.of(blocks, weighting.start if sharpness is None else sharpness)


def base_distances(
    features: NDArray[np.float32], blocks: tuple[int, ...], candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the cosine distance of each candidate in each block.

    Parameters
    ----------
    features : ndarray of float32, shape (n_images, n_dims)
    blocks : tuple of int
        Widths that sum to `n_dims`.
    candidates : ndarray of int64, shape (n_images, n_neighbors)
        Positions; -1 pads.

    Returns
    -------
    ndarray of float32, shape (n_images, n_neighbors, n_blocks)
        0 at pads.
    """
    distances = np.zeros((*candidates.shape, len(blocks)), np.float32)
    for number, (_, block) in enumerate(unit_blocks(features, blocks)):
        step = max(1, _STEP_VALUES // max(1, candidates.shape[1] * block.shape[1]))
        for start in range(0, len(candidates), step):
            part = slice(start, start + step)
            cosines = np.einsum("qd,qkd->qk", block[part], block[candidates[part]])
            distances[part, :, number] = np.clip(1 - cosines, 0, 2)
    distances[candidates < 0] = 0
    return distances


def _likelihood(found: Voters, tags: TagMatrix, truth: TagMatrix) -> Likelihood:
    return Likelihood(positions=found.positions.astype(np.int32), tags=tags, truth=truth)


def _by_distance(found: Voters, distances: NDArray[np.float32]) -> ByDistance:
    is_voter = found.positions >= 0
    return ByDistance(is_voter, np.where(is_voter[..., None], distances, np.float32(0)))


def _by_row(found: Neighbors, tags: TagMatrix) -> Neighbors:
    """Return neighbours by row id instead of by position."""
    rows = np.full(found.rows.shape, -1, dtype=np.int64)
    rows[found.rows >= 0] = tags.rows[found.rows[found.rows >= 0]]
    return Neighbors(rows, found.distances)
