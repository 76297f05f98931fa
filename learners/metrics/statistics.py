"""What a measure reads from the pictures, so that it can be read again from a resample.

A resample of the pictures is a vector of weights: how often each picture was drawn. Every
statistic gives its value at weights 1 (:meth:`Statistic.result`) and at many weight vectors
at once (:meth:`Statistic.replicate`), without sorting anything again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learners.metrics.calibration import bin_edges, bin_of
from learners.metrics.decisions import LabelCounts
from learners.metrics.judged import Judged
from learners.metrics.rankings import average_precisions, hits

__all__ = [
    "BinnedGaps",
    "Counts",
    "ImageMean",
    "MeasureResult",
    "Statistic",
    "TagRankings",
    "Unit",
]


class Unit(StrEnum):
    """What a measure is averaged over."""

    IMAGE = "image"
    TAG = "tag"
    DECISION = "decision"


@dataclass(frozen=True, eq=False)
class MeasureResult:
    """A measured value, and what it was averaged over.

    Parameters
    ----------
    value : float
        A fraction, except for counts (``n+``) and squared errors; NaN where `n` is 0.
    n : int
        How many pictures, tags or decisions the value is of.
    n_left_out : int
        How many were left out: pictures or tags to which nothing is relevant, decisions on
        tags that are no candidates.
    unit : Unit
        Which of the three.
    per_item : ndarray of float64, shape (n_images,) or (n_tags,), or None
        The value of each picture or tag, NaN where left out; None where the measure has no
        value an item.
    """

    value: float
    n: int
    n_left_out: int
    unit: Unit
    per_item: NDArray[np.float64] | None = None


class Statistic(Protocol):
    """A measure applied to scores and truth."""

    def result(self) -> MeasureResult:
        """Return the value on the pictures as they are."""

    def replicate(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value on each resample.

        Parameters
        ----------
        weights : ndarray of int64, shape (n_replicates, n_images)
            How often each picture was drawn.

        Returns
        -------
        ndarray of float64, shape (n_replicates,)
            Just what :meth:`result` would give if the drawn pictures were written out that
            often; NaN where nothing is left to average.
        """


@dataclass(frozen=True, eq=False)
class ImageMean(Statistic):
    """Mean of a value a picture; NaN = left out."""

    values: NDArray[np.float64]

    def result(self) -> MeasureResult:
        """Return the value on the pictures as they are."""
        n = int(np.count_nonzero(~np.isnan(self.values)))
        return MeasureResult(
            value=float(np.nanmean(self.values)) if n else float("nan"),
            n=n,
            n_left_out=self.values.size - n,
            unit=Unit.IMAGE,
            per_item=self.values,
        )

    def replicate(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value on each resample."""
        averaged = ~np.isnan(self.values)
        totals = weights @ np.where(averaged, self.values, 0)
        return _divide(totals, weights @ averaged.astype(np.int64))


@dataclass(frozen=True, eq=False)
class Counts(Statistic):
    """A function of how often each label was emitted, true, and both."""

    emitted: NDArray[np.bool_]
    relevant: NDArray[np.bool_]
    measure: Callable[[LabelCounts], NDArray[np.float64]]
    per_label: Callable[[LabelCounts], NDArray[np.float64]] | None
    unit: Unit

    def result(self) -> MeasureResult:
        """Return the value on the pictures as they are."""
        counts = LabelCounts.of(self.emitted, self.relevant)
        n_images, n_tags = self.emitted.shape
        n_judged = int(np.count_nonzero(counts.judged))
        of_tags = self.unit is Unit.TAG
        return MeasureResult(
            value=float(self.measure(counts)),
            n=n_judged if of_tags else n_images,
            n_left_out=n_tags - n_judged if of_tags else 0,
            unit=self.unit,
            per_item=None if self.per_label is None else self.per_label(counts),
        )

    def replicate(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value on each resample."""
        # float32 counts exactly up to 16 million pictures, and multiplies fast.
        drawn = weights.astype(np.float32)
        matrices = (self.emitted & self.relevant, self.emitted, self.relevant)
        correct, emitted, relevant = (drawn @ matrix.astype(np.float32) for matrix in matrices)
        return self.measure(LabelCounts(correct, emitted, relevant))


@dataclass(frozen=True, eq=False)
class TagRankings(Statistic):
    r"""Mean over the tags of the average precision of their rankings of the pictures.

    Notes
    -----
    A picture that is drawn :math:`w` times stands at :math:`w` neighbouring ranks of every
    ranking. Let :math:`c` relevant ones of :math:`b` drawn pictures stand above it; if it is
    relevant, its copies add

    .. math:: \sum_{j=1}^{w} \frac{c + j}{b + j} = w + (c - b) \, (H_{b+w} - H_b)

    with :math:`H` the harmonic numbers. So a resample costs a running sum over rankings that
    are already sorted, and is exactly what sorting the written-out resample would give.
    """

    judged: Judged

    def result(self) -> MeasureResult:
        """Return the value on the pictures as they are."""
        judged = self.judged
        values = average_precisions(judged.image_order, judged.relevant.T, judged.candidates.T)
        n = int(np.count_nonzero(~np.isnan(values)))
        return MeasureResult(
            value=float(np.nanmean(values)) if n else float("nan"),
            n=n,
            n_left_out=values.size - n,
            unit=Unit.TAG,
            per_item=values,
        )

    def replicate(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value on each resample."""
        judged = self.judged
        largest = int(weights.sum(axis=1).max(initial=0))
        # Both count exactly here, and are summed several times faster than int64.
        kind = np.int16 if largest <= np.iinfo(np.int16).max else np.float32
        drawn = np.ascontiguousarray(weights.T, dtype=kind)  # (n_images, n_replicates)
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, largest + 1))])
        tag, rank, _ = hits(judged.image_order, judged.relevant.T, judged.candidates.T)
        ends = np.searchsorted(tag, np.arange(judged.n_tags + 1))
        relevant = judged.relevant.T
        totals = np.zeros(drawn.shape[1])
        n_averaged = np.zeros(drawn.shape[1], dtype=np.int64)
        for t in np.flatnonzero(relevant.any(axis=1)):
            n_relevant = drawn[relevant[t]].sum(axis=0, dtype=np.int64)
            n_averaged += n_relevant > 0
            ranks = rank[ends[t] : ends[t + 1]]
            if not ranks.size:
                continue
            ranking = drawn[judged.image_order[t, : ranks[-1] + 1]]
            copies = ranking[ranks].astype(np.int64)
            # Drawn from the hit before down to this one, summed: drawn down to here.
            starts = np.append(0, ranks[:-1] + 1)
            since = np.add.reduceat(ranking, starts, axis=0, dtype=kind)
            below = np.cumsum(since, axis=0, dtype=np.int64)
            above = below - copies
            relevant_above = np.cumsum(copies, axis=0) - copies
            gains = copies + (relevant_above - above) * (harmonic[below] - harmonic[above])
            totals += np.divide(
                gains.sum(axis=0), n_relevant, out=np.zeros(totals.shape), where=n_relevant > 0
            )
        return _divide(totals, n_averaged)


class BinnedGaps(Statistic):
    """Expected calibration error over bins of the scores, which are probabilities.

    Notes
    -----
    A resample is read with the bin edges of the pictures as they are.
    """

    def __init__(self, judged: Judged, n_bins: int, equal_mass: bool) -> None:
        image, tag = np.nonzero(judged.candidates)
        said = judged.scores[image, tag].astype(np.float64)
        bins = bin_of(said, bin_edges(said, n_bins, equal_mass))
        cell = image * n_bins + bins
        shape = (judged.n_images, n_bins)

        def summed(values: NDArray[np.generic] | None) -> NDArray[np.float64]:
            sums = np.bincount(cell, weights=values, minlength=shape[0] * shape[1])
            return sums.reshape(shape).astype(np.float64)

        self._said = summed(said)
        self._true = summed(judged.relevant[image, tag])
        self._count = summed(None)
        self._n_left_out = judged.scores.size - said.size

    def result(self) -> MeasureResult:
        """Return the value on the pictures as they are."""
        everyone = np.ones((1, len(self._count)), dtype=np.int64)
        return MeasureResult(
            value=float(self.replicate(everyone)[0]),
            n=int(self._count.sum()),
            n_left_out=self._n_left_out,
            unit=Unit.DECISION,
        )

    def replicate(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value on each resample."""
        drawn = weights.astype(np.float64)
        gaps = np.abs(drawn @ self._said - drawn @ self._true).sum(axis=1)
        return _divide(gaps, (drawn @ self._count).sum(axis=1))


def _divide(totals: NDArray[np.number], counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Divide; NaN where nothing was counted."""
    quotient = np.full(totals.shape, np.nan)
    np.divide(totals, counts, out=quotient, where=np.asarray(counts > 0))
    return quotient
