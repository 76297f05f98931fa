"""The number of tags in closed form: against literal fits without each picture."""

import tracemalloc

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

import learners.least_squares
from learners.batch import Batch
from learners.heads import Heads
from learners.least_squares import LeastSquares
from learners.metrics import quantities_to_emit
from learners.radial import RadialUnits, fit_radial_units
from learners.ridge_quantity import RidgeQuantity, fit_ridge_quantity
from learners.tag_matrix import TagMatrix


def drawn(n_images=50, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_images, 4)).astype(np.float32)
    return features, features @ rng.normal(size=(4, 6)) > rng.normal(size=6)


def kernel(one, other, units):
    apart = np.square(one[:, None].astype(float) - other[None].astype(float)).sum(axis=2)
    return np.exp(-apart / units.width**2)


def test_what_the_others_say_of_a_picture_is_a_fit_without_it():
    features, present = drawn()
    units = fit_radial_units(features, 50)
    targets = np.column_stack([present.sum(axis=1), present]).astype(float)
    mean = targets.mean(axis=0)
    for centers in (units, fit_radial_units(features, 20)):
        system = LeastSquares(centers, features, 0.3)
        left_out = system.left_out(system.fit(targets))
        found = np.concatenate([part for _, (part,) in left_out])
        nearness = kernel(features, centers.centers, centers)
        own = kernel(centers.centers, centers.centers, centers)
        for i in range(50):
            rest = np.arange(50) != i
            left = nearness[rest].T @ nearness[rest] + 0.3 * own
            literal = np.linalg.solve(left, nearness[rest].T @ (targets[rest] - mean))
            np.testing.assert_allclose(found[i], mean + nearness[i] @ literal, atol=1e-6)


def test_the_quantity_is_a_line_through_what_the_others_say():
    features, present = drawn()
    counts = present.sum(axis=1)
    units = fit_radial_units(features, 50)
    system = LeastSquares(units, features, 0.3)
    fitted = system.fit_tags(present, 0.2)
    learned = fit_ridge_quantity(system, counts, fitted)

    def left_out(targets, mean):
        found = np.empty(targets.shape)
        for i in range(50):
            rest = np.arange(50) != i
            one = KernelRidge(alpha=0.3, kernel="rbf", gamma=units.width**-2)
            one.fit(features[rest].astype(float), targets[rest] - mean)
            found[i] = mean + one.predict(features[i : i + 1].astype(float))[0]
        return found

    by_others = left_out(counts.astype(float), counts.mean())
    of_tags = -np.sort(-left_out(fitted.targets, fitted.mean), axis=1)
    inputs = np.column_stack([by_others, of_tags])
    spread = np.square(inputs - inputs.mean(axis=0)).sum() / inputs.shape[1]
    line = Ridge(alpha=1e-3 * spread).fit(inputs, counts)
    np.testing.assert_allclose(learned.slopes, line.coef_, atol=1e-6)
    offset = learned.intercept - line.intercept_
    tried = np.linspace(0, 0.25, 6)
    right = [
        np.count_nonzero(quantities_to_emit(line.predict(inputs) + one, 99) == counts)
        for one in tried
    ]
    best = [one for one, n in zip(tried, right, strict=True) if n == max(right)]
    assert offset == pytest.approx(min(best), abs=1e-6)


@pytest.mark.parametrize("n_units", [6, 2_000])
def test_it_reads_many_targets_and_copies_none(n_units, monkeypatch):
    monkeypatch.setattr(learners.least_squares, "_CHUNK_VALUES", 20_000)
    features, present = drawn(2_000)
    units = fit_radial_units(features, n_units)
    system = LeastSquares(units, features, 0.3)
    fitted = system.fit_tags(np.tile(present, (1, 300)), 0.2)
    tracemalloc.start()
    try:
        fit_ridge_quantity(system, present.sum(axis=1), fitted)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < fitted.targets.nbytes / 4


@pytest.mark.parametrize("n_units", [9, 50])
def test_counts_and_tags_are_left_out_as_in_one_matrix(n_units, monkeypatch):
    features, present = drawn()
    counts = present.sum(axis=1)
    system = LeastSquares(fit_radial_units(features, n_units), features, 0.3)
    fitted = system.fit_tags(present, 0.2)
    together = system.fit(np.column_stack([counts, fitted.targets]).astype(float))
    ((_, (as_one,)),) = system.left_out(together)
    monkeypatch.setattr(learners.least_squares, "_CHUNK_VALUES", 70)
    counted, of_tags = (
        np.concatenate(parts)
        for parts in zip(
            *(
                parts
                for _, parts in system.left_out(system.fit(counts[:, None].astype(float)), fitted)
            ),
            strict=True,
        )
    )
    np.testing.assert_allclose(np.hstack([counted, of_tags]), as_one, atol=1e-9)


def test_the_offset_rounds_more_quantities_to_the_right_number():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(200, 3)).astype(np.float32)
    # Mostly four of the four; where it is fewer, nothing of the picture tells it.
    present = np.ones((200, 4), np.bool_)
    present[rng.random(200) < 0.15] = [True, False, False, False]
    learned = Heads().fit(Batch(features=features), tags_of(present))
    quantities = learned.predict_quantities(Batch(features=features))
    assert np.mean(quantities_to_emit(quantities, 4) == 4) > 0.9
    assert quantities.mean() > present.sum(axis=1).mean() + 0.04


def tags_of(present):
    return TagMatrix.from_lists(
        np.arange(len(present)), [np.flatnonzero(row) for row in present], present.shape[1]
    )


def test_heads_answer_with_it_and_take_it_back_from_their_state():
    features, present = drawn(80)
    asked, _ = drawn(9, seed=1)
    learned = Heads(n_units=40).fit(Batch(features=features), tags_of(present))
    assert isinstance(learned.quantity_, RidgeQuantity)
    quantities = learned.predict_quantities(Batch(features=asked))
    nearness = kernel(asked, learned.inputs_.centers, learned.inputs_)
    layer = learned.networks_[0]
    estimates = layer.biases[0] + nearness @ layer.weights[0]
    first = learned.quantity_.mean + nearness @ learned.quantity_.weights
    largest = -np.sort(-estimates, axis=1)
    expected = learned.quantity_.intercept + (
        np.column_stack([first, largest]) @ learned.quantity_.slopes
    )
    counts = present.sum(axis=1)
    expected = np.clip(expected, counts.min(), counts.max())
    np.testing.assert_allclose(quantities, expected, atol=1e-5)
    again = Heads.from_state(*learned.state())
    np.testing.assert_array_equal(again.predict_quantities(Batch(features=asked)), quantities)
    # A tag fewer, and the others are as large as before.
    fewer = learned.rebased(tags_of(present[:, :5]), np.arange(5))
    assert fewer.predict_quantities(Batch(features=asked)).shape == (9,)


def test_copies_and_few_pictures_are_no_trouble():
    features, present = drawn(40)
    for chosen in (np.array([0]), np.array([0, 1]), np.repeat(np.arange(4), 10)):
        learned = Heads().fit(Batch(features=features[chosen]), tags_of(present[chosen]))
        quantities = learned.predict_quantities(Batch(features=features))
        assert np.isfinite(quantities).all()
        counts = present[chosen].sum(axis=1)
        assert quantities.min() >= counts.min()
        assert quantities.max() <= counts.max()


def test_units_are_asked_once_for_scores_and_quantities(monkeypatch):
    features, present = drawn(40)
    learned = Heads().fit(Batch(features=features), tags_of(present))
    n_asked = []
    asked_before = RadialUnits.__call__

    def counting(self, features):
        n_asked.append(len(features))
        return asked_before(self, features)

    monkeypatch.setattr(RadialUnits, "__call__", counting)
    one, other = Batch(features=features[:3]), Batch(features=features[:7])
    learned.predict_scores(one)
    first = learned.predict_quantities(one)
    assert n_asked == [3]
    # Of another batch, or of none before, they are asked again, and say the same.
    assert learned.predict_quantities(other).shape == (7,)
    np.testing.assert_allclose(learned.predict_quantities(other)[:3], first)
    again = Heads.from_state(*learned.state())
    np.testing.assert_allclose(again.predict_quantities(one), first)
    assert learned.learns_quantity
    assert not Heads(quantity="none").learns_quantity
