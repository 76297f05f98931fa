"""Probabilities that mean what they say: 0.7 where seven of ten are right.

Answering with what was fitted takes NumPy alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError

__all__ = [
    "MonotoneMap",
    "PlattScaling",
    "fit_isotonic",
    "fit_platt",
    "isotonic",
    "log_odds",
    "sigmoid",
]

# Steps of Newton's method; it converges in a handful.
_N_STEPS = 50
_LEAST_SLOPE = 1e-3
_TOLERANCE = 1e-10


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.float64]:
    r"""Return :math:`1 / (1 + e^{-z})`, float64, without overflow."""
    return np.exp(-np.logaddexp(0, -np.asarray(values, np.float64)))


def log_odds(probabilities: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\log p / (1 - p)`, float64."""
    chance = np.asarray(probabilities, np.float64)
    return np.log(chance) - np.log1p(-chance)


def isotonic(values: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""Return the ascending sequence nearest to a sequence (pool adjacent violators).

    The :math:`f_1 \le f_2 \le \dots` that makes :math:`\sum_i w_i (f_i - y_i)^2` least.

    Parameters
    ----------
    values : array of float, shape (n,)
        The :math:`y_i`, in order of what they are a function of.
    weights : array of float, shape (n,), optional
        The :math:`w_i`, above 0; None = alike.

    Examples
    --------
    >>> isotonic([1.0, 3.0, 2.0, 4.0]).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    given = np.asarray(values, np.float64)
    weighed = np.ones(given.shape) if weights is None else np.asarray(weights, np.float64)
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, mass in zip(given.tolist(), weighed.tolist(), strict=True):
        length = 1
        while means and means[-1] >= value:
            before, heavy = means.pop(), masses.pop()
            value = (before * heavy + value * mass) / (heavy + mass)
            mass += heavy
            length += lengths.pop()
        means.append(value)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(means, lengths) if means else given


@dataclass(frozen=True, eq=False)
class MonotoneMap:
    """A function that never falls: linear between knots, level beyond the outer ones.

    Parameters
    ----------
    knots : ndarray of float64, shape (n_knots,)
        Ascending, at least one.
    values : ndarray of float64, shape (n_knots,)
        What it is there; never falling.
    """

    knots: NDArray[np.float64]
    values: NDArray[np.float64]

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the values, float64, of scores of any shape."""
        return np.asarray(np.interp(scores, self.knots, self.values), np.float64)


def fit_isotonic(scores: ArrayLike, truth: ArrayLike, n_knots: int = 100) -> MonotoneMap:
    """Fit the share that is true as a function of a score that never falls.

    Parameters
    ----------
    scores : array of float, shape (n,)
        Finite, at least one.
    truth : array of bool, shape (n,)
    n_knots : int, default=100
        At most: neighbours in score are pooled until each holds as many.

    Raises
    ------
    InputError
        If there is no score, or the shapes differ.
    """
    said, came = _aligned(scores, truth)
    order = np.argsort(said, kind="stable")
    said, came = said[order], came[order]
    # Equal scores have one value: they stand in one bin.
    _, starts, equal = np.unique(said, return_index=True, return_counts=True)
    share = (starts + equal - 1) * n_knots // len(said)
    first = np.flatnonzero(np.diff(share, prepend=-1))
    cuts = starts[first]
    mass = np.add.reduceat(np.ones(len(said)), cuts)
    means = np.add.reduceat(said, cuts) / mass
    fitted = isotonic(np.add.reduceat(came.astype(np.float64), cuts) / mass, mass)
    return MonotoneMap(means, fitted)


@dataclass(frozen=True, eq=False)
class PlattScaling:
    r"""A sigmoid of the score: :math:`p = \sigma(a_t s + b_t)`, one a tag.

    Parameters
    ----------
    slopes, offsets : ndarray of float64, shape (n_tags,)
        The :math:`a_t`, above 0, and :math:`b_t`.
    shared : tuple of float
        Slope and offset of a tag of which nothing is known.
    """

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    shared: tuple[float, float]

    def log_odds(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the log-odds, float64 (n, n_tags), of scores of that shape."""
        return np.asarray(scores * self.slopes + self.offsets, np.float64)

    def taking(self, columns: NDArray[np.int64]) -> "PlattScaling":
        """Return the sigmoids of tags by the column that each was; -1 = one that is new."""
        slope, offset = self.shared
        slopes, offsets = np.append(self.slopes, slope), np.append(self.offsets, offset)
        return PlattScaling(slopes[columns], offsets[columns], self.shared)


def fit_platt(scores: ArrayLike, truth: ArrayLike, shrinkage: float = 5.0) -> PlattScaling:
    r"""Fit a sigmoid a tag, drawn towards the one that all tags share.

    Maximises the likelihood of the truth; a tag's less
    :math:`\frac{\lambda}{2} ((a_t / a - 1)^2 + (b_t - b)^2)` with :math:`a, b` those of all
    tags together.

    Parameters
    ----------
    scores : array of float, shape (n, n_tags)
    truth : array of bool, shape (n, n_tags)
    shrinkage : float, default=5
        The :math:`\lambda`, at least 0: how many pictures it takes to pull a tag away.
        Infinite = all tags share one.

    Raises
    ------
    InputError
        If there is no score, or the shapes differ.

    References
    ----------
    J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. His targets are drawn
    towards a half; here tags are drawn towards each other instead.
    """
    said, came = _aligned(scores, truth)
    start = np.array([[1.0], [0.0]])
    shared = _newton(said.reshape(-1, 1), came.reshape(-1, 1), start, np.zeros((2, 1)))[:, 0]
    n_tags = said.shape[1] if said.ndim == 2 else 1
    first = np.repeat(shared[:, None], n_tags, axis=1)
    if np.isinf(shrinkage):
        return PlattScaling(first[0], first[1], (float(shared[0]), float(shared[1])))
    pull = np.array([[shrinkage / shared[0] ** 2], [shrinkage]])
    own = _newton(said, came, first, np.repeat(pull, n_tags, axis=1))
    return PlattScaling(own[0], own[1], (float(shared[0]), float(shared[1])))


def _newton(
    scores: NDArray[np.float64],
    truth: NDArray[np.float64],
    start: NDArray[np.float64],
    pull: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return slope and offset of each column, float64 (2, n_columns)."""
    slope, offset = start[0].copy(), start[1].copy()
    for _ in range(_N_STEPS):
        chance = sigmoid(scores * slope + offset)
        error, curve = chance - truth, chance * (1 - chance)
        by_slope = (error * scores).sum(axis=0) + pull[0] * (slope - start[0])
        by_offset = error.sum(axis=0) + pull[1] * (offset - start[1])
        slopes = (curve * scores**2).sum(axis=0) + pull[0] + _TOLERANCE
        both = (curve * scores).sum(axis=0)
        offsets = curve.sum(axis=0) + pull[1] + _TOLERANCE
        determinant = np.maximum(slopes * offsets - both**2, _TOLERANCE**2)
        # A step is bounded: far out the curvature vanishes.
        down = np.clip((offsets * by_slope - both * by_offset) / determinant, -2, 2)
        left = np.clip((slopes * by_offset - both * by_slope) / determinant, -2, 2)
        # A slope that stays where it is, at its bound, leaves the offset to be found alone.
        held = (slope == _LEAST_SLOPE) & (down > 0)
        down = np.where(held, 0, down)
        left = np.where(held, np.clip(by_offset / offsets, -2, 2), left)
        slope, offset = np.maximum(slope - down, _LEAST_SLOPE), np.clip(offset - left, -50, 50)
        if max(np.abs(down).max(initial=0), np.abs(left).max(initial=0)) < _TOLERANCE:
            break
    return np.stack([slope, offset])


def _aligned(
    scores: ArrayLike, truth: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    said, came = np.asarray(scores, np.float64), np.asarray(truth, np.float64)
    if said.shape != came.shape or not said.size:
        raise InputError(
            f"truth of shape {came.shape} for scores of shape {said.shape}; as many of each, and "
            "one at least, are accepted; align them"
        )
    return said, came
