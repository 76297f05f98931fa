from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

import learners.least_squares
from indexing.errors import InputError
from learners.least_squares import LeastSquares
from learners.radial import RadialUnits, bent_log_odds, fit_radial_units, principal_map
from tests.reference import heads


def drawn(n_images: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_images, 4)).astype(np.float32)
    return features, features @ rng.normal(size=(4, 3)) > 0.3


def test_activations_equal_the_literal_loop() -> None:
    features, _ = drawn()
    units = fit_radial_units(features[:7], 7, scale=1.5)
    spread = np.mean([np.sum((x - features[:7].mean(axis=0)) ** 2) for x in features[:7]])
    assert units.width == pytest.approx(1.5 * np.sqrt(spread), rel=1e-6)
    exact = features.astype(np.float64).tolist()
    expected = [[heads.nearness(x, c, units.width) for c in exact[:7]] for x in exact]
    np.testing.assert_allclose(units(features), expected, rtol=1e-12)


def test_centers_lie_on_disk_as_they_came_and_say_the_same() -> None:
    features, _ = drawn()
    units = fit_radial_units(features[:7], 7)
    arrays = units.to_arrays()
    assert arrays["centers"].dtype == np.float32
    np.testing.assert_array_equal(arrays["centers"], features[:7])
    np.testing.assert_array_equal(RadialUnits.from_arrays(arrays)(features), units(features))
    narrow = RadialUnits(features[:7], units.width)
    np.testing.assert_array_equal(narrow(features), units(features))


def test_features_far_from_zero_lose_nothing() -> None:
    features, _ = drawn()
    near, far = (
        fit_radial_units(features[:9] + shift, 9) for shift in (np.float32(0), np.float32(64))
    )
    np.testing.assert_allclose(far(features + np.float32(64)), near(features), rtol=1e-4)


def test_nothing_is_nearer_than_a_picture_to_itself() -> None:
    features = np.random.default_rng(0).normal(1000, 1, size=(50, 300)).astype(np.float32)
    nearness = RadialUnits(features, width=1.0)(features)
    assert nearness.max() <= 1
    np.testing.assert_allclose(np.diag(nearness), 1, atol=1e-6)


def fit_least_squares(units, features, present, regularization, completion=0.0):
    return LeastSquares(units, features, regularization).fit_tags(present, completion)[:2]


def test_centers_are_training_pictures_drawn_from_the_seed() -> None:
    features, _ = drawn()
    units = fit_radial_units(features, 10, seed=3)
    places = [np.flatnonzero((features == center).all(axis=1)) for center in units.centers]
    assert sorted({int(place[0]) for place in places}) == [int(place[0]) for place in places]
    again, other = (fit_radial_units(features, 10, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(units.centers, again.centers)
    assert (units.centers != other.centers).any()
    assert fit_radial_units(features, 100).n_units == 60


def test_the_closed_form_equals_an_independent_library() -> None:
    features, targets = drawn()
    units = fit_radial_units(features, 100)
    weights, mean = fit_least_squares(units, features, targets, 0.1)
    gamma = 1 / units.width**2
    oracle = KernelRidge(alpha=0.1, kernel="rbf", gamma=gamma)
    asked, _ = drawn(9, seed=1)
    expected = oracle.fit(features.astype(np.float64), targets - targets.mean(axis=0))
    np.testing.assert_allclose(
        units(asked) @ weights, expected.predict(asked.astype(np.float64)), atol=1e-9
    )
    np.testing.assert_allclose(mean, targets.mean(axis=0))
    np.testing.assert_allclose(
        units(asked), RBF(units.width / np.sqrt(2))(asked, units.centers), atol=1e-6
    )


def test_few_units_solve_the_regularised_least_squares(monkeypatch) -> None:
    features, targets = drawn()
    units = fit_radial_units(features, 10)
    weights, mean = fit_least_squares(units, features, targets, 0.1)
    nearness, own = units(features), units(units.centers)
    # The gradient of |K A - Y|^2 + r A' K_c A vanishes.
    gradient = nearness.T @ (nearness @ weights - (targets - mean)) + 0.1 * own @ weights
    np.testing.assert_allclose(gradient, 0, atol=1e-8)
    monkeypatch.setattr(learners.least_squares, "_CHUNK_VALUES", 70)
    chunked, _ = fit_least_squares(units, features, targets, 0.1)
    np.testing.assert_allclose(chunked, weights, atol=1e-8)


def test_forgotten_tags_are_those_that_the_other_pictures_speak_for() -> None:
    features, present = drawn(40)
    for n_units in (40, 12):
        units = fit_radial_units(features, n_units)
        nearness, own = units(features), units(units.centers)
        mean, targets = present.mean(axis=0), present.astype(np.float64)
        for i in range(40):
            rest = np.arange(40) != i
            # Of all centres, without the picture: subset of regressors, literally.
            system = nearness[rest].T @ nearness[rest] + 0.1 * own
            weights = np.linalg.solve(system, nearness[rest].T @ (present[rest] - mean))
            left_out = np.clip(mean + nearness[i] @ weights, 0, 1)
            targets[i] = np.where(present[i], 1, 0.4 * left_out)
        system = nearness.T @ nearness + 0.1 * own
        expected = np.linalg.solve(system, nearness.T @ (targets - targets.mean(axis=0)))
        completed, new_mean = fit_least_squares(units, features, present, 0.1, 0.4)
        np.testing.assert_allclose(new_mean, targets.mean(axis=0), atol=1e-7)
        np.testing.assert_allclose(nearness @ completed, nearness @ expected, atol=1e-6)


def test_both_forms_agree_where_every_picture_is_a_center() -> None:
    features, targets = drawn()
    units = fit_radial_units(features, 60)
    shuffled = RadialUnits(units.centers[::-1], units.width)
    direct, _ = fit_least_squares(units, features, targets, 0.1)
    nearness = units(features)
    system = nearness.T @ nearness + 0.1 * nearness
    by_regressors = np.linalg.solve(system, nearness.T @ (targets - targets.mean(axis=0)))
    np.testing.assert_allclose(nearness @ direct, nearness @ by_regressors, atol=1e-6)
    other_order, _ = fit_least_squares(shuffled, features, targets, 0.1)
    np.testing.assert_allclose(shuffled(features) @ other_order, nearness @ direct, atol=1e-6)


def test_a_fit_says_where_it_is(monkeypatch) -> None:
    features, targets = drawn()
    monkeypatch.setattr(learners.least_squares, "_CHUNK_VALUES", 10 * 20)
    for n_units, in_parts in ((10, True), (60, False)):
        stages: list[tuple[str, int, int]] = []

        def note(*told: Any, stages: list[Any] = stages) -> None:
            stages.append(told)

        system = LeastSquares(fit_radial_units(features, n_units), features, 0.1, note)
        list(system.left_out(system.fit_tags(targets, 0.4)))
        assert {"units", "factorisation", "solution", "estimates"} == {name for name, *_ in stages}
        assert (("units", 2, 3) in stages) == in_parts
        assert all(done <= total for _, done, total in stages)


def test_copies_and_pictures_that_are_all_alike_are_no_trouble() -> None:
    features, targets = drawn()
    for copied in (np.repeat(features[:5], 12, axis=0), np.ones_like(features)):
        for n_units in (20, 60):
            units = fit_radial_units(copied, n_units)
            weights, _ = fit_least_squares(units, copied, targets, 0.1, 0.5)
            assert np.isfinite(weights).all()
            assert np.isfinite(principal_map(units, 60)).all()
    alike = fit_radial_units(np.ones_like(features), 60)
    assert principal_map(alike, 60).shape == (60, 1)


def test_principal_directions_keep_scalar_products_strongest_first() -> None:
    features, _ = drawn(20)
    units = fit_radial_units(features, 20)
    turned = units(features) @ principal_map(units, 20)
    np.testing.assert_allclose(turned @ turned.T, units(features), atol=1e-8)
    strengths = np.sum(turned**2, axis=0)
    assert np.all(np.diff(strengths) < 0)
    few = units(features) @ principal_map(units, 5)
    np.testing.assert_allclose(np.abs(few), np.abs(turned[:, :5]), atol=1e-8)


def test_estimates_become_log_odds() -> None:
    estimates = np.concatenate([np.linspace(-1.5, 2.5, 401), [-40.0, 40.0]])
    log_odds = bent_log_odds(estimates)
    expected = [heads.log_odds(share) for share in estimates[:-2]]
    np.testing.assert_allclose(log_odds[:-2], expected, atol=1e-9)
    assert np.all(np.diff(log_odds[:-2]) > 0)
    assert np.isfinite(log_odds).all()
    np.testing.assert_allclose(log_odds, -bent_log_odds(1 - estimates), atol=1e-9)
    inside = np.linspace(0.15, 0.85, 20)
    np.testing.assert_allclose(bent_log_odds(inside), np.log(inside / (1 - inside)), atol=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    features, targets = drawn()
    units = fit_radial_units(features, 60)
    with pytest.raises(InputError, match=r"shape \(60, 3\) for units of 4 values"):
        units(features[:, :3])
    with pytest.raises(InputError, match="regularization is 0; it is a number above 0"):
        fit_least_squares(units, features, targets, 0)
    with pytest.raises(InputError, match=r"completion is 1\.5; it is in \[0, 1\]"):
        fit_least_squares(units, features, targets, 0.1, 1.5)
    with pytest.raises(InputError, match="n_units is 0; it is at least 1"):
        fit_radial_units(features, 0)
