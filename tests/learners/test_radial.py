"""Radial units, and what they are turned to."""

import numpy as np
import pytest

from indexing.errors import InputError
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


def test_centers_are_training_pictures_drawn_from_the_seed() -> None:
    features, _ = drawn()
    units = fit_radial_units(features, 10, seed=3)
    places = [np.flatnonzero((features == center).all(axis=1)) for center in units.centers]
    assert sorted({int(place[0]) for place in places}) == [int(place[0]) for place in places]
    again, other = (fit_radial_units(features, 10, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(units.centers, again.centers)
    assert (units.centers != other.centers).any()
    assert fit_radial_units(features, 100).n_units == 60


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
    features, _ = drawn()
    units = fit_radial_units(features, 60)
    with pytest.raises(InputError, match=r"shape \(60, 3\) for units of 4 values"):
        units(features[:, :3])
    with pytest.raises(InputError, match="n_units is 0; it is at least 1"):
        fit_radial_units(features, 0)
