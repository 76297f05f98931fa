"""Probabilities: isotonic and Platt against scikit-learn and scipy, and cases by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize

from indexing.errors import InputError
from learners.calibration import fit_isotonic, fit_platt, isotonic, log_odds, sigmoid


def drawn(n=400, n_tags=4, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, n_tags))
    slopes, offsets = np.array([0.5, 1.0, 2.0, 1.0]), np.array([-2.0, 0.0, -1.0, 1.0])
    truth = rng.random((n, n_tags)) < 1 / (1 + np.exp(-(slopes * scores + offsets)))
    return scores, truth


def test_pooling_equals_scikit_learn():
    from sklearn.isotonic import isotonic_regression

    rng = np.random.default_rng(1)
    for n in (1, 2, 7, 300):
        values, weights = rng.normal(size=n), rng.uniform(0.1, 3, size=n)
        expected = isotonic_regression(values, sample_weight=weights)
        np.testing.assert_allclose(isotonic(values, weights), expected, atol=1e-12)
    assert isotonic([]).size == 0


def test_an_isotonic_map_of_distinct_scores_equals_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    scores, truth = (array[:, 0] for array in drawn())
    fitted = fit_isotonic(scores, truth, n_knots=len(scores))
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, truth)
    asked = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(fitted(asked), expected.predict(asked), atol=1e-9)


def test_equal_scores_have_one_probability():
    fitted = fit_isotonic([0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 1], n_knots=6)
    np.testing.assert_allclose(fitted(np.array([-1, 0, 0.5, 1, 2])), [0.25, 0.25, 0.625, 1, 1])


def test_without_shrinkage_every_tag_has_the_sigmoid_of_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    scores, truth = drawn()
    fitted = fit_platt(scores, truth, shrinkage=0)
    for tag in range(scores.shape[1]):
        model = LogisticRegression(C=1e10, tol=1e-10).fit(scores[:, [tag]], truth[:, tag])
        assert fitted.slopes[tag] == pytest.approx(model.coef_[0, 0], abs=1e-4)
        assert fitted.offsets[tag] == pytest.approx(model.intercept_[0], abs=1e-4)


def test_shrinkage_is_the_penalty_that_is_written():
    scores, truth = drawn()
    fitted = fit_platt(scores, truth, shrinkage=7.0)
    slope, offset = fitted.shared

    def lost(params, tag):
        z = params[0] * scores[:, tag] + params[1]
        likelihood = np.logaddexp(0, z).sum() - z[truth[:, tag]].sum()
        return likelihood + 3.5 * ((params[0] / slope - 1) ** 2 + (params[1] - offset) ** 2)

    for tag in range(4):
        best = minimize(lost, [slope, offset], args=(tag,), options={"gtol": 1e-9}).x
        assert (fitted.slopes[tag], fitted.offsets[tag]) == pytest.approx(tuple(best), abs=1e-4)


def test_a_rare_tag_keeps_to_what_all_share():
    scores, truth = drawn()
    truth[:, 3] = False
    alone, drawn_in = fit_platt(scores, truth, 0.5), fit_platt(scores, truth, 1e9)
    assert drawn_in.slopes == pytest.approx(np.full(4, drawn_in.shared[0]), rel=1e-5)
    assert alone.offsets[3] < drawn_in.offsets[3]
    assert np.isfinite(alone.offsets).all()
    same = fit_platt(scores, truth, np.inf)
    assert same.slopes.tolist() == [same.shared[0]] * 4


def test_a_score_that_speaks_against_the_truth_keeps_its_order():
    scores, truth = drawn()
    fitted = fit_platt(-scores, truth, shrinkage=1.0)
    assert fitted.slopes.min() == pytest.approx(1e-3)
    assert (np.diff(fitted.log_odds(np.array([[-3.0], [3.0]])), axis=0) > 0).all()


def test_tags_are_taken_by_the_column_that_each_was():
    fitted = fit_platt(*drawn())
    taken = fitted.taking(np.array([2, -1, 0]))
    assert taken.slopes.tolist() == [fitted.slopes[2], fitted.shared[0], fitted.slopes[0]]
    assert taken.offsets.tolist() == [fitted.offsets[2], fitted.shared[1], fitted.offsets[0]]


def test_sigmoid_and_log_odds_are_each_others_inverse_and_never_overflow():
    z = np.array([-30.0, -1.0, 0.0, 2.0])
    np.testing.assert_allclose(log_odds(sigmoid(z)), z)
    assert sigmoid(np.array([-1e4, 1e4])).tolist() == [0, 1]


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(InputError, match=r"truth of shape \(2,\) for scores of shape \(3,\)"):
        fit_isotonic([1, 2, 3], [0, 1])
    with pytest.raises(InputError, match="one at least"):
        fit_platt(np.empty((0, 2)), np.empty((0, 2)))


@pytest.mark.parametrize(("level", "less"), [(-2.4, 0.3), (2.0, 2.0)])
def test_scores_that_speak_against_the_truth_leave_the_base_rate(level: float, less: float) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 3)) < 0.1
    scores = level + rng.normal(size=truth.shape) / 10 - less * truth
    found = fit_platt(scores, truth)
    np.testing.assert_allclose(
        sigmoid(found.log_odds(scores)).mean(axis=0), truth.mean(), atol=0.03
    )
