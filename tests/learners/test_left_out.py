import numpy as np
import pytest

from indexing.errors import InputError
from learners.base import Batch, TagMatrix
from learners.heads import Heads
from learners.least_squares import LeastSquares
from learners.left_out import estimates_without
from learners.radial import RadialUnits, bent_log_odds, fit_radial_units


def drawn(n_images: int = 30, n_tags: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of which some are copies, with a tag of one picture and one of none."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(n_images, 4)).astype(np.float32)
    present = features @ rng.normal(size=(4, n_tags)) > 1.0
    present[:, -2:] = False
    present[7, -2] = True
    groups = np.full(n_images, -1)
    groups[[2, 11, 25]], groups[[4, 5]] = 8, 0
    groups[9] = 3
    features[[11, 25]], features[5] = features[2], features[4]
    return features, present, groups


@pytest.mark.parametrize("completion", [0.0, 0.4])
def test_a_picture_left_out_is_taken_for_what_a_fit_without_its_copies_says(completion) -> None:
    features, present, groups = drawn()
    units = fit_radial_units(features, 30)
    found = estimates_without(LeastSquares(units, features, 0.1), present, groups, completion)
    for i in range(30):
        rest = (groups != groups[i]) if groups[i] >= 0 else np.arange(30) != i
        fewer = RadialUnits(features[rest], units.width)
        fit = LeastSquares(fewer, features[rest], 0.1)
        weights, mean, _ = fit.fit_tags(present[rest], completion)
        expected = mean + (fewer(features[i : i + 1]) @ weights)[0]
        np.testing.assert_allclose(found.estimates[i], expected, atol=2e-5)
        np.testing.assert_array_equal(found.counts[i], present[rest].sum(axis=0))
        assert found.n_others[i] == rest.sum()
    alone = estimates_without(LeastSquares(units, features, 0.1), present, None, completion)
    np.testing.assert_allclose(alone.estimates[0], found.estimates[0])
    assert np.abs(alone.estimates[2] - found.estimates[2]).max() > 0.01


def test_heads_score_what_they_were_fitted_on_as_if_they_had_not_seen_it() -> None:
    features, present, groups = drawn()
    tags = TagMatrix.from_lists(range(30), [np.flatnonzero(y) for y in present], 6)
    learner = Heads(prior_correction=0.5).fit(Batch(features=features, groups=groups), tags)
    scores = learner.out_of_fold_scores()
    assert scores is not None
    assert scores.dtype == np.float32
    for i in (2, 7, 9):
        rest = np.flatnonzero(groups != groups[i] if groups[i] >= 0 else np.arange(30) != i)
        fewer = RadialUnits(features[rest], learner.inputs_.width)
        weights, mean, _ = LeastSquares(fewer, features[rest], 0.05).fit_tags(present[rest], 0.3)
        counts = present[rest].sum(axis=0)
        expected = bent_log_odds(mean + (fewer(features[i : i + 1]) @ weights)[0])
        expected -= 0.5 * np.log((counts + 0.5) / (len(rest) + 1))
        expected[counts == 0] = -np.log(2 * len(rest) + 1)
        np.testing.assert_allclose(scores[i], expected, atol=1e-3)


def test_nothing_is_kept_where_that_has_no_closed_form(monkeypatch) -> None:
    features, present, _ = drawn()
    tags = TagMatrix.from_lists(range(30), [np.flatnonzero(y) for y in present], 6)
    batch = Batch(features=features)
    learner = Heads().fit(batch, tags)
    again = Heads.from_state(*learner.state())
    assert again.out_of_fold_scores() is None
    assert Heads(n_units=20).fit(batch, tags).out_of_fold_scores() is None
    assert learner.out_of_fold_scores() is not None
    monkeypatch.setattr("learners.left_out._MOST_WORK", 30 * 30 * 6 - 1)
    assert learner.out_of_fold_scores() is None
    units = fit_radial_units(features, 20)
    with pytest.raises(InputError, match=r"^20 centres for 30 pictures; an inverse is there where"):
        estimates_without(LeastSquares(units, features, 0.1), present, None)


@pytest.mark.parametrize("n_images", [1, 2])
def test_next_to_nobody_is_left(n_images) -> None:
    features, present = np.eye(n_images, 3, dtype=np.float32), np.ones((n_images, 2), bool)
    tags = TagMatrix.from_lists(range(n_images), [[0, 1]] * n_images, 2)
    scores = Heads().fit(Batch(features=features), tags).out_of_fold_scores()
    assert scores is not None
    assert np.isfinite(scores).all()
    found = estimates_without(
        LeastSquares(fit_radial_units(features, 9), features, 0.1), present, None, 0.3
    )
    np.testing.assert_array_equal(found.n_others, n_images - 1)
