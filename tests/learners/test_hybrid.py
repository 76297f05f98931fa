"""The hybrid: its parts by hand and by independent references, its promises on planted data."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch
from learners.hybrid import Hybrid
from learners.hybrid.crossfit import fold_of
from learners.hybrid.decisions import (
    CORRECTIONS,
    Goal,
    PrecisionCurve,
    choose_corrections,
    help_for_rare,
    image_precision,
    label_f1,
)
from learners.hybrid.evidence import fit_evidence
from learners.hybrid.gate import Gate
from learners.hybrid.members import member_settings
from learners.hybrid.mixing import worth
from learners.hybrid.stacking import Stack, StackProblem, fit_stack, log_prior_of, tag_importance
from learners.tag_matrix import TagMatrix


def matrix(present):
    return TagMatrix.from_lists(
        np.arange(len(present)), [np.flatnonzero(row) for row in present], present.shape[1]
    )


def planted(n=300, n_tags=8, seed=0):
    """Two members that know something each, one that knows nothing; neighbours at random."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_tags)) * 2 - 1.5 - np.arange(n_tags) / 4
    present = rng.random((n, n_tags)) < 1 / (1 + np.exp(-z))
    scores = {
        "heads": (z + rng.normal(size=z.shape)).astype(np.float32),
        "tagprop": (1 / (1 + np.exp(-z - rng.normal(size=z.shape)))).astype(np.float32),
        "knn": rng.random(z.shape).astype(np.float32),
    }
    rows = np.argsort(rng.random((n, n)), axis=1)[:, :12]
    distances = np.sort(rng.random((n, 12)), axis=1).astype(np.float32)
    return scores, Neighbors(rows, distances), present


@pytest.fixture(scope="module")
def fitted():
    scores, neighbors, present = planted()
    batch = Batch(scores=scores, neighbors=neighbors)
    return Hybrid(members="heads,tagprop,knn").fit(batch, matrix(present)), batch, present


def problem(seed=0, n=30, n_members=3, n_tags=5, n_signals=2, shrinkage=2.0):
    rng = np.random.default_rng(seed)
    return StackProblem(
        rng.normal(size=(n_members, n, n_tags)).astype(np.float32),
        rng.uniform(-1, 1, size=(n, n_signals)).astype(np.float32),
        rng.random((n, n_tags)) < 0.3,
        np.log(rng.uniform(0.1, 0.5, n_tags)),
        rng.uniform(0.5, 2, n_tags),
        shrinkage,
        rng.uniform(0, 1, n_members),
    )


def test_the_gradient_of_the_stack_equals_finite_differences():
    of = problem()
    at = of.first() + np.random.default_rng(1).normal(size=of.first().size) * 0.3
    wide = 1e-2  # evaluated in float32
    found = of(at)[1]
    for direction in np.random.default_rng(2).normal(size=(12, at.size)):
        direction /= np.linalg.norm(direction)
        slope = (of(at + wide * direction)[0] - of(at - wide * direction)[0]) / (2 * wide)
        assert found @ direction == pytest.approx(slope, rel=2e-3, abs=2e-2)
    assert check_grad(lambda x: of(x)[0], lambda x: of(x)[1], at, epsilon=1e-3) < 0.5


def test_the_loss_of_the_stack_is_the_likelihood_that_is_written():
    evidence = np.array([[[1.0, -2.0]], [[0.5, 3.0]]], np.float32)
    signals = np.array([[0.5]], np.float32)
    prior, importance = np.log([0.2, 0.4]), np.array([1.0, 2.0])
    expected = np.array([0.2, 0.6])
    present = np.array([[True, False]])
    of = StackProblem(evidence, signals, present, prior, importance, 3.0, expected)
    stack = Stack(
        weights=np.array([[0.4, 0.6], [1.0, 0.2]]),
        shared=np.array([0.5, 0.5]),
        gates=np.array([[0.7], [0.1]]),
        offsets=np.array([0.1, -0.2]),
        prior=np.array([-0.3, 0.9]),
    )
    gains = np.exp([0.3 * 0.5, -0.3 * 0.5])  # less their mean, 0.4
    z = [
        0.4 * gains[0] * 1.0 + 1.0 * gains[1] * 0.5 - 0.3 + 0.9 * prior[0] + 0.1,
        0.6 * gains[0] * -2.0 + 0.2 * gains[1] * 3.0 - 0.3 + 0.9 * prior[1] - 0.2,
    ]
    loss = np.log1p(np.exp(-z[0])) + 2 * np.log1p(np.exp(z[1]))
    loss += 1.5 * (0.1**2 + 0.1**2 + 0.5**2 + 0.3**2 + 0.1**2 + 0.2**2)
    loss += 150.0 * (0.3**2 + 0.3**2) + 75.0 * (0.3**2 + 0.1**2 + 0.3**2 + 0.9**2)
    assert of(of.packed(stack))[0] == pytest.approx(loss, rel=1e-5)


def test_a_member_that_speaks_against_the_truth_weighs_exactly_nothing():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(200, 4)).astype(np.float32)
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    none = np.zeros((200, 0), np.float32)
    against = (rng.normal(size=z.shape) - 3 * present).astype(np.float32)
    stack = fit_stack(
        StackProblem(
            np.stack([z, against]),
            none,
            present,
            np.log(np.full(4, 0.5)),
            np.ones(4),
            5.0,
            np.array([0.5, 0.5]),
        )
    )
    assert (stack.weights[1] == 0).all()
    assert (stack.weights[0] > 0.5).all()
    assert stack.shared[1] < 0.5 < stack.shared[0]


def test_rare_tags_count_more_and_all_together_as_before():
    counts = np.array([3, 10, 100])
    found = tag_importance(counts)
    assert (np.diff(found) < 0).all()
    assert found @ (counts + 1) == pytest.approx((counts + 1).sum())
    assert found[0] / found[2] == pytest.approx(np.sqrt(101 / 4))


def test_a_tag_of_one_picture_says_nothing_of_who_knows_it():
    assert tag_importance(np.array([1, 5, 0]))[[0, 2]].tolist() == [0, 0]
    assert tag_importance(np.array([1, 1])).tolist() == [1, 1]


def test_evidence_tells_the_log_odds_and_keeps_every_order():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(4000, 5)) * 1.5
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    scores = (1 / (1 + np.exp(-z))).astype(np.float32)  # another scale
    said = fit_evidence(scores, present)
    asked = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(said(asked), np.log(asked / (1 - asked)), atol=0.25)
    assert (np.diff(said(np.linspace(-0.5, 1.5, 200))) > 0).all()
    nothing = fit_evidence(np.ones((5, 2), np.float32), np.ones((5, 2), bool))
    assert nothing(np.array([3.0])).tolist() == [0.0]


def test_the_gate_reads_how_close_and_how_unanimous_neighbours_are():
    present = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], bool)
    tags = matrix(present)
    rows = np.array([[0, 1], [0, 2], [1, 2], [0, 3]])
    far = np.array([[0.1, 0.1], [0.2, 0.2], [0.5, 0.5], [0.9, 0.9]], np.float32)
    gate = Gate.of(2, Neighbors(rows, far), tags)
    found = gate(Neighbors(rows, far), tags)
    assert (np.diff(found[:, 0]) < 0).all()
    assert found[0, 0] == 1
    assert found[-1, 0] == -1
    # Of one mind: pictures 0 and 3; divided: 1 and 2.
    assert found[0, 1] == found[3, 1] > found[1, 1] == found[2, 1]
    nobody = Neighbors(np.full((1, 2), -1), np.full((1, 2), np.inf, np.float32))
    assert gate(nobody, tags)[0].tolist() == [-1, found[1, 1]]


def test_what_does_not_help_weighs_exactly_nothing_and_costs_nothing(fitted):
    hybrid, batch, _ = fitted
    assert hybrid.weights["knn"] == 0
    assert min(hybrid.weights["heads"], hybrid.weights["tagprop"]) > 0.2
    other = {**batch.scores, "knn": -batch.scores["knn"]}
    changed = Batch(scores=other, neighbors=batch.neighbors)
    np.testing.assert_array_equal(hybrid.predict_scores(changed), hybrid.predict_scores(batch))


def test_it_is_better_than_its_best_member_on_pictures_it_has_not_seen(fitted):
    hybrid, _, _ = fitted
    scores, neighbors, present = planted(n=2000, seed=1)
    mixed = hybrid.predict_scores(Batch(scores=scores, neighbors=neighbors))
    assert worth(mixed, present) > max(worth(one, present) for one in scores.values()) + 0.01


def test_probabilities_mean_what_they_say_and_quantities_are_their_sum(fitted):
    hybrid, _, _ = fitted
    scores, neighbors, present = planted(n=4000, seed=2)
    batch = Batch(scores=scores, neighbors=neighbors)
    chances = hybrid.predict_probabilities(batch)
    assert chances.dtype == np.float32
    for low in np.arange(0, 1, 0.2):
        chosen = (chances >= low) & (chances < low + 0.2)
        assert present[chosen].mean() == pytest.approx(chances[chosen].mean(), abs=0.05)
    quantities = hybrid.predict_quantities(batch)
    np.testing.assert_allclose(quantities, chances.sum(axis=1), rtol=1e-6)
    cut = hybrid.cut_for_precision(0.8)
    given = chances >= cut.threshold
    assert present[given].mean() == pytest.approx(0.8, abs=0.05)
    assert (given & present).sum() / present.sum() == pytest.approx(cut.recall, abs=0.05)


def test_what_is_told_of_a_picture_does_not_depend_on_its_own_tags(monkeypatch):
    """Neither what it is measured by nor a copy of it has seen it."""
    rng = np.random.default_rng(5)
    present = rng.random((90, 6)) < 0.3
    groups = np.repeat(np.arange(45), 2)  # every picture twice
    scores = {"heads": rng.normal(size=present.shape).astype(np.float32)}
    neighbors = Neighbors(np.full((90, 1), -1), np.full((90, 1), np.inf, np.float32))
    told, curve = [], PrecisionCurve.of
    monkeypatch.setattr(
        "learners.hybrid.training.PrecisionCurve.of",
        lambda chances, present: told.append(chances) or curve(chances, present),
    )
    monkeypatch.setattr("learners.hybrid.training.Blend.unseen", lambda self, *of: scores["heads"])
    first = np.flatnonzero(groups == 7)
    changed = present.copy()
    changed[first] = ~changed[first]
    for tags in (present, changed):
        batch = Batch(scores=scores, neighbors=neighbors, groups=groups)
        Hybrid(members="heads").fit(batch, matrix(tags))
    np.testing.assert_array_equal(told[0][first], told[1][first])
    assert (told[0] != told[1]).any()


def test_copies_lie_in_one_fold_and_unknown_bytes_are_no_copies():
    groups = np.array([4, -1, 4, 0, -1, 4, 0, 2, -1, -1])
    for seed in range(5):
        folds = fold_of(groups, 3, seed)
        assert len(set(folds[groups == 4])) == len(set(folds[groups == 0])) == 1
        # Seven contents: as many a fold as can be.
        one_each = folds[[0, 1, 3, 4, 7, 8, 9]]
        assert sorted(np.bincount(one_each).tolist()) == [2, 2, 3]


def test_the_prior_is_drawn_towards_a_half_and_gates_are_bounded():
    tags = matrix(np.array([[1, 0], [1, 0], [0, 0]], bool))
    np.testing.assert_allclose(log_prior_of(tags), np.log([2.5 / 4, 0.5 / 4]))
    of = problem(n_members=2, n_tags=1, n_signals=1)
    inf = np.inf
    expected = [[0, inf], [0, inf], [-1.5, 1.5], [-1.5, 1.5], [-inf, inf], [-inf, inf]]
    expected += [[0, inf], [0, inf], [-inf, inf]]
    np.testing.assert_array_equal(of.bounds(), expected)


def test_a_precision_that_was_never_reached_has_no_cut(fitted):
    hybrid, _, _ = fitted
    assert hybrid.cut_for_precision(1.0) is None
    with pytest.raises(InputError, match="it is above 0 and at most 1, such as"):
        hybrid.cut_for_precision(1.5)


def test_a_cut_is_the_last_place_where_enough_were_right():
    chances = np.linspace(1, 0, 100)[:, None]
    present = np.zeros((100, 1), bool)
    present[:40] = present[60:62] = True
    found = PrecisionCurve.of(chances, present).cut(0.8)
    # 40 of 40, then 40 of 50: no cut lies between right tags.
    assert (found.n_emitted, found.precision) == (40, 1.0)
    assert found.recall == pytest.approx(40 / 42)
    assert found.threshold == pytest.approx(chances[39, 0])


def test_sources_sum_to_the_scores_and_the_goal_moves_the_prior_alone(fitted):
    hybrid, batch, _ = fitted
    sources = hybrid.sources(batch)
    assert set(sources) == {"heads", "tagprop", "knn", "prior"}
    np.testing.assert_allclose(sum(sources.values()), hybrid.predict_scores(batch), atol=1e-4)
    other = hybrid.with_params(goal="miap")
    np.testing.assert_array_equal(other.sources(batch)["heads"], sources["heads"])
    np.testing.assert_array_equal(
        other.predict_probabilities(batch), hybrid.predict_probabilities(batch)
    )


def test_a_correction_for_f1_gives_up_a_hundredth_of_miap_at_most():
    rng = np.random.default_rng(0)
    prior = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02, 0.02, 0.02])
    present = rng.random((600, 8)) < prior
    z = (present * 1.5 + rng.normal(size=present.shape) + np.log(prior)).astype(np.float32)
    chosen = choose_corrections(z, np.log(prior), present)
    tried = [share * prior.mean() for share in CORRECTIONS]
    helped = [z + help_for_rare(np.log(prior), one).astype(np.float32) for one in tried]
    miap = [image_precision(one, present) for one in helped]
    f1 = [label_f1(one, present) for one in helped]
    assert chosen[Goal.MIAP] == tried[miap.index(max(miap))]
    allowed = [place for place in range(len(tried)) if miap[place] >= 0.99 * max(miap)]
    best = max(f1[place] for place in allowed)
    assert chosen[Goal.F1] == max(tried[place] for place in allowed if f1[place] > best - 0.005)
    # More would be named with more of it, and still more given up.
    assert chosen[Goal.MIAP] < chosen[Goal.F1] < tried[-1]
    assert max(f1) > best
    # A floor above that is kept up; one that nothing reaches leaves what is best for MiAP.
    kept = choose_corrections(z, np.log(prior), present, floor=0.995 * max(miap))[Goal.F1]
    assert chosen[Goal.MIAP] < kept < chosen[Goal.F1]
    assert miap[tried.index(kept)] >= 0.995 * max(miap)
    none = choose_corrections(z, np.log(prior), present, floor=1.0)
    assert none[Goal.F1] == none[Goal.MIAP] == chosen[Goal.MIAP]


def test_rare_tags_are_helped_by_what_naming_them_is_worth():
    # Of 100 pictures 50 carry one tag and 2 the other. To name a tag that is there with
    # probability p brings p right tags, and p / 50 or p / 2 of a tag's recall; weighed one to
    # one hundredth of the pictures.
    worth_of = [0.3 * (1 + 1 / 50), 0.3 * (1 + 1 / 2)]
    found = help_for_rare(np.log([0.5, 0.02]), 0.01)
    np.testing.assert_allclose(0.3 * np.exp(found), worth_of)
    np.testing.assert_array_equal(help_for_rare(np.log([0.5, 0.02]), 0.0), 0)


def test_a_picture_precision_by_hand():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    present = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    assert image_precision(scores, present) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)


def test_the_size_of_the_blocks_changes_no_loss(monkeypatch):
    of = problem()
    at = of.first() + np.random.default_rng(1).normal(size=of.first().size)
    loss, gradient = of(at)
    monkeypatch.setattr("learners.hybrid.stacking._BLOCK_VALUES", 7 * 5)
    again, as_well = of(at)
    assert again == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(as_well, gradient, atol=1e-4)


def test_pictures_that_a_member_has_not_scored_are_left_out():
    scores, neighbors, present = planted()
    partly = {**scores, "heads": scores["heads"].copy()}
    partly["heads"][40:] = np.nan
    one = Hybrid(members="heads,tagprop").fit(
        Batch(scores=partly, neighbors=neighbors), matrix(present)
    )
    assert np.isfinite(one.predict_scores(Batch(scores=scores, neighbors=neighbors))).all()
    assert one.curve_.n_true == present[:40].sum()


def test_a_new_tag_weighs_what_all_share_and_the_others_keep_their_own(fitted):
    hybrid, batch, present = fitted
    columns = np.array([3, -1, 0])
    again = hybrid.rebased(matrix(present[:, :3]), columns)
    taken = {name: one[:, [3, 7, 0]] for name, one in batch.scores.items()}
    now = Batch(scores=taken, neighbors=batch.neighbors)
    before = hybrid.predict_probabilities(batch)
    after = again.predict_probabilities(now)
    np.testing.assert_allclose(after[:, [0, 2]], before[:, [3, 0]], atol=1e-6)


def test_members_are_made_with_settings_of_their_own():
    found = member_settings("knn,tagprop", {"tagprop": {"weights": "rank"}})
    assert found == {"knn": {}, "tagprop": {"weights": "rank", "sigmoids": False}}
    for members, message in (
        ("", "members are ''"),
        ("knn,knn", "each once"),
        ("knn,hybrid", "correct hybrid"),
        ("knn,nobody", "correct nobody"),
    ):
        with pytest.raises(InputError, match=message):
            Hybrid(members=members)
    with pytest.raises(InputError, match="settings of heads, which the hybrid does not mix"):
        Hybrid(members="knn", settings={"heads": {}})
    with pytest.raises(InputError, match="goal is 'best'; it is one of f1, miap"):
        Hybrid(goal="best")
