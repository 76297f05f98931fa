"""Functions of radial units, fitted in closed form."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Progress
from learners.parameters import real_number
from learners.radial import RadialUnits

__all__ = ["LeastSquares", "LinearFit"]

# Activations, or estimates, held at a time: 64 MB as float64.
_CHUNK_VALUES = 1 << 23


class LinearFit(NamedTuple):
    """What was fitted to targets, and the targets.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_units, n_targets)
    mean : ndarray of float64, shape (n_targets,)
        Of the targets.
    targets : ndarray of bool or float64, shape (n_images, n_targets)
    """

    weights: NDArray[np.float64]
    mean: NDArray[np.float64]
    targets: NDArray[np.bool_] | NDArray[np.float64]


class LeastSquares:
    r"""Functions of radial units, fitted in closed form: one factorisation for all targets.

    With :math:`K` the activations of the training pictures, :math:`K_c` those of the centres
    and :math:`\bar y` the mean of the targets :math:`Y`,

    .. math:: A = (K^\top K + \lambda K_c)^{-1} K^\top (Y - \bar y), \qquad
              f(x) = \bar y + k(x) A ,

    which is kernel ridge regression where every training picture is a centre, and its
    subset-of-regressors approximation where only some are.

    Parameters
    ----------
    units : RadialUnits
    features : ndarray of float, shape (n_images, n_dims)
    regularization : float
        The :math:`\lambda`, above 0.
    on_progress : callable, optional
        Called with (stage, done, total), here and by the methods.

    Raises
    ------
    InputError
        If the regularisation is not above 0.

    Notes
    -----
    Computed in float64. The cost is pictures times units squared, plus the cube of the units.

    References
    ----------
    J. Quinonero-Candela, C. Rasmussen, "A Unifying View of Sparse Approximate Gaussian Process
    Regression", JMLR 6, 2005 (subset of regressors).
    """

    def __init__(
        self,
        units: RadialUnits,
        features: NDArray[np.floating],
        regularization: float,
        on_progress: Progress = lambda stage, done, total: None,
    ) -> None:
        from scipy.linalg import cho_factor

        real_number("regularization", regularization, above=0)
        self.units, self.features, self.regularization = units, features, regularization
        self._on_progress = on_progress
        on_progress("units", 0, 0)
        system = units(units.centers)  # (n_units, n_units)
        # Where every picture is a centre there is a better conditioned form.
        self._is_whole = np.array_equal(units.centers, features)
        if self._is_whole:
            system[np.diag_indices_from(system)] += regularization
        else:
            system *= regularization
            for _, part in self._nearness("units"):
                system += part.T @ part
            # Copies among the centres leave the system singular; this is far below any picture.
            system[np.diag_indices_from(system)] += 1e-9 * regularization
        self._leverages = np.full(len(features), np.nan)
        on_progress("factorisation", 0, 0)
        self._factor: NDArray[np.float64]
        self._factor, _ = cho_factor(system, lower=True, overwrite_a=True)

    def fit(self, targets: NDArray[np.bool_] | NDArray[np.float64]) -> LinearFit:
        """Fit targets, bool or float64 (n_images, n_targets)."""
        from scipy.linalg import cho_solve

        mean = targets.mean(axis=0, dtype=np.float64)
        if self._is_whole:
            self._on_progress("solution", 0, 0)
            right = targets - mean
        else:
            right = np.zeros((self.units.n_units, targets.shape[1]))
            for rows, part in self._nearness("solution"):
                right += part.T @ (targets[rows] - mean)
        weights: NDArray[np.float64] = cho_solve((self._factor, True), right, overwrite_b=True)
        return LinearFit(weights, mean, targets)

    def inverse(self) -> NDArray[np.float64]:
        """Return the inverse of the system, float64 (n_images, n_images).

        Raises
        ------
        InputError
            If the centres are not the training pictures.
        """
        from scipy.linalg.lapack import dpotri

        if not self._is_whole:
            raise InputError(
                f"{self.units.n_units} centres for {len(self.features)} pictures; an inverse is "
                "there where all pictures are centres, in order; take as many units"
            )
        half, _ = dpotri(self._factor, lower=1)
        inverse: NDArray[np.float64] = np.tril(half) + np.tril(half, -1).T
        return inverse

    def fit_tags(self, present: NDArray[np.bool_], completion: float = 0.0) -> LinearFit:
        r"""Fit estimates of whether a tag is there.

        Targets are 1 for present tags and, with :math:`f_{-i}` fitted to all pictures but the
        :math:`i`-th, for absent ones

        .. math:: y_{it} = c \, \min(\max(f_{-i}(x_i)_t, 0), 1) .

        Parameters
        ----------
        present : ndarray of bool, shape (n_images, n_tags)
        completion : float, default=0
            The :math:`c`, in [0, 1]: how far tags that a picture lacks and the others speak for
            are taken for forgotten ones.

        Raises
        ------
        InputError
            If the completion is not in [0, 1].
        """
        if real_number("completion", completion) > 1:
            raise InputError(f"completion is {completion:g}; it is in [0, 1]; lower it")
        first = self.fit(present)
        if not completion:
            return first
        targets = present.astype(np.float64)  # (n_images, n_tags)
        for rows, (left_out,) in self.left_out(first):
            targets[rows] += completion * ~present[rows] * np.clip(left_out, 0, 1)
        return self.fit(targets)

    def left_out(self, *fits: LinearFit) -> Iterator[tuple[slice, list[NDArray[np.float64]]]]:
        """Yield what each training picture is taken for by fits to the others.

        Parameters
        ----------
        *fits : LinearFit
            To all pictures.

        Yields
        ------
        rows : slice
            Some of the pictures.
        estimates : list of ndarray of float64, each of shape (n, n_targets)
            Of these, an array a fit. They come from the fit with the picture, by its residual
            over its leverage, and keep its mean.
        """
        width = sum(fit.mean.size for fit in fits)
        if self._is_whole:
            for rows in _chunks(len(self.features), width):
                shares = self._shares[rows, None]
                yield rows, [fit.targets[rows] - fit.weights[rows] / shares for fit in fits]
            return
        for rows, part in self._nearness("estimates", width):
            left = 1 - self._leverages_of(rows, part)[:, None]
            yield (
                rows,
                [
                    fit.targets[rows] - (fit.targets[rows] - fit.mean - part @ fit.weights) / left
                    for fit in fits
                ],
            )

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """Diagonal of the inverse of the system, float64 (n_units,)."""
        from scipy.linalg import solve_triangular

        self._on_progress("estimates", 0, 0)
        half = solve_triangular(self._factor, np.eye(len(self._factor)), lower=True)
        shares: NDArray[np.float64] = np.einsum("ij,ij->j", half, half)
        return shares

    def _leverages_of(self, rows: slice, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far each of some pictures decides its own estimate, in [0, 1)."""
        from scipy.linalg import solve_triangular

        # Most of the work of an estimate; what is asked for next is of the same pictures.
        if np.isnan(self._leverages[rows]).any():
            half = solve_triangular(self._factor, part.T, lower=True)  # (n_units, n)
            self._leverages[rows] = np.minimum(np.einsum("ij,ij->j", half, half), 1 - 1e-9)
        return self._leverages[rows]

    def _nearness(self, stage: str, width: int = 0) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield the activations, of fewer pictures at a time where something else is wider."""
        chunks = list(_chunks(len(self.features), max(width, self.units.n_units)))
        for number, rows in enumerate(chunks):
            self._on_progress(stage, number, len(chunks))
            yield rows, self.units(self.features[rows])


def _chunks(n_rows: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK_VALUES // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))
