"""A linear map of features to a space where pictures of like tags are near."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.batch import check_width
from learners.parameters import real_number, whole_number
from learners.tag_matrix import TagMatrix

__all__ = ["TAG_RIDGE", "LinearMap", "Moments", "Projection", "fit_cca"]

TAG_RIDGE = 1e-3
"""Ridge on the tags' side, as a share of their mean variance: enough for a tag that nobody has."""

# Correlations below this are rounding: their directions would be arbitrary.
_SMALLEST_CORRELATION = 1e-6
# Of the largest variance: less is what rounding leaves, in float32, of none.
_LEAST_VARIANCE = 1e-5

# Values of the features worked on at a time: 64 MB as float64.
_CHUNK_VALUES = 1 << 23


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Maps a feature ``x`` to ``(x - mean) @ matrix``.

    Parameters
    ----------
    mean : ndarray of float32, shape (n_in,)
    matrix : ndarray of float32, shape (n_in, n_out)
        One direction a column.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map features, float32 (n, n_in), to float32 (n, n_out).

        Raises
        ------
        InputError
            If they are of another width.
        """
        check_width(features, len(self.mean), "a projection")
        projected = np.empty((len(features), self.matrix.shape[1]), np.float32)
        for part in _chunks(*features.shape):
            np.matmul(features[part] - self.mean, self.matrix, out=projected[part])
        return projected


@dataclass(frozen=True, eq=False)
class Projection(LinearMap):
    """Maps a feature to directions of which each is correlated with the tags.

    Parameters
    ----------
    mean : ndarray of float32, shape (n_in,)
    matrix : ndarray of float32, shape (n_in, n_out)
        One direction a column.
    correlations : ndarray of float32, shape (n_out,)
        Of each direction with the tags, in (0, 1], descending.
    """

    correlations: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over pictures: all that a closed-form projection reads of them.

    Those of some pictures and of others add up, so that the sums of a training part are those
    of everything less those of the part that is held out.

    Parameters
    ----------
    n_images : int
    features : ndarray of float64, shape (n_in,)
        Sum of the features.
    tags : ndarray of float64, shape (n_tags,)
        Pictures with each tag.
    within, across, together : ndarray of float64
        Sums of the products of features (n_in, n_in), of features and tags (n_in, n_tags) and
        of tags (n_tags, n_tags).
    """

    n_images: int
    features: NDArray[np.float64]
    tags: NDArray[np.float64]
    within: NDArray[np.float64]
    across: NDArray[np.float64]
    together: NDArray[np.float64]
    _cross: dict[float, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, features: NDArray[np.float32], tags: TagMatrix) -> "Moments":
        """Sum over pictures, features float32 (n_images, n_in), in float64."""
        n_images, n_in = features.shape
        within, across = np.zeros((n_in, n_in)), np.zeros((n_in, tags.n_tags))
        together = np.zeros((tags.n_tags, tags.n_tags))
        for part in _chunks(n_images, n_in + tags.n_tags):
            values = features[part].astype(np.float64)
            present = tags.take(np.arange(part.start, part.stop)).toarray().astype(np.float64)
            within += values.T @ values
            across += values.T @ present
            together += present.T @ present
        total = features.sum(axis=0, dtype=np.float64)
        return cls(n_images, total, tags.counts.astype(np.float64), within, across, together)

    def __sub__(self, others: "Moments") -> "Moments":
        return Moments(
            self.n_images - others.n_images,
            self.features - others.features,
            self.tags - others.tags,
            self.within - others.within,
            self.across - others.across,
            self.together - others.together,
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean feature, float64 (n_in,)."""
        return np.asarray(self.features / max(self.n_images, 1))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the features, float64 (n_in, n_in)."""
        return self._centered(self.within, self.features, self.features)

    def _is_constant(self, covariance: NDArray[np.float64]) -> bool:
        """Return whether all pictures are alike: what is left of their variance is rounding."""
        square = np.trace(self.within) / max(self.n_images, 1)
        return bool(np.trace(covariance) <= 1e-12 * square)

    def _centered(
        self, sums: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        n = max(self.n_images, 1)
        return np.asarray(sums / n - np.outer(one / n, other / n))

    def cca(
        self, regularization: float, n_dims: int | None, tag_regularization: float
    ) -> Projection:
        """Return the projection of :func:`fit_cca`."""
        from scipy.linalg import cholesky, solve_triangular

        mean = self.mean.astype(np.float32)
        cross = self._cross_of_whitened_tags(tag_regularization)
        covariance = self.covariance
        if not cross.any() or self._is_constant(covariance):
            nothing = np.zeros((len(mean), 0), np.float32)
            return Projection(mean, nothing, nothing[0])
        factor = cholesky(_ridged(covariance, regularization), lower=True)
        whitened = solve_triangular(factor, cross, lower=True)  # (n_in, n_tags)
        directions, correlations = _leading_directions(whitened, n_dims)
        n_kept = int(np.count_nonzero(correlations > _SMALLEST_CORRELATION))
        matrix = solve_triangular(factor, directions[:, :n_kept], lower=True, trans="T")
        return Projection(
            mean,
            np.ascontiguousarray(matrix, dtype=np.float32),
            correlations[:n_kept].astype(np.float32),
        )

    def _cross_of_whitened_tags(self, tag_regularization: float) -> NDArray[np.float64]:
        """Return the covariance of the features and the tags, whitened, float64 (n_in, n_tags).

        It is kept for the next ridge on the features' side.
        """
        from scipy.linalg import cholesky, solve_triangular

        if tag_regularization not in self._cross:
            cross = self._centered(self.across, self.features, self.tags)
            covariance = self._centered(self.together, self.tags, self.tags)
            # What all pictures have or none has correlates with nothing, but for rounding.
            cross[:, np.diag(covariance) == 0] = 0
            if cross.any():
                factor = cholesky(_ridged(covariance, tag_regularization), lower=True)
                cross = solve_triangular(factor, cross.T, lower=True).T
            self._cross[tag_regularization] = cross
        return self._cross[tag_regularization]

    def whitened_principal(self, regularization: float, n_dims: int) -> LinearMap:
        """Return the directions of most variance, each divided by its ridged deviation.

        Parameters
        ----------
        regularization : float
            What is added to each variance, as a share of the mean variance; above 0.
        n_dims : int
            How many, at most: directions in which nothing varies are not among them.

        Notes
        -----
        Found by randomised subspace iteration, which is exact in the leading directions and
        close in the last.
        """
        covariance = self.covariance
        n_in = len(covariance)
        mean = self.mean.astype(np.float32)
        if n_dims < 1 or self._is_constant(covariance):
            return LinearMap(mean, np.zeros((n_in, 0), np.float32))
        from sklearn.utils.extmath import randomized_svd

        directions, variances, _ = randomized_svd(
            covariance.astype(np.float32), min(n_dims, n_in), n_iter=5, random_state=0
        )
        # Whitened, a direction that these pictures leave empty would be as long as any other,
        # and bring what other pictures have there into every distance.
        varies = variances > _LEAST_VARIANCE * variances[0]
        ridged = variances[varies] + regularization * np.trace(covariance) / n_in
        matrix = directions[:, varies] / np.sqrt(ridged)
        return LinearMap(mean, np.ascontiguousarray(matrix, dtype=np.float32))


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
    return Moments.of(features, tags).cca(ridge, n_dims, tag_ridge)


def _chunks(n_images: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK_VALUES // max(width, 1))
    for start in range(0, n_images, step):
        yield slice(start, min(start + step, n_images))


def _leading_directions(
    whitened: NDArray[np.float64], n_dims: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return left singular vectors, (n_in, n_dims), and singular values, largest first.

    Parameters
    ----------
    whitened : ndarray of float64, shape (n_in, n_tags)
    n_dims : int or None
        How many, at most; None = all.

    Notes
    -----
    Few of many are found as eigenvectors of the square, in a third of the time. Values below
    1e-8 of the largest are then rounding, which is far less than a correlation that counts.
    """
    n_in, n_tags = whitened.shape
    if not n_dims or 2 * n_dims > n_tags or n_in > 2 * n_tags:
        directions, values, _ = np.linalg.svd(whitened, full_matrices=False)
        return directions[:, :n_dims], values[:n_dims]
    from scipy.linalg import eigh

    wanted = (max(0, n_in - n_dims), n_in - 1)
    squares, vectors = eigh(whitened @ whitened.T, subset_by_index=wanted, overwrite_a=True)
    return vectors[:, ::-1], np.sqrt(np.maximum(squares[::-1], 0))


def _ridged(covariance: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Add to the diagonal, in place, a share of its mean."""
    diagonal = np.einsum("ii->i", covariance)
    diagonal += ridge * diagonal.mean()
    return covariance
