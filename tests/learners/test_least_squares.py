"""The closed form: against a library, the vanishing gradient and literal fits."""

from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

import learners.least_squares
from indexing.errors import InputError
from learners.batch import Batch
from learners.least_squares import LeastSquares
from learners.radial import RadialUnits, fit_radial_units, principal_map
from learners.table import make_learner
from learners.tag_matrix import TagMatrix


def drawn(n_images: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_images, 4)).astype(np.float32)
    return features, features @ rng.normal(size=(4, 3)) > 0.3


def fit_least_squares(units, features, present, regularization, completion=0.0):
    return LeastSquares(units, features, regularization).fit_tags(present, completion)[:2]


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


def left_out_literally(units, features, targets, regularization) -> np.ndarray:
    """Fit all centres to all pictures but one, as often as there are: subset of regressors."""
    nearness, own = units(features), units(units.centers)
    mean = targets.mean(axis=0)
    estimates = np.empty(targets.shape)
    for i in range(len(features)):
        rest = np.arange(len(features)) != i
        system = nearness[rest].T @ nearness[rest] + regularization * own
        weights = np.linalg.solve(system, nearness[rest].T @ (targets[rest] - mean))
        estimates[i] = mean + nearness[i] @ weights
    return estimates


def test_forgotten_tags_are_those_that_the_other_pictures_speak_for() -> None:
    features, present = drawn(40)
    for n_units in (40, 12):
        units = fit_radial_units(features, n_units)
        nearness, own = units(features), units(units.centers)
        left_out = np.clip(left_out_literally(units, features, present, 0.1), 0, 1)
        targets = np.where(present, 1, 0.4 * left_out)
        system = nearness.T @ nearness + 0.1 * own
        expected = np.linalg.solve(system, nearness.T @ (targets - targets.mean(axis=0)))
        completed, new_mean = fit_least_squares(units, features, present, 0.1, 0.4)
        np.testing.assert_allclose(new_mean, targets.mean(axis=0), atol=1e-7)
        np.testing.assert_allclose(nearness @ completed, nearness @ expected, atol=1e-6)


def test_estimates_follow_on_others_that_were_of_other_pictures_at_a_time(monkeypatch) -> None:
    """What was worked out for one serves the next, who still has to work out the rest."""
    features, present = drawn(40)
    units = fit_radial_units(features, 12)
    monkeypatch.setattr(learners.least_squares, "_CHUNK_VALUES", 12 * 16)
    system = LeastSquares(units, features, 0.1)
    fit = system.fit(present)
    # Seven times three targets are wider than the units are many: 9 pictures, 16 of the next.
    rows, _ = next(system.left_out(*[fit] * 7))
    assert rows == slice(0, 9)
    found = list(system.left_out(fit))
    assert [rows for rows, _ in found] == [slice(0, 16), slice(16, 32), slice(32, 40)]
    estimates = np.concatenate([part for _, (part,) in found])
    np.testing.assert_allclose(
        estimates, left_out_literally(units, features, present, 0.1), atol=1e-6
    )


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


@pytest.mark.parametrize("name", ["heads", "words"])
def test_learners_pass_on_where_their_fit_is(name: str) -> None:
    features, present = drawn()
    words = np.eye(3, dtype=np.float32)
    batch = Batch(features=features, words=words if name == "words" else None)
    tags = TagMatrix.from_lists(range(60), [np.flatnonzero(row) for row in present], 3)
    stages: list[str] = []
    make_learner(name).fit(batch, tags, lambda stage, done, total: stages.append(stage))
    assert {"units", "factorisation", "solution"} <= set(stages)


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


def test_settings_that_are_none_are_refused() -> None:
    features, targets = drawn()
    units = fit_radial_units(features, 60)
    with pytest.raises(InputError, match="regularization is 0; it is a number above 0"):
        fit_least_squares(units, features, targets, 0)
    with pytest.raises(InputError, match=r"completion is 1\.5; it is in \[0, 1\]"):
        fit_least_squares(units, features, targets, 0.1, 1.5)
