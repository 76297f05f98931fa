"""Radial units, each answering to how near a picture is to one of the training pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, whole_number

__all__ = [
    "LeastSquares",
    "RadialUnits",
    "bent_log_odds",
    "central_pictures",
    "fit_radial_units",
    "principal_map",
]

# Activations held at a time: 64 MB as float64.
_CHUNK_VALUES = 1 << 23

# How sharply an estimate outside [0, 1] is bent back into it.
_SHARPNESS = 50.0

# Least eigenvalue of the units' own kernel that is divided by: copies make it singular.
_LEAST_EIGENVALUE = 1e-6


@dataclass(frozen=True, eq=False)
class RadialUnits:
    r"""Map a feature ``x`` to its nearness to each centre, in (0, 1].

    .. math:: k_j(x) = \exp(-\lVert x - c_j \rVert^2 / w^2)

    Parameters
    ----------
    centers : ndarray of float, shape (n_units, n_dims)
        Of values that float32 holds; they are kept as float64.
    width : float
        The :math:`w`, above 0.

    Notes
    -----
    A distance is a small difference of large numbers: computed in float32, scores of one picture
    in ten thousand parts would be off by one. To widen the centres whenever a picture is asked
    about takes three quarters of its time, so they stay wide, in twice the memory: 77 MB for
    4,500 pictures of 2,136 values.

    Examples
    --------
    >>> units = RadialUnits(np.array([[0, 0], [3, 4]], np.float32), width=5.0)
    >>> units(np.zeros((1, 2), np.float32)).round(3)
    array([[1.   , 0.368]])
    """

    centers: NDArray[np.floating]
    width: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centers", np.asarray(self.centers, np.float64))

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.centers)

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the activations, float64 (n_images, n_units), of float (n_images, n_dims).

        Raises
        ------
        InputError
            If the features are of another width.
        """
        n_dims = self.centers.shape[1]
        if features.ndim != 2 or features.shape[1] != n_dims:
            raise InputError(
                f"features of shape {features.shape} for units of {n_dims} values; "
                f"(n, {n_dims}) is accepted; give what they were fitted on"
            )
        exact = np.asarray(features, np.float64)  # (n_images, n_dims)
        nearness: NDArray[np.float64] = exact @ self.centers.T  # (n_images, n_units)
        nearness -= self._half_squares
        nearness -= np.einsum("ij,ij->i", exact, exact)[:, None] / 2
        np.minimum(nearness, 0, out=nearness)  # minus half of the squared distances
        nearness *= 2 / self.width**2
        return np.exp(nearness, out=nearness)

    @cached_property
    def _half_squares(self) -> NDArray[np.float64]:
        """Half of the squared length of each centre, float64 (n_units,)."""
        return np.asarray(np.einsum("ij,ij->i", self.centers, self.centers) / 2)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes."""
        centers = self.centers.astype(np.float32)
        return {"centers": centers, "width": np.asarray(self.width, np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "RadialUnits":
        """Rebuild the units."""
        centers = np.asarray(arrays["centers"], np.float64)
        return cls(centers, float(np.asarray(arrays["width"], dtype=np.float64)))


def central_pictures(n_images: int, n_units: int, seed: int = 0) -> NDArray[np.int64]:
    """Return which training pictures are centres, int64, ascending; at most `n_units`.

    They are drawn without repetition where there are more pictures.

    Examples
    --------
    >>> central_pictures(3, 8), len(central_pictures(9, 2))
    (array([0, 1, 2]), 2)
    """
    if n_images <= n_units:
        return np.arange(n_images)
    return np.sort(np.random.default_rng(seed).choice(n_images, size=n_units, replace=False))


def fit_radial_units(
    features: NDArray[np.float32], n_units: int, *, scale: float = 1.0, seed: int = 0
) -> RadialUnits:
    r"""Take training pictures as centres, and the spread of the features as the width.

    .. math:: w^2 = \textit{scale}^2 \, \frac{1}{n} \sum_i \lVert x_i - \bar x \rVert^2

    Parameters
    ----------
    features : ndarray of float32, shape (n_images, n_dims)
    n_units : int
        At most; drawn without repetition where there are more pictures.
    scale : float, default=1
        Above 0.
    seed : int, default=0
        Of the draw.

    Examples
    --------
    >>> fit_radial_units(np.eye(3, dtype=np.float32), 2).centers.shape
    (2, 3)
    """
    whole_number("n_units", n_units)
    real_number("scale", scale, above=0)
    n_images = len(features)
    chosen = central_pictures(n_images, n_units, seed)
    spread = float(features.var(axis=0, dtype=np.float64).sum()) if n_images else 0.0
    # Pictures that are all alike have no spread; any width tells them from others.
    width = scale * np.sqrt(spread) if spread > 0 else scale
    return RadialUnits(features[chosen].astype(np.float64), float(width))


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
        self, units: RadialUnits, features: NDArray[np.floating], regularization: float
    ) -> None:
        from scipy.linalg import cho_factor

        real_number("regularization", regularization, above=0)
        self.units, self.features, self.regularization = units, features, regularization
        system = units(units.centers)  # (n_units, n_units)
        # Where every picture is a centre there is a better conditioned form.
        self._is_whole = np.array_equal(units.centers, features)
        if self._is_whole:
            system[np.diag_indices_from(system)] += regularization
        else:
            system *= regularization
            for _, part in self._nearness():
                system += part.T @ part
            # Copies among the centres leave the system singular; this is far below any picture.
            system[np.diag_indices_from(system)] += 1e-9 * regularization
        self._leverages = np.full(len(features), np.nan)
        self._factor: NDArray[np.float64]
        self._factor, _ = cho_factor(system, lower=True, overwrite_a=True)

    def solve(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights, float64 (n_units, n_targets), of centred (n_images, n_targets)."""
        from scipy.linalg import cho_solve

        right = targets
        if not self._is_whole:
            right = np.zeros((self.units.n_units, targets.shape[1]))
            for rows, part in self._nearness():
                right += part.T @ targets[rows]
        solved: NDArray[np.float64] = cho_solve((self._factor, True), right)
        return solved

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

    def fit_tags(
        self, present: NDArray[np.bool_], completion: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
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

        Returns
        -------
        weights : ndarray of float64, shape (n_units, n_tags)
        mean : ndarray of float64, shape (n_tags,)
        targets : ndarray of float64, shape (n_images, n_tags)

        Raises
        ------
        InputError
            If the completion is not in [0, 1].
        """
        if real_number("completion", completion) > 1:
            raise InputError(f"completion is {completion:g}; it is in [0, 1]; lower it")
        targets = present.astype(np.float64)  # (n_images, n_tags)
        mean = targets.mean(axis=0)  # (n_tags,)
        weights = self.solve(targets - mean)
        if not completion:
            return weights, mean, targets
        for rows, left_out in self.left_out(present, mean, weights):
            targets[rows] += completion * ~present[rows] * np.clip(left_out, 0, 1)
        mean = targets.mean(axis=0)
        return self.solve(targets - mean), mean, targets

    def left_out(
        self,
        targets: NDArray[np.bool_] | NDArray[np.float64],
        mean: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield what each training picture is taken for by a fit to the others.

        Parameters
        ----------
        targets : ndarray of bool or float, shape (n_images, n_targets)
        mean : ndarray of float64, shape (n_targets,)
        weights : ndarray of float64, shape (n_units, n_targets)
            What :meth:`solve` made of the targets less their mean.

        Yields
        ------
        rows : slice
            Some of the pictures.
        estimates : ndarray of float64, shape (n, n_targets)
            Of these. They come from the fit with the picture, by its residual over its
            leverage, and keep its mean.
        """
        if self._is_whole:
            yield slice(None), targets - weights / self._shares[:, None]
            return
        for rows, part in self._nearness():
            residuals = targets[rows] - mean - part @ weights
            yield rows, targets[rows] - residuals / (1 - self._leverages_of(rows, part))[:, None]

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """Diagonal of the inverse of the system, float64 (n_units,)."""
        from scipy.linalg import solve_triangular

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

    def _nearness(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield the activations, some pictures at a time."""
        for rows in _chunks(len(self.features), self.units.n_units, _CHUNK_VALUES):
            yield rows, self.units(self.features[rows])


def bent_log_odds(estimates: NDArray[np.floating]) -> NDArray[np.floating]:
    r"""Return the log-odds of estimates of a probability that may lie outside [0, 1].

    .. math:: \log s(p) - \log s(1 - p), \qquad s(p) = \log(1 + e^{50 p}) / 50

    Parameters
    ----------
    estimates : ndarray of float, any shape

    Returns
    -------
    ndarray of float, shape of `estimates`
        Ascending with the estimate, finite, and the plain log-odds well inside [0, 1].

    Examples
    --------
    >>> bent_log_odds(np.array([-0.5, 0.0, 0.2, 0.5])).round(3)
    array([-29.317,  -4.279,  -1.386,   0.   ])
    """
    log_odds: NDArray[np.floating] = _log_bent(estimates) - _log_bent(1 - estimates)
    return log_odds


def principal_map(units: RadialUnits, n_kept: int) -> NDArray[np.float64]:
    r"""Return what turns activations into few inputs of a network, strongest first.

    Parameters
    ----------
    units : RadialUnits
    n_kept : int
        Directions, at most.

    Returns
    -------
    ndarray of float64, shape (n_units, n_kept or fewer)
        :math:`V S^{-1/2}` of the eigendecomposition :math:`V S V^\top` of the centres' own
        activations, without directions that are nothing but rounding. While all are kept,
        scalar products of ``units(x) @ principal_map(units)`` are the centres' kernel.

    References
    ----------
    C. Williams, M. Seeger, "Using the Nystrom Method to Speed Up Kernel Machines", NIPS 2000.
    """
    values, vectors = np.linalg.eigh(units(units.centers))
    values, vectors = values[::-1][:n_kept], vectors[:, ::-1][:, :n_kept]
    kept = values > _LEAST_EIGENVALUE * max(values.max(initial=0), 1)
    return np.ascontiguousarray(vectors[:, kept] / np.sqrt(values[kept]))


def _log_bent(shares: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return log(log(1 + e^(50 p))), which is 50 p far below 0."""
    bent = _SHARPNESS * shares
    log_bent: NDArray[np.floating] = np.where(
        bent < -30, bent, np.log(np.logaddexp(0, np.maximum(bent, -30)))
    )
    return log_bent


def _chunks(n_rows: int, width: int, n_values: int) -> Iterator[slice]:
    step = max(1, n_values // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))
