"""The likelihood, its gradients and its maximum, against literal loops and finite differences."""

from itertools import pairwise

import numpy as np
import pytest

from learners.tag_matrix import TagMatrix
from learners.tagprop.fitting import _Problem, fit_weights
from learners.tagprop.likelihood import Likelihood
from learners.tagprop.weighting import ByDistance, ByRank, Fixed, Weighting
from tests.reference import tagprop as reference

N_IMAGES, N_TAGS, K = 31, 7, 6


def tagged(seed: int = 0, n_images: int = N_IMAGES) -> TagMatrix:
    """Tags of which one is nobody's and one everybody's; one picture has none but that."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_images, N_TAGS)) < rng.uniform(0.1, 0.5, N_TAGS)
    present[:, -1], present[:, -2] = False, True
    return TagMatrix.from_lists(range(n_images), [np.flatnonzero(one) for one in present], N_TAGS)


def found(seed: int = 1, n_distances: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Positions with pads at the end, one query without any; distances of each."""
    rng = np.random.default_rng(seed)
    positions = np.array([rng.choice(N_IMAGES, K, replace=False) for _ in range(N_IMAGES)])
    n_found = rng.integers(1, K + 1, N_IMAGES)
    n_found[:3] = 0, 1, K
    positions[np.arange(K) >= n_found[:, None]] = -1
    distances = np.sort(rng.uniform(0, 1, (N_IMAGES, K, n_distances)), axis=1)
    return positions.astype(np.int32), distances.astype(np.float32)


def likelihood() -> Likelihood:
    return Likelihood(positions=found()[0], tags=tagged(), truth=tagged())


def weightings() -> dict[str, Weighting]:
    positions, distances = found(n_distances=3)
    is_voter = positions >= 0
    return {
        "rank": ByRank(is_voter),
        "distance": ByDistance(is_voter, distances[..., :1]),
        "distances": ByDistance(is_voter, distances),
    }


def drawn_sigmoids(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 9, N_TAGS), rng.normal(-1, 1, N_TAGS)


every_weighting = pytest.mark.parametrize("name", ["rank", "distance", "distances"])


@every_weighting
def test_weights_equal_the_literal_loop(name: str) -> None:
    weighting, rng = weightings()[name], np.random.default_rng(5)
    params = rng.uniform(0, 3, weighting.start.size)
    weights = weighting(params)
    for query, is_voter in enumerate(weighting.is_voter):
        n_found = int(is_voter.sum())
        if isinstance(weighting, ByDistance):
            distances = weighting.distances[query, :n_found].astype(float)
            expected = reference.weights_by_distance(params, distances)
        else:
            expected = reference.weights_by_rank(params, n_found)
        np.testing.assert_allclose(weights[query, :n_found], expected, rtol=1e-12)
        assert not weights[query, n_found:].any()


def test_weights_are_uniform_without_sharpness_and_equal_at_equal_distances() -> None:
    is_voter = np.ones((2, 4), bool)
    is_voter[1, 3] = False
    distances = np.array([[0.1, 0.2, 0.2, 0.7], [0.3, 0.3, 0.3, 0.0]], np.float32)[..., None]
    weighting = ByDistance(is_voter, distances)
    np.testing.assert_allclose(weighting(np.zeros(1)), [[0.25] * 4, [1 / 3] * 3 + [0]])
    weights = weighting(np.array([8.0]))
    assert weights[0, 1] == weights[0, 2] < weights[0, 0]
    np.testing.assert_allclose(weights[1], [1 / 3] * 3 + [0])


@pytest.mark.parametrize("has_sigmoids", [True, False])
def test_the_loss_equals_the_literal_loop(has_sigmoids: bool) -> None:
    weighting = weightings()["distance"]
    weights = weighting(np.array([3.0]))
    sigmoids = drawn_sigmoids() if has_sigmoids else None
    positions = found()[0]
    lists = [
        [float(w) for w, j in zip(line, voters, strict=True) if j >= 0]
        for line, voters in zip(weights, positions, strict=True)
    ]
    expected = reference.negative_log_likelihood(positions, lists, tagged(), tagged(), sigmoids)
    looked = likelihood().look(weights, sigmoids)
    assert looked.loss == pytest.approx(expected, rel=1e-10)


def test_the_truth_may_be_of_other_pictures_than_the_voters() -> None:
    positions, distances = found()
    others = tagged(seed=9)
    weights = ByDistance(positions >= 0, distances)(np.array([2.0]))
    lists = [[float(w) for w in line if w > 0] for line in weights]
    sigmoids = drawn_sigmoids()
    looked = Likelihood(positions=positions, tags=tagged(), truth=others).look(weights, sigmoids)
    expected = reference.negative_log_likelihood(positions, lists, tagged(), others, sigmoids)
    assert looked.loss == pytest.approx(expected, rel=1e-10)


@every_weighting
@pytest.mark.parametrize("has_sigmoids", [True, False])
def test_the_gradient_equals_finite_differences(name: str, has_sigmoids: bool) -> None:
    weighting = weightings()[name]
    n_params = weighting.start.size
    problem = _Problem(likelihood(), weighting, n_params, has_sigmoids, 0.7)
    rng = np.random.default_rng(11)
    problem.scales[:] = rng.uniform(0.5, 2, problem.scales.size)
    at = rng.uniform(0.2, 1.2, problem.scales.size)
    gradient = problem(at)[1]
    for place in range(at.size):
        step = np.zeros_like(at)
        step[place] = 1e-6
        slope = (problem(at + step)[0] - problem(at - step)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=2e-5, abs=2e-8)


def test_the_curvatures_equal_finite_differences() -> None:
    weights = weightings()["distance"](np.array([2.0]))
    slopes, offsets = drawn_sigmoids()
    at = likelihood().look(weights, (slopes, offsets))
    for tag in range(N_TAGS):
        step = np.zeros(N_TAGS)
        step[tag] = 1e-5
        ups = [likelihood().look(weights, (slopes + s * step, offsets)) for s in (1, -1)]
        curvature = (ups[0].slopes[tag] - ups[1].slopes[tag]) / 2e-5
        assert at.slope_curvature[tag] == pytest.approx(curvature, rel=1e-5, abs=1e-9)
        ups = [likelihood().look(weights, (slopes, offsets + s * step)) for s in (1, -1)]
        curvature = (ups[0].offsets[tag] - ups[1].offsets[tag]) / 2e-5
        assert at.offset_curvature[tag] == pytest.approx(curvature, rel=1e-5, abs=1e-9)


@every_weighting
@pytest.mark.parametrize(("has_sigmoids", "shrinkage"), [(True, 0.0), (True, 5.0), (False, 0.0)])
def test_no_accepted_step_lowers_the_likelihood(
    name: str, has_sigmoids: bool, shrinkage: float
) -> None:
    fitted = fit_weights(
        likelihood(), weightings()[name], sigmoids=has_sigmoids, shrinkage=shrinkage
    )
    assert len(fitted.losses) > 1
    assert all(later <= earlier for earlier, later in pairwise(fitted.losses))
    assert fitted.losses[-1] < fitted.losses[0]


def test_the_sharpness_that_is_found_is_the_best_there_is() -> None:
    weighting = weightings()["distance"]
    fitted = fit_weights(likelihood(), weighting, sigmoids=False, shrinkage=0)
    tried = np.linspace(0, 20, 401)
    losses = [likelihood().look(weighting(np.array([one])), None).loss for one in tried]
    assert fitted.losses[-1] <= min(losses) + 1e-5


def test_shrinkage_draws_all_tags_to_one_sigmoid() -> None:
    weighting = Fixed(found()[0] >= 0, weightings()["distance"](np.array([2.0])))
    spread = [
        float(np.ptp(np.log(sigmoids.slopes)) + np.ptp(sigmoids.offsets))
        for shrinkage in (0.1, 3.0, 1e6)
        if (
            sigmoids := fit_weights(
                likelihood(), weighting, sigmoids=True, shrinkage=shrinkage
            ).sigmoids
        )
    ]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] < 1e-3


def test_slopes_stay_above_zero_where_the_votes_mislead() -> None:
    rng = np.random.default_rng(0)
    carries = np.arange(40) % 2 == 0
    tags = TagMatrix.from_lists(range(40), [[0] if one else [] for one in carries], 1)
    # Everybody's voters are of the other kind.
    others = [np.flatnonzero(carries != one) for one in carries]
    positions = np.array([rng.choice(one, 5, replace=False) for one in others], np.int32)
    fitted = fit_weights(
        Likelihood(positions=positions, tags=tags, truth=tags),
        ByRank(positions >= 0),
        sigmoids=True,
        shrinkage=0,
    )
    assert fitted.sigmoids is not None
    assert (fitted.sigmoids.slopes > 0).all()


def test_without_derivatives_by_weights_the_rest_is_the_same() -> None:
    weights, sigmoids = weightings()["distance"](np.array([2.0])), drawn_sigmoids()
    whole = likelihood().look(weights, sigmoids)
    part = likelihood().look(weights, sigmoids, by_weights=False)
    assert part.loss == whole.loss
    np.testing.assert_array_equal(part.slopes, whole.slopes)
    np.testing.assert_array_equal(part.offset_curvature, whole.offset_curvature)
    assert whole.weights.any()
    assert not part.weights.any()


def test_without_shrinkage_no_tag_runs_away() -> None:
    weighting = Fixed(found()[0] >= 0, weightings()["distance"](np.array([2.0])))
    fitted = fit_weights(likelihood(), weighting, sigmoids=True, shrinkage=0)
    assert fitted.sigmoids is not None
    # Nobody has the last tag, everybody the one before.
    assert np.abs(fitted.sigmoids.offsets).max() <= 30
    assert fitted.sigmoids.slopes.max() <= np.exp(14)
    assert fitted.sigmoids.offsets[-1] < -3


def test_nothing_to_learn_from_leaves_the_shared_sigmoid() -> None:
    nothing = tagged(n_images=0)
    positions = np.empty((0, K), np.int32)
    fitted = fit_weights(
        Likelihood(positions=positions, tags=nothing, truth=nothing),
        ByDistance(positions >= 0, np.empty((0, K, 1), np.float32)),
        sigmoids=True,
        shrinkage=1,
    )
    assert fitted.sigmoids is not None
    assert (fitted.sigmoids.slopes == fitted.sigmoids.shared_slope).all()
    assert fitted.sigmoids.shared_slope > 0
