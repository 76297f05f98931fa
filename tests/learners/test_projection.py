import numpy as np
import pytest
from sklearn.cross_decomposition import CCA

import learners.projection
from indexing.errors import InputError
from learners.projection import TAG_RIDGE, Moments, Projection, fit_cca
from learners.tag_matrix import TagMatrix
from tests.reference.baselines import canonical_directions


def drawn(
    n_images: int = 120, n_in: int = 8, n_tags: int = 5, seed: int = 0
) -> tuple[np.ndarray, TagMatrix]:
    """Features that know something of the tags, of very different variances."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_images, n_tags)) < rng.uniform(0.1, 0.6, n_tags)
    features = present @ rng.normal(size=(n_tags, n_in)) + rng.normal(size=(n_images, n_in))
    features = (features * rng.uniform(0.1, 10, n_in) + 3).astype(np.float32)
    return features, TagMatrix.from_lists(
        range(n_images), [np.flatnonzero(y) for y in present], n_tags
    )


def cosines(vectors: np.ndarray) -> np.ndarray:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units @ units.T


@pytest.mark.parametrize(("n_in", "n_tags"), [(8, 5), (4, 7), (6, 6), (5, 1)])
@pytest.mark.parametrize("ridge", [1e-3, 0.2, 5.0])
def test_directions_solve_the_generalised_eigenproblem(
    n_in: int, n_tags: int, ridge: float
) -> None:
    features, tags = drawn(n_in=n_in, n_tags=n_tags)
    projection = fit_cca(features, tags, ridge)
    directions, correlations = canonical_directions(features, tags.toarray(), ridge)
    np.testing.assert_allclose(projection.correlations, correlations, rtol=1e-5)
    signs = np.sign(np.sum(projection.matrix * directions, axis=0))
    scale = np.abs(directions).max()
    np.testing.assert_allclose(projection.matrix * signs / scale, directions / scale, atol=1e-5)


@pytest.mark.parametrize("n_dims", [1, 3, 4, 20])
@pytest.mark.parametrize(("n_in", "n_tags"), [(8, 9), (5, 12), (12, 6), (14, 6)])
def test_few_directions_of_many_are_the_first(n_in: int, n_tags: int, n_dims: int) -> None:
    features, tags = drawn(n_images=400, n_in=n_in, n_tags=n_tags)
    projection = fit_cca(features, tags, 0.2, n_dims)
    directions, correlations = canonical_directions(features, tags.toarray(), 0.2)
    width = min(n_dims, n_in, n_tags)
    assert projection.matrix.shape == (n_in, width)
    np.testing.assert_allclose(projection.correlations, correlations[:width], rtol=1e-5)
    signs = np.sign(np.sum(projection.matrix * directions[:, :width], axis=0))
    scale = np.abs(directions).max()
    np.testing.assert_allclose(
        projection.matrix * signs / scale, directions[:, :width] / scale, atol=1e-5
    )


def test_few_directions_of_many_are_told_from_rounding() -> None:
    features, tags = drawn(n_images=400, n_in=12, n_tags=8)
    alike = np.repeat(tags.toarray()[:, :2], 6, axis=1)
    twos = TagMatrix.from_lists(range(400), [np.flatnonzero(y) for y in alike], 12)
    assert fit_cca(features, twos, 0.2, 6).matrix.shape == (12, 2)
    assert fit_cca(features, twos, 0.2).matrix.shape == (12, 2)


def test_one_ridge_after_another_is_as_each_alone() -> None:
    features, tags = drawn()
    moments = Moments.of(features, tags)
    for ridge, tag_ridge in ((0.1, TAG_RIDGE), (1.0, TAG_RIDGE), (0.1, 0.5)):
        again = moments.cca(ridge, None, tag_ridge)
        alone = Moments.of(features, tags).cca(ridge, None, tag_ridge)
        np.testing.assert_array_equal(again.matrix, alone.matrix)


def test_correlations_equal_those_of_an_independent_library() -> None:
    features, tags = drawn()
    projection = fit_cca(features, tags, 1e-9, 3, tag_regularization=1e-9)
    oracle = CCA(n_components=3, max_iter=5000, tol=1e-12)
    theirs = oracle.fit_transform(features.astype(np.float64), tags.toarray().astype(np.float64))
    expected = [abs(np.corrcoef(x, y)[0, 1]) for x, y in zip(*(z.T for z in theirs), strict=True)]
    np.testing.assert_allclose(projection.correlations, expected, atol=1e-5)
    ours = projection(features)
    for mine, its in zip(ours.T, theirs[0].T, strict=True):
        assert abs(np.corrcoef(mine, its)[0, 1]) == pytest.approx(1, abs=1e-5)


def test_directions_are_orthonormal_under_the_regularised_covariance() -> None:
    features, tags = drawn()
    projection = fit_cca(features, tags, 0.3)
    covariance = np.cov(features.T.astype(np.float64), bias=True)
    covariance += 0.3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    matrix = projection.matrix.astype(np.float64)
    np.testing.assert_allclose(matrix.T @ covariance @ matrix, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(projection(features).mean(axis=0), 0, atol=1e-4)


def test_the_best_directions_are_kept() -> None:
    features, tags = drawn()
    whole, cut = fit_cca(features, tags, 0.2), fit_cca(features, tags, 0.2, 2)
    assert np.all(np.diff(whole.correlations) < 0)
    np.testing.assert_array_equal(cut.correlations, whole.correlations[:2])
    np.testing.assert_array_equal(cut.matrix, whole.matrix[:, :2])
    assert fit_cca(features, tags, 0.2, 100).matrix.shape == whole.matrix.shape


def test_the_tags_ridge_turns_the_space_and_changes_no_angle() -> None:
    features, tags = drawn()
    a, b = (fit_cca(features, tags, 0.2, tag_regularization=ridge) for ridge in (1e-3, 10.0))
    assert np.abs(np.abs(a.matrix) - np.abs(b.matrix)).max() > 1e-3
    np.testing.assert_allclose(cosines(a(features)), cosines(b(features)), atol=1e-5)


def test_the_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tags = drawn()
    whole = fit_cca(features, tags, 0.2)
    projected = whole(features)
    monkeypatch.setattr(learners.projection, "_CHUNK_VALUES", 7 * 13)
    chunked = fit_cca(features, tags, 0.2)
    np.testing.assert_allclose(chunked.matrix, whole.matrix, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(chunked(features), projected, rtol=1e-4, atol=1e-5)


def test_what_says_nothing_is_no_direction() -> None:
    features, tags = drawn(n_in=8, n_tags=5)
    # A tag that nobody has, one that everybody has, one twice; a feature that never changes.
    present = tags.toarray()
    more = np.column_stack([present, np.zeros(120), np.ones(120), present[:, 0]]) > 0
    widened = TagMatrix.from_lists(range(120), [np.flatnonzero(y) for y in more], 8)
    constant = np.column_stack([features, np.full(120, 7, np.float32)])
    projection = fit_cca(constant, widened, 0.2)
    assert projection.matrix.shape == (9, 5)
    np.testing.assert_allclose(projection.matrix[8], 0, atol=1e-6)


def test_more_features_than_pictures() -> None:
    features, tags = drawn(n_images=6, n_in=30, n_tags=20)
    projection = fit_cca(features, tags, 0.1)
    assert projection.matrix.shape[1] <= 5
    assert np.isfinite(projection(features)).all()


@pytest.mark.parametrize(("n_images", "n_tags"), [(0, 3), (1, 3), (5, 0)])
def test_nothing_to_learn_from_gives_no_direction(n_images: int, n_tags: int) -> None:
    features = np.ones((n_images, 4), dtype=np.float32)
    tags = TagMatrix.from_lists(range(n_images), [list(range(n_tags))] * n_images, n_tags)
    projection = fit_cca(features, tags, 0.1)
    assert projection.matrix.shape == (4, 0)
    assert projection.correlations.shape == (0,)
    assert projection(np.ones((2, 4), np.float32)).shape == (2, 0)


def test_what_does_not_fit_is_refused() -> None:
    features, tags = drawn()
    with pytest.raises(InputError, match=r"\(119, 8\) with the tags of 120 pictures"):
        fit_cca(features[:119], tags, 0.1)
    with pytest.raises(InputError, match="regularization is -1; it is a number above 0"):
        fit_cca(features, tags, -1)
    with pytest.raises(InputError, match=r"\(120, 7\) for a projection of 8 values"):
        fit_cca(features, tags, 0.1)(features[:, :7])


def test_projecting_by_hand() -> None:
    projection = Projection(
        np.array([1, 2], np.float32), np.array([[1], [10]], np.float32), np.ones(1, np.float32)
    )
    np.testing.assert_array_equal(projection(np.array([[3, 5]], np.float32)), [[32]])


def test_moments_of_a_part_are_those_of_all_less_those_of_the_others() -> None:
    rng = np.random.default_rng(8)
    features = rng.normal(3, 1, size=(40, 5)).astype(np.float32)
    tags = TagMatrix.from_lists(
        range(40), [np.flatnonzero(r) for r in rng.random((40, 4)) < 0.4], 4
    )
    part, rest = np.arange(0, 25), np.arange(25, 40)
    left = Moments.of(features, tags) - Moments.of(features[rest], tags.take(rest))
    assert left.n_images == 25
    np.testing.assert_allclose(left.mean, features[part].mean(axis=0), rtol=1e-6)
    covariance = np.cov(features[part].astype(np.float64), rowvar=False, bias=True)
    np.testing.assert_allclose(left.covariance, covariance, rtol=1e-9, atol=1e-10)
    one, other = fit_cca(features[part], tags.take(part), 0.1), left.cca(0.1, None, TAG_RIDGE)
    np.testing.assert_allclose(other.correlations, one.correlations, rtol=1e-5)
    np.testing.assert_allclose(np.abs(other.matrix), np.abs(one.matrix), rtol=1e-3, atol=1e-5)


def test_whitened_principal_directions_are_eigenvectors_over_ridged_deviations() -> None:
    rng = np.random.default_rng(8)
    features = (rng.normal(size=(300, 6)) * [9, 5, 3, 1, 0.5, 0.1]).astype(np.float32)
    tags = TagMatrix.from_lists(range(300), [[]] * 300, 1)
    covariance = np.cov(features.astype(np.float64), rowvar=False, bias=True)
    variances, directions = np.linalg.eigh(covariance)
    ridge = 0.5 * np.trace(covariance) / 6
    expected = directions[:, ::-1][:, :3] / np.sqrt(variances[::-1][:3] + ridge)
    found = Moments.of(features, tags).whitened_principal(0.5, 3)
    np.testing.assert_allclose(np.abs(found.matrix), np.abs(expected), rtol=1e-3, atol=1e-5)
    constant = Moments.of(np.full((9, 6), 0.3, np.float32), tags.take(np.arange(9)))
    assert constant.whitened_principal(0.5, 3).matrix.shape == (6, 0)


def test_whitened_principal_directions_lie_where_the_pictures_are() -> None:
    # Five pictures span four dimensions of nine: a fifth direction would hold none of them, and
    # whitened be as long as theirs for a picture that is not among them.
    features, tags = drawn(n_images=5, n_in=9, n_tags=3)
    found = Moments.of(features, tags).whitened_principal(0.5, 8)
    assert found.matrix.shape == (9, 4)
    centred = features - features.mean(axis=0)
    _, _, span = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    outside = found.matrix - span[:4].T @ (span[:4] @ found.matrix)
    np.testing.assert_allclose(outside, 0, atol=1e-4)
