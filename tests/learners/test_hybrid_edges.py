"""Edges of the hybrid's parts: equal probabilities, equal scores, equal signals, no neighbours."""

import numpy as np
import pytest

from indexing.index import Neighbors
from learners.batch import Batch
from learners.hybrid import Hybrid
from learners.hybrid.decisions import PrecisionCurve
from learners.hybrid.evidence import Evidence, fit_evidence
from learners.hybrid.gate import Gate
from learners.hybrid.stacking import Stack
from learners.ranking import rank_tags
from learners.tag_matrix import TagMatrix

# --- PrecisionCurve.of ---


@pytest.mark.parametrize("decimals", [1, 2, 6])
def test_each_cut_counts_all_tags_at_or_above_it_equal_ones_together(decimals):
    rng = np.random.default_rng(decimals)
    probabilities = rng.random((400, 7)).round(decimals)
    present = rng.random((400, 7)) < probabilities
    curve = PrecisionCurve.of(probabilities, present)
    assert (np.diff(curve.thresholds) < 0).all()
    assert set(curve.thresholds) <= set(probabilities.ravel())
    for place, threshold in enumerate(curve.thresholds):
        emitted = probabilities >= threshold
        assert curve.n_emitted[place] == emitted.sum()
        assert curve.n_right[place] == (emitted & present).sum()
    assert curve.n_true == curve.n_right[-1] == present.sum()
    # Every value at which a right tag stands can be cut at while there are few of them.
    if decimals == 1:
        assert curve.thresholds.tolist() == sorted(set(probabilities[present]), reverse=True)


def test_equal_probabilities_are_one_cut_whatever_their_order():
    probabilities = np.full((6, 1), 0.5)
    for right_first in (True, False):
        present = np.sort(np.array([True, False, False, True, False, False]))[:, None]
        curve = PrecisionCurve.of(probabilities, present[::-1] if right_first else present)
        assert curve.thresholds.tolist() == [0.5]
        assert (curve.n_emitted.tolist(), curve.n_right.tolist()) == ([6], [2])


def test_where_nothing_is_right_there_is_no_cut():
    curve = PrecisionCurve.of(np.full((30, 2), 0.9), np.zeros((30, 2), bool))
    assert (curve.n_true, curve.thresholds.size) == (0, 0)
    assert curve.cut(0.1) is None


# --- fit_evidence ---

LEVELS = {0.0: (900, 90), 0.25: (300, 60), 0.5: (200, 100), 1.0: (100, 90)}
"""Score to how many pairs have it, and how many of them are true."""


def leveled(seed):
    """Return pairs of those levels in some order."""
    scores = np.repeat(list(LEVELS), [n for n, _ in LEVELS.values()])
    present = np.concatenate([np.arange(n) < true for n, true in LEVELS.values()])
    order = np.random.default_rng(seed).permutation(len(scores))
    return scores[order].astype(np.float32)[:, None], present[order][:, None]


@pytest.mark.parametrize("seed", range(3))
def test_equal_scores_are_one_knot_whatever_their_order(seed):
    fitted = fit_evidence(*leveled(seed))
    assert fitted.knots.tolist() == list(LEVELS)
    share = np.array([(true + 0.5) / (n + 1) for n, true in LEVELS.values()])
    rise = 0.05 * np.array(list(LEVELS))
    np.testing.assert_allclose(fitted.values, np.log(share / (1 - share)) + rise, atol=1e-6)


def test_scores_that_are_all_equal_say_nothing():
    rng = np.random.default_rng(0)
    fitted = fit_evidence(np.full((200, 3), 0.3, np.float32), rng.random((200, 3)) < 0.4)
    assert fitted(np.array([[-1.0, 0.3, 7.0]])).tolist() == [[0.0, 0.0, 0.0]]


def test_true_pairs_that_are_all_of_the_least_score_say_one_level():
    scores = np.repeat(np.array([0, 1], np.float32), [80, 20])[:, None]
    present = (np.arange(100) < 60)[:, None]
    fitted = fit_evidence(scores, present)
    level = np.log(60.5 / (101 - 60.5))
    np.testing.assert_allclose(fitted(np.array([-3.0, 0.0, 1.0, 9.0])), level, atol=1e-6)


# --- Equal scores of the mixture ---


def test_tags_that_are_not_told_apart_are_ordered_as_the_heaviest_member_orders_them():
    rng = np.random.default_rng(0)
    members, nobody = ("heads", "tagprop", "knn"), neighbors(np.empty((40, 0)), np.empty((40, 0)))
    told = Batch(
        scores={name: rng.random((40, 4)).astype(np.float32) for name in members}, neighbors=nobody
    )
    # 19 pictures of the last tag, 7 of each of the others.
    carried = [[0]] * 7 + [[1]] * 7 + [[2]] * 7 + [[3]] * 19
    hybrid = Hybrid(members=",".join(members))
    hybrid.fit(told, TagMatrix.from_lists(np.arange(40), carried, n_tags=4))
    hybrid.evidence_ = dict.fromkeys(members, Evidence(np.empty(0), np.array([-1.0])))
    hybrid.log_prior_ = np.full(4, np.log(0.25))
    hybrid.stack_ = Stack(
        weights=np.repeat([[0.3], [0.7], [0.0]], 4, axis=1),
        shared=np.array([0.3, 0.7, 0.0]),
        gates=np.zeros((3, 2)),
        offsets=np.zeros(4),
        prior=np.zeros(2),
    )
    said = {
        "tagprop": [[1, 3, 3, 2], [0, 0, 0, 0], [0, 0, 0, 0]],
        "heads": [[5, 0, 1, 9], [2, 5, 4, 3], [0, 0, 0, 0]],
        "knn": [[9, 8, 7, 6]] * 3,  # it has no weight
    }
    asked = Batch(
        scores={name: np.array(rows, np.float32) for name, rows in said.items()},
        neighbors=neighbors(np.empty((3, 0)), np.empty((3, 0))),
    )
    scores = hybrid.predict_scores(asked)
    assert np.ptp(scores) == 0
    ranked = rank_tags(scores, 4, hybrid.tie_breaks(asked))
    assert ranked.tolist() == [[2, 1, 3, 0], [1, 2, 3, 0], [3, 0, 1, 2]]


# --- Gate ---


def neighbors(rows, distances):
    return Neighbors(np.array(rows, np.int64), np.array(distances, np.float32))


@pytest.fixture
def tags():
    """Four pictures: two of one tag, one of the other, one of both."""
    return TagMatrix.from_lists(np.arange(4), [[0], [0], [1], [0, 1]], n_tags=2)


@pytest.fixture
def spread(tags):
    """A gate that has seen pictures of five distances, and of neighbours that agree or do not."""
    rows = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    distances = [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.4, 0.4], [0.5, 0.5]]
    return Gate.of(2, neighbors(rows, distances), tags)


def test_a_picture_without_neighbours_has_the_least_of_both(spread, tags):
    alone = neighbors([[-1, -1], [0, 1]], [[np.inf, np.inf], [0.1, 0.1]])
    signals = spread(alone, tags)
    assert signals[0, 0] == -1
    assert signals[0, 1] == spread(neighbors([[0, 2]], [[0.2, 0.2]]), tags)[0, 1]
    assert signals[1].tolist() == [1, 1]


def test_one_neighbour_is_as_close_as_it_is_however_many_are_read(spread, tags):
    some = spread(neighbors([[0, -1], [0, 1]], [[0.3, np.inf], [0.3, 0.3]]), tags)
    assert some[0].tolist() == some[1].tolist()
    assert some[0, 0] == pytest.approx(0, abs=1e-6)


def test_neighbours_without_a_tag_agree_on_nothing(tags):
    with_empty = TagMatrix.from_lists(np.arange(5), [[0], [0], [1], [0, 1], []], n_tags=2)
    rows = [[0, 1], [0, 2], [0, 3]]
    gate = Gate.of(2, neighbors(rows, [[0.1, 0.2]] * 3), with_empty)
    empty, split = gate(neighbors([[4, -1], [0, 2]], [[0.1, np.inf], [0.1, 0.2]]), with_empty)
    assert empty[1] == split[1] < 0


def test_signals_that_are_all_equal_stand_in_the_middle(tags):
    gate = Gate.of(2, neighbors([[0, 1]] * 6, [[0.2, 0.2]] * 6), tags)
    assert gate(neighbors([[1, 0]], [[0.2, 0.2]]), tags).tolist() == [[0, 0]]


def test_equal_signals_among_others_stand_in_the_middle_of_theirs(tags):
    # 33 pictures, a quantile each: 16 at distance 0.4, then 17 that come nearer one by one.
    near = [0.4] * 16 + [0.39 - 0.01 * step for step in range(17)]
    gate = Gate.of(2, neighbors([[0, 1]] * 33, [[one, one] for one in near]), tags)
    closeness = gate(neighbors([[0, 1]] * 3, [[0.4, 0.4], [0.39, 0.39], [0.23, 0.23]]), tags)[:, 0]
    steps = np.linspace(-1, 1, 33)
    np.testing.assert_allclose(closeness, [steps[:16].mean(), steps[16], 1], atol=1e-5)


def test_a_gate_that_has_seen_no_picture_knows_nothing(tags):
    gate = Gate.of(2, neighbors(np.empty((0, 2)), np.empty((0, 2))), tags)
    assert gate(neighbors([[0, 1]], [[0.1, 0.1]]), tags).tolist() == [[-1, -1]]
