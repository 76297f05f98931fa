"""Fit a metric, and learn from pictures that it has not seen how far to trust it.

A map that was fitted on a picture's tags brings pictures of like tags nearer to it than it will
bring them to a new picture. So everything else, the settings of the map and what voters weigh,
is read across folds: each picture's neighbours are those that a map fitted without it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.index import Neighbors
from learners.base import Progress
from learners.metrics.decisions import COUNT_MEASURES, LabelCounts
from learners.projection import LinearMap, Moments
from learners.ranking import rank_tags
from learners.selection import LABEL_F1
from learners.tag_matrix import TagMatrix
from learners.tagprop.fitting import Fitted, fit_weights
from learners.tagprop.likelihood import Likelihood
from learners.tagprop.metric_learning import MetricSettings, Start, Starts, learn_map
from learners.tagprop.searching import nearest_among
from learners.tagprop.weighting import ByDistance
from learners.votes import Voters, tag_votes

__all__ = ["MOST_TAUGHT", "LearnedMetric", "MetricChoice", "fit_metric", "sampled"]

REGULARIZATIONS = (0.1, 0.3, 1.0)
SUPERVISED_SHARES = (0.4, 0.65, 0.9)
MOST_ROUNDS = 8
N_FOLDS = 5
# Numbers of rounds are compared on so many of the folds.
_N_DECIDING = 2
# Rounds without a better one before the search for the best ends.
_PATIENCE = 2
# The closed form looks at the most frequent tags: it holds all pairs of them.
_MOST_TAGS = 2_000
# With fewer pictures than this share of the features' width, closed forms work along a basis.
_FEW_FOR_WIDTH = 0.5
# Gradient steps see so many pictures, and so many are asked about: more would take longer
# than they tell.
MOST_TAUGHT = 20_000
MOST_ASKED = 20_000
# Tags a picture, in the measure that closed forms are compared by.
_N_EMITTED = int(LABEL_F1.at or 0)
# All tags share one sigmoid while settings are compared.
_ALL_ALIKE = 1e6


@dataclass(frozen=True, kw_only=True)
class MetricChoice:
    """What is chosen on the training pictures; None = to be chosen.

    Parameters
    ----------
    regularization : float or None
        Ridge of the correlation analysis, as a share of the features' mean variance.
    n_supervised : int or None
        Dimensions that start as directions that correlate with the tags.
    n_rounds : int or None
        Rounds of gradient steps.
    """

    regularization: float | None = None
    n_supervised: int | None = None
    n_rounds: int | None = None


@dataclass(frozen=True, eq=False)
class LearnedMetric:
    """A map, and what it takes to weigh the neighbours that it finds.

    Parameters
    ----------
    map : LinearMap
        Fitted on all pictures.
    choice : MetricChoice
        What was chosen; nothing in it is None.
    asked : ndarray of int64, shape (n_asked,)
        Positions of the pictures that were asked about, ascending.
    neighbors : Neighbors
        Of those pictures, each by a map that was fitted without it; rows are positions.
    """

    map: LinearMap
    choice: MetricChoice
    asked: NDArray[np.int64]
    neighbors: Neighbors


def fit_metric(
    features: NDArray[np.float32],
    tags: TagMatrix,
    groups: NDArray[np.int64],
    choice: MetricChoice,
    settings: MetricSettings,
    n_dims: int,
    report: Progress,
    n_found: int | None = None,
) -> LearnedMetric:
    """Learn a map on all pictures, with what is not given chosen across folds.

    Parameters
    ----------
    features : ndarray of float32, shape (n_images, n_in)
    tags : TagMatrix
        Of the same pictures.
    groups : ndarray of int64, shape (n_images,)
        Content group of each picture, not negative; a group lies in one fold.
    choice : MetricChoice
    settings : MetricSettings
    n_dims : int
        Width of the space.
    report : callable
        Called with (stage, done, total).
    n_found : int, optional
        Neighbours that are returned of each picture; None = as many as vote.
    """
    frequent = np.argsort(-tags.counts, kind="stable")[:_MOST_TAGS]
    data = _Data(features, tags, groups, _basis(features), np.sort(frequent))
    moments = data.moments()
    folds = []
    for number, (teaching, held_out) in enumerate(_folds(groups, settings.seed)):
        report("metric: closed form", number, N_FOLDS)
        starts = Starts(moments - data.moments(held_out), n_dims, data.basis)
        folds.append(_Fold(data, starts, teaching, held_out, settings))
    choice = _settle(choice, folds, n_dims, report)
    width = n_found or settings.n_neighbors
    found = []
    for number, fold in enumerate(folds):
        report("metric: folds", number, len(folds) + 1)
        found.append(fold.neighbors(choice, width, MOST_ASKED // len(folds)))
    report("metric: folds", len(folds), len(folds) + 1)
    start = folds[0].start if folds else Start()
    everything = np.arange(tags.n_images)
    starts = Starts(moments, n_dims, data.basis)
    rounds = _rounds(data, everything, starts, start, choice, settings)
    final = list(rounds)[-1]
    report("metric: folds", len(folds) + 1, len(folds) + 1)
    asked = np.concatenate([np.empty(0, np.int64), *(positions for positions, _ in found)])
    rows = np.concatenate([np.empty((0, width), np.int64), *(one.rows for _, one in found)])
    distances = np.concatenate(
        [np.empty((0, width), np.float32), *(one.distances for _, one in found)]
    )
    order = np.argsort(asked)
    return LearnedMetric(final, choice, asked[order], Neighbors(rows[order], distances[order]))


@dataclass(frozen=True, eq=False)
class _Data:
    """The pictures that teach, all of them."""

    features: NDArray[np.float32]
    tags: TagMatrix
    groups: NDArray[np.int64]
    basis: NDArray[np.float32] | None
    analysed: NDArray[np.int64]

    def moments(self, positions: NDArray[np.int64] | None = None) -> Moments:
        """Return the moments of some pictures, or of all, along the basis where there is one."""
        features, tags = self.features, self.tags
        if positions is not None:
            features, tags = features[positions], tags.take(positions)
        along = features if self.basis is None else features @ self.basis
        return Moments.of(along, tags.of_tags(self.analysed))


def _basis(features: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return what spans the features, where they are few pictures for their width."""
    n_images, n_in = features.shape
    if not 1 < n_images < _FEW_FOR_WIDTH * n_in:
        return None
    return np.linalg.qr(features.T.astype(np.float64))[0].astype(np.float32)


def _folds(
    groups: NDArray[np.int64], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the positions that teach and those that are held out, a fold each."""
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max(initial=-1)) + 1
    n_folds = min(N_FOLDS, n_groups)
    if n_folds < 2:
        return
    number = (np.random.default_rng(seed).permutation(n_groups) % n_folds)[group]
    for fold in range(n_folds):
        yield np.flatnonzero(number != fold), np.flatnonzero(number == fold)


def sampled(positions: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Return the positions, or so many of them drawn at random, ascending."""
    if len(positions) <= most:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, most, replace=False))


def _rounds(
    data: _Data,
    teaching: NDArray[np.int64],
    starts: Starts,
    start: Start,
    choice: MetricChoice,
    settings: MetricSettings,
) -> Iterator[LinearMap]:
    """Yield the map in closed form, and after each round."""
    first = starts(choice.regularization or 0.0, choice.n_supervised or 0)
    yield first
    taught = sampled(teaching, MOST_TAUGHT, settings.seed)
    tags = data.tags.take(taught)
    if tags.indices.size and first.matrix.size:
        rounds = learn_map(data.features[taught], tags, data.groups[taught], first, start, settings)
        yield from islice(rounds, choice.n_rounds)


class _Fold:
    """One fold: its closed forms, and how well a map does on the pictures held out."""

    def __init__(
        self,
        data: _Data,
        starts: Starts,
        teaching: NDArray[np.int64],
        held_out: NDArray[np.int64],
        settings: MetricSettings,
    ) -> None:
        self._data = data
        self._teaching = teaching
        self._held_out = held_out
        self._settings = settings
        self._starts = starts
        # Maps are compared on so many: asking everybody each time would take longer than it tells.
        self._compared = sampled(held_out, MOST_ASKED // N_FOLDS, settings.seed)
        self._voting = sampled(teaching, MOST_TAUGHT, settings.seed)
        self.start = Start()

    def closed_form(self, choice: MetricChoice) -> float:
        """Return the C-F1@5 of a closed form."""
        first = self._starts(choice.regularization or 0.0, choice.n_supervised or 0)
        likelihood, weighting = self._asked(first)
        fitted = fit_weights(
            likelihood,
            weighting,
            sigmoids=False,
            shrinkage=0,
            start=np.array([Start().sharpness]),
        )
        weights = weighting(fitted.params).astype(np.float32)
        return _label_f1(likelihood, weights)

    def loss(self, fitted: LinearMap) -> float:
        """Return the loss of a map, all tags sharing a sigmoid."""
        found = self._shared_sigmoid(fitted)
        return found.losses[-1] if found.losses else 0.0

    def begin(self, choice: MetricChoice) -> None:
        """Let gradient steps start where a closed form does best."""
        found = self._shared_sigmoid(next(self.rounds(choice)))
        if found.sigmoids is not None and found.losses:
            self.start = Start(
                max(float(found.params[0]), 1e-3),
                found.sigmoids.shared_slope,
                found.sigmoids.shared_offset,
            )

    def _shared_sigmoid(self, fitted: LinearMap) -> Fitted:
        likelihood, weighting = self._asked(fitted)
        return fit_weights(
            likelihood,
            weighting,
            sigmoids=True,
            shrinkage=_ALL_ALIKE,
            start=np.array([Start().sharpness]),
        )

    def rounds(self, choice: MetricChoice) -> Iterator[LinearMap]:
        """Yield the map in closed form, and after each round."""
        return _rounds(self._data, self._teaching, self._starts, self.start, choice, self._settings)

    def neighbors(
        self, choice: MetricChoice, width: int, most_asked: int
    ) -> tuple[NDArray[np.int64], Neighbors]:
        """Return pictures held out and their neighbours, all as positions among all pictures."""
        asked = sampled(self._held_out, most_asked, self._settings.seed)
        vectors = list(self.rounds(choice))[-1](self._data.features)
        found = nearest_among(vectors[asked], vectors[self._teaching], width)
        is_voter = found.rows >= 0
        rows = np.full(found.rows.shape, -1, dtype=np.int64)
        rows[is_voter] = self._teaching[found.rows[is_voter]]
        return asked, Neighbors(rows, found.distances)

    def _asked(self, fitted: LinearMap) -> tuple[Likelihood, ByDistance]:
        asked, voting = (
            fitted(self._data.features[some]) for some in (self._compared, self._voting)
        )
        found = nearest_among(asked, voting, self._settings.n_neighbors)
        likelihood = Likelihood(
            positions=found.rows.astype(np.int32),
            tags=self._data.tags.take(self._voting),
            truth=self._data.tags.take(self._compared),
        )
        is_voter = found.rows >= 0
        distances = np.where(is_voter, found.distances, np.float32(0))[..., None]
        return likelihood, ByDistance(is_voter, distances)


def _label_f1(likelihood: Likelihood, weights: NDArray[np.float32]) -> float:
    """Return the C-F1@5 of weighted votes."""
    positions = likelihood.positions.astype(np.int64)
    found = Voters(positions, positions, np.zeros(positions.shape, np.float32), weights)
    votes = tag_votes(found, likelihood.tags)
    truth = likelihood.truth.toarray()
    emitted = np.zeros(votes.shape, bool)
    top = rank_tags(votes, _N_EMITTED, (likelihood.tags.counts,))
    np.put_along_axis(emitted, top, True, axis=1)
    return float(np.nan_to_num(COUNT_MEASURES[LABEL_F1.name](LabelCounts.of(emitted, truth))))


def _settle(
    choice: MetricChoice, folds: list[_Fold], n_dims: int, report: Progress
) -> MetricChoice:
    """Choose what is not given: the closed form first, then how many rounds go on from it."""
    widths = tuple(round(share * n_dims) for share in SUPERVISED_SHARES)
    middle = widths[len(widths) // 2]
    n_tried, n_to_try = 0, len(folds) * (len(REGULARIZATIONS) + len(widths))

    def best(field: str, settled: MetricChoice, values: tuple[Any, ...]) -> MetricChoice:
        nonlocal n_tried
        if getattr(choice, field) is not None:
            return settled
        tried = [replace(settled, **{field: value}) for value in values]
        means = []
        for one in tried:
            of_folds = [0.0] * max(1, len(folds))
            for number, fold in enumerate(folds):
                report("metric: closed forms", n_tried, n_to_try)
                of_folds[number] = fold.closed_form(one)
                n_tried += 1
            means.append(np.mean(of_folds))
        return tried[int(np.argmax(means))]

    settled = replace(
        choice,
        regularization=choice.regularization or REGULARIZATIONS[0],
        n_supervised=middle if choice.n_supervised is None else choice.n_supervised,
    )
    settled = best("regularization", settled, REGULARIZATIONS)
    settled = best("n_supervised", settled, widths)
    for fold in folds[:1]:
        fold.begin(settled)
    for fold in folds[1:]:
        fold.start = folds[0].start
    if settled.n_rounds is not None:
        return settled
    return replace(settled, n_rounds=_best_round(folds[:_N_DECIDING], settled, report))


def _best_round(folds: list[_Fold], settled: MetricChoice, report: Progress) -> int:
    """Return after how many rounds the pictures held out are told best."""
    many = replace(settled, n_rounds=MOST_ROUNDS)
    losses: list[float] = []
    for maps in zip(*(fold.rounds(many) for fold in folds), strict=False):
        report("metric: rounds", len(losses), MOST_ROUNDS + 1)
        losses.append(sum(fold.loss(one) for fold, one in zip(folds, maps, strict=True)))
        if len(losses) - 1 - int(np.argmin(losses)) >= _PATIENCE:
            break
    return int(np.argmin(losses)) if losses else 0
