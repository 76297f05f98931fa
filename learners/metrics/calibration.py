"""Measures of probabilities: what is said to hold in 70 of 100 cases should hold in 70."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError

__all__ = ["ReliabilityCurve", "bin_edges", "bin_of", "reliability_curve"]


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Probability said against share that came true, a point a bin that is not empty.

    Parameters
    ----------
    confidence : ndarray of float64, shape (n_points,)
        Mean probability in the bin, ascending.
    frequency : ndarray of float64, shape (n_points,)
        Share of the bin that is true.
    count : ndarray of int64, shape (n_points,)
        Decisions in the bin.
    """

    confidence: NDArray[np.float64]
    frequency: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def expected_error(self) -> float:
        """Mean distance between the two, weighted by count: the ECE; NaN of no decisions."""
        if not self.count.size:
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.frequency), weights=self.count))


def reliability_curve(
    probabilities: ArrayLike, truth: ArrayLike, n_bins: int = 15, equal_mass: bool = True
) -> ReliabilityCurve:
    """Bin the probabilities and compare each bin with the truth.

    Parameters
    ----------
    probabilities : array of float, any shape
        In [0, 1]; ``-inf`` = not a candidate, left out.
    truth : array of bool, same shape
        What came true.
    n_bins : int, default=15
        At least 1.
    equal_mass : bool, default=True
        Cut at the quantiles, so that each bin holds about as many decisions; else into
        intervals of equal width.

    Raises
    ------
    InputError
        If a probability lies outside [0, 1], or the shapes differ.

    Notes
    -----
    A bin holds its upper edge, not its lower one (the first holds 0 too). Equal
    probabilities always fall into one bin, so that bins can be fewer and heavier than asked
    for where many probabilities are equal. Bins agree with scikit-learn's
    ``calibration_curve``, strategies ``quantile`` and ``uniform``.

    Examples
    --------
    >>> curve = reliability_curve([0.1, 0.3, 0.8, 0.8], [0, 1, 1, 1], n_bins=2)
    >>> curve.count, round(curve.expected_error, 3)
    (array([2, 2]), 0.25)
    """
    said, came = np.asarray(probabilities, dtype=np.float64), np.asarray(truth, dtype=np.bool_)
    if said.shape != came.shape:
        raise InputError(
            f"truth of shape {came.shape} for probabilities of shape {said.shape}; align them"
        )
    came, said = came[said > -np.inf], said[said > -np.inf]
    edges = bin_edges(said, n_bins, equal_mass)
    bins = bin_of(said, edges)
    count = np.bincount(bins, minlength=n_bins)
    filled = count > 0
    return ReliabilityCurve(
        confidence=np.bincount(bins, weights=said, minlength=n_bins)[filled] / count[filled],
        frequency=np.bincount(bins, weights=came, minlength=n_bins)[filled] / count[filled],
        count=count[filled],
    )


def bin_edges(
    probabilities: NDArray[np.float64], n_bins: int, equal_mass: bool
) -> NDArray[np.float64]:
    """Return the inner edges of the bins, float64, shape (n_bins - 1,).

    Raises
    ------
    InputError
        If a probability lies outside [0, 1] or there is less than one bin.
    """
    if n_bins < 1:
        raise InputError(f"{n_bins} bins were asked for; at least 1; raise the number")
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise InputError(
            f"scores lie in {probabilities.min():g} .. {probabilities.max():g}; a calibration "
            "error is read from probabilities in 0 .. 1; calibrate the scores first"
        )
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    if equal_mass and probabilities.size:
        inner = np.quantile(probabilities, inner)
    return inner


def bin_of(probabilities: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the bin of each probability; a bin holds its upper edge."""
    return np.searchsorted(edges, probabilities, side="left")
