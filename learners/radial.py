"""Radial units, each answering to how near a picture is to one of the training pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, whole_number

__all__ = [
    "RadialUnits",
    "bent_log_odds",
    "central_pictures",
    "fit_radial_units",
    "principal_map",
]

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
    A distance is a small difference of large numbers: in float32 the fifth digit of a score is
    wrong. To widen the centres whenever a picture is asked about takes three quarters of the
    time, so they stay wide, in twice the memory: 77 MB for 4,500 pictures of 2,136 values.

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
