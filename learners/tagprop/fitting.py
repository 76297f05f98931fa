"""Maximise the likelihood over the voters' weights and the tags' sigmoids together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learners.tagprop.likelihood import Likelihood
from learners.tagprop.weighting import Weighting

__all__ = ["Fitted", "Sigmoids", "fit_weights"]

_MAX_STEPS = 200
# The sum of both classes' mean log-losses is about 1: what comes behind this is not seen.
_TOLERANCE = 3e-6
# From where the shared sigmoid starts: it is fitted first.
_FIRST_SIGMOID = (10.0, -2.0)
# How far a shared or an own logarithm of a slope, and an offset, may go.
_MOST_LOG_SLOPE = 7.0
_MOST_OFFSET = 15.0
# Newton steps of the shared sigmoid.
_SHARED_STEPS = 25


@dataclass(frozen=True, eq=False)
class Sigmoids:
    """What makes a tag's log-odds of its vote: ``slope * vote + offset``.

    Parameters
    ----------
    slopes, offsets : ndarray of float64, shape (n_tags,)
        Slopes are above 0.
    shared_slope, shared_offset : float
        What all tags are drawn towards; a tag that is new has these.
    """

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    shared_slope: float
    shared_offset: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the likelihood of one set of neighbours gave.

    Parameters
    ----------
    params : ndarray of float64, shape (n_params,)
        Of the weighting.
    sigmoids : Sigmoids or None
    losses : tuple of float
        Penalised negative log-likelihood at the start and after each accepted step; it never
        grows.
    """

    params: NDArray[np.float64]
    sigmoids: Sigmoids | None
    losses: tuple[float, ...]


def fit_weights(
    likelihood: Likelihood,
    weighting: Weighting,
    *,
    sigmoids: bool,
    shrinkage: float,
    start: NDArray[np.float64] | None = None,
    max_steps: int = _MAX_STEPS,
    on_step: Callable[[int], None] = lambda step: None,
) -> Fitted:
    r"""Fit the weighting's parameters and, at will, a sigmoid a tag, to one set of neighbours.

    The slope of a tag is :math:`\alpha_t = \alpha e^{u_t}`, which is above 0 whatever
    :math:`u_t` is, its offset :math:`\beta_t = \beta + v_t`. What is minimised is the negative
    log-likelihood plus

    .. math:: \frac{s}{2 n^+} \sum_t (u_t^2 + v_t^2) .

    Parameters
    ----------
    likelihood : Likelihood
    weighting : Weighting
        Of the same voters.
    sigmoids : bool
    shrinkage : float
        The :math:`s`: how many present pairs of picture and tag it takes to outweigh what all
        tags have in common. 0 = the paper's objective.
    start : ndarray of float64, shape (n_params,), optional
        Parameters to start from.
    max_steps : int
    on_step : callable
        Called with the number of steps accepted.

    Notes
    -----
    The paper alternates between weights and sigmoids and leaves the slope free; here they move
    together, by L-BFGS, and slopes stay above 0: a negative slope would reverse a tag's order.
    The paper has no shrinkage: with a sigmoid of its own a tag of ten pictures is fitted to
    their noise, which costs some 2 points of MiAP on folds of Corel-5K.
    """
    params = weighting.start if start is None else start
    n_params, n_tags = params.size, likelihood.truth.n_tags
    if not likelihood.truth.n_images or not n_tags:
        # Nothing speaks for a tag, nor against it.
        slope = _FIRST_SIGMOID[0]
        empty = Sigmoids(np.full(n_tags, slope), np.zeros(n_tags), slope, 0.0)
        return Fitted(params, empty if sigmoids else None, ())
    problem = _Problem(likelihood, weighting, n_params, sigmoids, shrinkage)
    first = problem.first(params)
    losses = [problem(first)[0]]

    def accepted(scaled: NDArray[np.float64]) -> None:
        losses.append(problem.last_loss(scaled))
        on_step(len(losses) - 1)

    from scipy.optimize import minimize

    found = minimize(
        problem,
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=problem.bounds(),
        callback=accepted,
        options={"maxiter": max_steps, "ftol": _TOLERANCE, "gtol": 0.0, "maxcor": 20},
    )
    return Fitted(*problem.parts(found.x), tuple(losses))


class _Problem:
    """The objective as a function of one vector, each part of it scaled to curve alike."""

    def __init__(
        self,
        likelihood: Likelihood,
        weighting: Weighting,
        n_params: int,
        sigmoids: bool,
        shrinkage: float,
    ) -> None:
        self._likelihood = likelihood
        self._weighting = weighting
        self._n_params = n_params
        self._sigmoids = sigmoids
        self._penalty = shrinkage / likelihood.n_present
        self._last: tuple[NDArray[np.float64], float] | None = None
        n_tags = likelihood.truth.n_tags
        self.scales = np.ones(n_params + (2 + 2 * n_tags if sigmoids else 0))

    def first(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled vector to start from, the shared sigmoid fitted; sets the scales."""
        self.scales[: self._n_params] = np.maximum(np.abs(params), 1e-3)
        unscaled = np.zeros(self.scales.size)
        unscaled[: self._n_params] = params
        if self._sigmoids:
            slope, offset = self._shared_sigmoid(params)
            n_tags = self._likelihood.truth.n_tags
            unscaled[self._n_params :][:2] = np.log(slope), offset
            looked = self._likelihood.look(
                self._weighting(params),
                (np.full(n_tags, slope), np.full(n_tags, offset)),
                by_weights=False,
            )
            own = self.scales[self._n_params + 2 :]
            curved = [looked.slope_curvature * slope**2, looked.offset_curvature]
            own[:] = 1 / np.sqrt(np.concatenate(curved) + self._penalty + 1e-6)
        return unscaled / self.scales

    def bounds(self) -> NDArray[np.float64]:
        """Return the least and the largest value of each scaled parameter."""
        largest = np.full(self.scales.size, np.inf)
        if self._sigmoids:
            # A tag that everybody has, or nobody, would go on for ever without shrinkage.
            n_tags = self._likelihood.truth.n_tags
            own = np.repeat([_MOST_LOG_SLOPE, _MOST_OFFSET], n_tags)
            largest[self._n_params :] = np.concatenate([[_MOST_LOG_SLOPE, _MOST_OFFSET], own])
        least = -largest
        least[: self._n_params] = self._weighting.least
        return np.stack([least, largest], axis=1) / self.scales[:, None]

    def _shared_sigmoid(self, params: NDArray[np.float64]) -> tuple[float, float]:
        """Fit one sigmoid for all tags by damped Newton steps along each axis."""
        weights, n_tags = self._weighting(params), self._likelihood.truth.n_tags
        slope, offset = _FIRST_SIGMOID
        for _ in range(_SHARED_STEPS):
            looked = self._likelihood.look(
                weights, (np.full(n_tags, slope), np.full(n_tags, offset)), by_weights=False
            )
            by_offset, by_slope = looked.offsets.sum(), looked.slopes.sum() * slope
            step = by_offset / max(looked.offset_curvature.sum(), 1e-9)
            log_step = by_slope / max(looked.slope_curvature.sum() * slope**2, 1e-9)
            offset -= float(np.clip(step, -1, 1)) / 2
            slope *= float(np.exp(-np.clip(log_step, -1, 1) / 2))
            if max(abs(step), abs(log_step)) < 1e-3:
                break
        return slope, offset

    def parts(self, scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], Sigmoids | None]:
        unscaled = scaled * self.scales
        params = unscaled[: self._n_params]
        if not self._sigmoids:
            return params, None
        log_slope, offset = unscaled[self._n_params :][:2]
        own_slopes, own_offsets = np.split(unscaled[self._n_params + 2 :], 2)
        sigmoids = Sigmoids(
            np.exp(log_slope + own_slopes),
            offset + own_offsets,
            float(np.exp(log_slope)),
            float(offset),
        )
        return params, sigmoids

    def __call__(self, scaled: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient."""
        params, sigmoids = self.parts(scaled)
        weights = self._weighting(params)
        pair = None if sigmoids is None else (sigmoids.slopes, sigmoids.offsets)
        looked = self._likelihood.look(weights, pair, by_weights=self._n_params > 0)
        gradient = np.empty(scaled.size)
        if self._n_params:
            gradient[: self._n_params] = self._weighting.gradient(weights, looked.weights)
        loss = looked.loss
        if sigmoids is not None:
            own = (scaled * self.scales)[self._n_params + 2 :]
            by_log_slope = looked.slopes * sigmoids.slopes
            gradient[self._n_params :][:2] = by_log_slope.sum(), looked.offsets.sum()
            gradient[self._n_params + 2 :] = np.concatenate([by_log_slope, looked.offsets])
            gradient[self._n_params + 2 :] += self._penalty * own
            loss += self._penalty / 2 * float(own @ own)
        self._last = scaled.copy(), loss
        return loss, gradient * self.scales

    def last_loss(self, scaled: NDArray[np.float64]) -> float:
        """Return the loss at a vector, which most often was the last one asked for."""
        if self._last is None or not np.array_equal(self._last[0], scaled):
            self(scaled)
        return self._last[1] if self._last is not None else float("nan")
