"""A linear map of features to a space where pictures of like tags are near."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, whole_number
from learners.tag_matrix import TagMatrix

__all__ = ["TAG_RIDGE", "Projection", "fit_cca"]

TAG_RIDGE = 1e-3
"""Ridge on the tags' side, as a share of their mean variance: enough for a tag that nobody has."""

# Correlations below this are rounding: their directions would be arbitrary.
_SMALLEST_CORRELATION = 1e-6

# Values of the features worked on at a time: 64 MB as float64.
_CHUNK_VALUES = 1 << 23


@dataclass(frozen=True, eq=False)
class Projection:
    """Maps a feature ``x`` to ``(x - mean) @ matrix``.

    Parameters
    ----------
    mean : ndarray of float32, shape (n_in,)
    matrix : ndarray of float32, shape (n_in, n_out)
        One direction a column.
    correlations : ndarray of float32, shape (n_out,)
        Of each direction with the tags, in (0, 1], descending.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    correlations: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project features, float32 (n, n_in), to float32 (n, n_out).

        Raises
        ------
        InputError
            If they are of another width.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise InputError(
                f"features of shape {features.shape} for a projection of {len(self.mean)} values; "
                f"(n, {len(self.mean)}) is accepted; give what it was fitted on"
            )
        projected = np.empty((len(features), self.matrix.shape[1]), np.float32)
        for part in _chunks(*features.shape):
            np.matmul(features[part] - self.mean, self.matrix, out=projected[part])
        return projected


def fit_cca(
    features: NDArray[np.float32],
    tags: TagMatrix,
    regularization: float,
    n_dims: int | None = None,
    *,
    tag_regularization: float = TAG_RIDGE,
) -> Projection:
    r"""Find the directions of the features that correlate most with the tags.

    Regularised canonical correlation analysis in closed form. With :math:`C_{xx}, C_{yy}` the
    covariances of features and tag indicators, :math:`C_{xy}` that between them, and
    :math:`L_x L_x^\top = C_{xx} + r \, \overline{\mathrm{var}}_x I` (Cholesky; likewise
    :math:`L_y`),

    .. math:: L_x^{-1} C_{xy} L_y^{-\top} = U S V^\top, \qquad M = L_x^{-\top} U .

    Parameters
    ----------
    features : ndarray of float32, shape (n_images, n_in)
    tags : TagMatrix
        Of the same pictures.
    regularization : float
        Ridge :math:`r` on the features' side, as a share of their mean variance; above 0.
    n_dims : int, optional
        Directions to keep, the best ones; None = all that correlate at all, of which there
        are no more than features, than tags, or than pictures less one.
    tag_regularization : float, default=TAG_RIDGE
        Ridge on the tags' side, likewise. While all directions are kept it changes only how
        they are turned and scaled by their correlation, not the space.

    Returns
    -------
    Projection
        Its columns are orthonormal under the regularised covariance of the features:
        :math:`M^\top (C_{xx} + r \, \overline{\mathrm{var}}_x I) M = I`.

    Raises
    ------
    InputError
        If features and tags do not match or a number is not accepted.

    Notes
    -----
    Everything is computed in float64. The cost is that of the covariance, linear in the
    pictures, plus the cube of the width for the Cholesky factor. A sign or, among equal
    correlations, a rotation is arbitrary, and changes no distance.

    References
    ----------
    H. Hotelling, "Relations between two sets of variates", Biometrika 28, 1936.

    Examples
    --------
    Only the first of two values has to do with the tag.

    >>> rng = np.random.default_rng(0)
    >>> tags = TagMatrix.from_lists(range(40), [[0]] * 20 + [[]] * 20, n_tags=1)
    >>> features = rng.normal(size=(40, 2)).astype(np.float32)
    >>> features[:20, 0] += 100
    >>> projection = fit_cca(features, tags, regularization=1e-6)
    >>> projection.matrix.shape, float(projection.correlations[0]) > 0.99
    ((2, 1), True)
    """
    ridge = real_number("regularization", regularization, above=0)
    tag_ridge = real_number("tag_regularization", tag_regularization, above=0)
    if n_dims is not None:
        n_dims = whole_number("n_dims", n_dims)
    if features.ndim != 2 or len(features) != tags.n_images:
        raise InputError(
            f"features of shape {features.shape} with the tags of {tags.n_images} pictures; one "
            "row a picture is accepted; cut them to the same pictures"
        )
    mean, covariance, cross, tag_covariance = _moments(features, tags)
    from scipy.linalg import cholesky, solve_triangular

    if not cross.any():
        nothing = np.zeros((features.shape[1], 0), np.float32)
        return Projection(mean.astype(np.float32), nothing, nothing[0])
    factor = cholesky(_ridged(covariance, ridge), lower=True)
    tag_factor = cholesky(_ridged(tag_covariance, tag_ridge), lower=True)
    half = solve_triangular(factor, cross, lower=True)
    whitened = solve_triangular(tag_factor, half.T, lower=True).T  # (n_in, n_tags)
    directions, correlations, _ = np.linalg.svd(whitened, full_matrices=False)
    n_kept = int(np.count_nonzero(correlations > _SMALLEST_CORRELATION))
    n_kept = n_kept if n_dims is None else min(n_dims, n_kept)
    matrix = solve_triangular(factor, directions[:, :n_kept], lower=True, trans="T")
    return Projection(
        mean.astype(np.float32),
        np.ascontiguousarray(matrix, dtype=np.float32),
        correlations[:n_kept].astype(np.float32),
    )


def _moments(features: NDArray[np.float32], tags: TagMatrix) -> tuple[NDArray[np.float64], ...]:
    """Return the features' mean and covariance, that with the tags, and that of the tags."""
    n_images, n_in = features.shape
    mean = features.mean(axis=0, dtype=np.float64) if n_images else np.zeros(n_in)
    covariance, cross = np.zeros((n_in, n_in)), np.zeros((n_in, tags.n_tags))
    together = np.zeros((tags.n_tags, tags.n_tags))
    for part in _chunks(n_images, n_in + tags.n_tags):
        centered = features[part] - mean  # float64 (n, n_in)
        present = tags.take(np.arange(part.start, part.stop)).toarray() - tags.prior
        covariance += centered.T @ centered
        cross += centered.T @ present
        together += present.T @ present
    n = max(n_images, 1)
    return mean, covariance / n, cross / n, together / n


def _chunks(n_images: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK_VALUES // max(width, 1))
    for start in range(0, n_images, step):
        yield slice(start, min(start + step, n_images))


def _ridged(covariance: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Add to the diagonal, in place, a share of its mean."""
    diagonal = np.einsum("ii->i", covariance)
    diagonal += ridge * diagonal.mean()
    return covariance
