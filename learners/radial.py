"""Radial units, each answering to how near a picture is to one of the training pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, whole_number

__all__ = ["RadialUnits", "bent_log_odds", "fit_least_squares", "fit_radial_units", "principal_map"]

# Activations held at a time: 64 MB as float64.
_CHUNK_VALUES = 1 << 23

# Values of the centres worked on at a time: 2 MB as float64.
_CACHED_VALUES = 1 << 18

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
    centers : ndarray of float32, shape (n_units, n_dims)
    width : float
        The :math:`w`, above 0.

    Examples
    --------
    >>> units = RadialUnits(np.array([[0, 0], [3, 4]], np.float32), width=5.0)
    >>> units(np.zeros((1, 2), np.float32)).round(3)
    array([[1.   , 0.368]])
    """

    centers: NDArray[np.float32]
    width: float

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.centers)

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the activations, float64 (n_images, n_units), of float32 (n_images, n_dims).

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
        # A distance is a small difference of large numbers: float32 would leave 3 digits. Few
        # centres are widened at a time, which then stay in the processor's cache.
        exact = features.astype(np.float64)  # (n_images, n_dims)
        nearness = np.empty((len(features), self.n_units))
        for part in _chunks(self.n_units, n_dims, _CACHED_VALUES):
            centers = self.centers[part].astype(np.float64)
            np.matmul(exact, centers.T, out=nearness[:, part])
            nearness[:, part] -= np.einsum("ij,ij->i", centers, centers) / 2
        nearness -= np.einsum("ij,ij->i", exact, exact)[:, None] / 2
        np.minimum(nearness, 0, out=nearness)  # minus half of the squared distances
        nearness *= 2 / self.width**2
        return np.exp(nearness, out=nearness)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes."""
        return {"centers": self.centers, "width": np.asarray(self.width, np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "RadialUnits":
        """Rebuild the units."""
        centers = np.asarray(arrays["centers"], dtype=np.float32)
        return cls(centers, float(np.asarray(arrays["width"], dtype=np.float64)))


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
    chosen = np.arange(n_images)
    if n_images > n_units:
        drawn = np.random.default_rng(seed).choice(n_images, size=n_units, replace=False)
        chosen = np.sort(drawn)
    spread = float(features.var(axis=0, dtype=np.float64).sum()) if n_images else 0.0
    # Pictures that are all alike have no spread; any width tells them from others.
    width = scale * np.sqrt(spread) if spread > 0 else scale
    return RadialUnits(np.array(features[chosen], dtype=np.float32), float(width))


def fit_least_squares(
    units: RadialUnits,
    features: NDArray[np.float32],
    present: NDArray[np.bool_],
    regularization: float,
    completion: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Fit a function of radial units to tags, in closed form.

    With :math:`K` the activations of the training pictures, :math:`K_c` those of the centres
    and :math:`\bar y` the mean of the targets :math:`Y`,

    .. math:: A = (K^\top K + \lambda K_c)^{-1} K^\top (Y - \bar y), \qquad
              f(x) = \bar y + k(x) A ,

    which is kernel ridge regression where every training picture is a centre, and its
    subset-of-regressors approximation where only some are. Targets are 1 for present tags and,
    with :math:`f_{-i}` fitted to all pictures but the :math:`i`-th, for absent ones

    .. math:: y_{it} = c \, \min(\max(f_{-i}(x_i)_t, 0), 1) .

    Parameters
    ----------
    units : RadialUnits
    features : ndarray of float32, shape (n_images, n_dims)
    present : ndarray of bool, shape (n_images, n_tags)
    regularization : float
        The :math:`\lambda`, above 0.
    completion : float, default=0
        The :math:`c`, in [0, 1]: how far tags that a picture lacks and the others speak for
        are taken for forgotten ones.

    Returns
    -------
    weights : ndarray of float64, shape (n_units, n_tags)
    mean : ndarray of float64, shape (n_tags,)

    Notes
    -----
    Computed in float64. The cost is pictures times units squared, plus the cube of the units.
    The fits without one picture, of targets 1 and 0, come from the one with it, by its
    residual over its leverage; they keep its mean.

    References
    ----------
    J. Quinonero-Candela, C. Rasmussen, "A Unifying View of Sparse Approximate Gaussian Process
    Regression", JMLR 6, 2005 (subset of regressors).
    """
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    real_number("regularization", regularization, above=0)
    if real_number("completion", completion) > 1:
        raise InputError(f"completion is {completion:g}; it is in [0, 1]; lower it")
    nearness = partial(_nearness, units, features)
    own = units(units.centers)  # (n_units, n_units)
    # Where every picture is a centre there is a better conditioned form.
    is_whole = np.array_equal(units.centers, features)
    if is_whole:
        system = own
        system[np.diag_indices_from(system)] += regularization
    else:
        system = regularization * own
        for _, part in nearness():
            system += part.T @ part
        # Copies among the centres leave the system singular; this is far below any picture.
        system[np.diag_indices_from(system)] += 1e-9 * regularization
    factor, is_lower = cho_factor(system, lower=True, overwrite_a=True)

    def solve(targets: NDArray[np.float64]) -> NDArray[np.float64]:
        right = targets
        if not is_whole:
            right = np.zeros((units.n_units, targets.shape[1]))
            for rows, part in nearness():
                right += part.T @ targets[rows]
        solved: NDArray[np.float64] = cho_solve((factor, is_lower), right)
        return solved

    mean = present.mean(axis=0, dtype=np.float64)  # (n_tags,)
    weights = solve(present - mean)
    if not completion:
        return weights, mean
    completed = present.astype(np.float64)  # (n_images, n_tags)
    if is_whole:
        half = solve_triangular(factor, np.eye(len(factor)), lower=True)
        residuals = weights / np.einsum("ij,ij->j", half, half)[:, None]
        completed += completion * ~present * np.clip(present - residuals, 0, 1)
    else:
        for rows, part in nearness():
            half = solve_triangular(factor, part.T, lower=True)  # (n_units, n)
            leverages = np.minimum(np.einsum("ij,ij->j", half, half), 1 - 1e-9)
            residuals = (present[rows] - mean - part @ weights) / (1 - leverages)[:, None]
            left_out = np.clip(present[rows] - residuals, 0, 1)
            completed[rows] += completion * ~present[rows] * left_out
    mean = completed.mean(axis=0)
    return solve(completed - mean), mean


def _nearness(
    units: RadialUnits, features: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield the activations, some pictures at a time."""
    for rows in _chunks(len(features), units.n_units, _CHUNK_VALUES):
        yield rows, units(features[rows])


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
