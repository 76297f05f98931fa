"""Measures against hand-worked cases, the literal definitions and what must not matter."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.errors import InputError
from learners.metrics import MEASURES, Judged, Measure, parse_measure, quantities_to_emit
from learners.metrics.decisions import COUNT_MEASURES
from learners.metrics.rankings import score_precisions
from tests.reference import measures as reference

DECISIONS = [name for name, family in MEASURES.items() if "@lqp" in family.form]


def example(name: str) -> Measure:
    """Return a measure of the family."""
    if name in DECISIONS or name in ("ndcg", "accuracy"):
        return Measure(name, at=2)
    return Measure(name, at=4) if name.startswith("ece") else Measure(name)


def value(text: str, scores, truth, **more) -> float:
    return parse_measure(text).compute(scores, truth, **more).value


# --- worked by hand ---------------------------------------------------------------------------


def test_average_precision_runs_over_the_full_ranking() -> None:
    # Survey equation 6 prints the sum up to N = 2; the second relevant picture is at rank 3.
    scores, truth = [[0.9], [0.8], [0.7], [0.6]], [[1], [0], [1], [0]]
    assert value("map", scores, truth) == pytest.approx((1 / 1 + 2 / 3) / 2, abs=1e-15)
    by_tag = np.transpose(scores), np.transpose(truth)
    assert value("miap", *by_tag) == pytest.approx((1 / 1 + 2 / 3) / 2, abs=1e-15)


def test_ties_go_by_id_descending() -> None:
    scores, truth = np.zeros((3, 1)), [[1], [0], [0]]
    assert value("map", scores, truth) == 1 / 3  # without ids the last position comes first
    assert value("map", scores, truth, ids=["c", "b", "a"]) == 1
    assert value("map", scores, truth, ids=["b", "c", "a"]) == 1 / 2
    assert value("map", scores, truth, ids=[2, 10, 3]) == 1 / 3
    assert value("miap", np.zeros((1, 3)), [[1, 0, 0]], tags=["b", "c", "a"]) == 1 / 2
    assert value("accuracy@1", np.zeros((1, 2)), [[1, 0]], tags=["z", "a"]) == 1


def test_negative_zero_ties_with_zero() -> None:
    assert value("map", [[0.0], [-0.0]], [[0], [1]]) == 1
    assert value("map", [[-0.0], [0.0]], [[0], [1]]) == 1


@pytest.mark.parametrize("share", [0.02, 0.4])
def test_precisions_of_scores_are_those_of_the_ranking(share: float) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 40, (30, 90)).astype(np.float32)  # with ties
    relevant = rng.random(scores.shape) < share
    first = -np.arange(90)
    literal = [
        reference.average_precision(*row, first) for row in zip(scores, relevant, strict=True)
    ]
    expected = [math.nan if one is None else one for one in literal]
    np.testing.assert_allclose(score_precisions(scores, relevant), expected)


def test_ndcg_by_hand() -> None:
    # Survey equation 7: grades 3 2 3 0 1 2 in ranked order, the ideal is 3 3 2 2 1 0.
    grades = [[3, 2, 3, 0, 1, 2]]
    scores = [[6, 5, 4, 3, 2, 1]]
    log = math.log2
    dcg = 7 / log(2) + 3 / log(3) + 7 / log(4) + 0 + 1 / log(6) + 3 / log(7)
    ideal = 7 / log(2) + 7 / log(3) + 3 / log(4) + 3 / log(5) + 1 / log(6)
    assert value("ndcg@6", scores, grades) == pytest.approx(dcg / ideal, abs=1e-15)
    cut = (7 / log(2) + 3 / log(3)) / (7 / log(2) + 7 / log(3))
    assert value("ndcg@2", scores, grades) == pytest.approx(cut, abs=1e-15)
    assert value("ndcg@99", scores, grades) == pytest.approx(dcg / ideal, abs=1e-15)


def test_the_ideal_ranking_holds_truth_that_was_not_found() -> None:
    assert value("ndcg@1", [[0.1, 0.9]], [[1, 0]]) == 0
    expected = 1 / (1 + 1 / math.log2(3))
    assert value("ndcg@2", [[0.9, 0.5, 0.1]], [[1, 0, 1]]) == pytest.approx(expected, abs=1e-15)


# Three pictures, four labels, two emitted each; label 3 is true of nothing.
HAND_SCORES = np.array([[4, 3, 2, 1], [4, 1, 2, 3], [1, 4, 2, 3]])
HAND_TRUTH = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("text", "expected", "n", "n_left_out"),
    [
        # Label 0: emitted 2, right 1, true 2. Label 1: emitted 2, right 2, true 3.
        # Label 2: never emitted, true 1. Label 3: emitted 2, true of nothing.
        ("c-p@2", (1 / 2 + 2 / 2 + 0) / 3, 3, 1),
        ("c-r@2", (1 / 2 + 2 / 3 + 0) / 3, 3, 1),
        ("c-f1@2", 2 * (1 / 2) * (7 / 18) / (1 / 2 + 7 / 18), 3, 1),
        ("i-p@2", 3 / 6, 3, 0),
        ("i-r@2", 3 / 6, 3, 0),
        ("i-f1@2", 1 / 2, 3, 0),
        ("h-f1@2", 2 * (7 / 16) * (1 / 2) / (7 / 16 + 1 / 2), 3, 1),
        ("n+@2", 2, 3, 1),
        ("accuracy@2", 2 / 3, 3, 0),
        ("p@2", (1 + 0 + 1 / 2) / 3, 3, 0),
        ("r@2", (1 + 0 + 1 / 2) / 3, 3, 0),
        ("f1@2", (1 + 0 + 1 / 2) / 3, 3, 0),
        # Above 3 each picture emits its best tag alone.
        ("i-p>3", 2 / 3, 3, 0),
        ("i-r>3", 2 / 6, 3, 0),
        ("c-p>3", (1 / 2 + 1 / 1 + 0) / 3, 3, 1),
        ("f1>3", (2 / 3 + 0 + 2 / 3) / 3, 3, 0),
    ],
)
def test_decisions_by_hand(text: str, expected: float, n: int, n_left_out: int) -> None:
    result = parse_measure(text).compute(HAND_SCORES, HAND_TRUTH)
    assert result.value == pytest.approx(expected, abs=1e-15)
    assert (result.n, result.n_left_out) == (n, n_left_out)


def test_the_paper_names_the_overall_counts_twice() -> None:
    for name in ("p", "r", "f1"):
        overall = parse_measure(f"O-{name}@2")
        assert overall == parse_measure(f"i-{name}@2")
        assert str(overall) == f"i-{name}@2"


def test_nothing_emitted_is_precision_zero_and_no_error() -> None:
    for name in COUNT_MEASURES:
        assert value(f"{name}>9", HAND_SCORES, HAND_TRUTH) == 0
    for name in ("p", "r", "f1"):
        assert value(f"{name}>9", HAND_SCORES, HAND_TRUTH) == 0


def test_label_quantity_by_hand() -> None:
    quantities = [2.5, 1.5, 1.4]  # emits 3, 2 and 1; true are 2, 2 and 2
    assert value("lqp-accuracy", HAND_SCORES, HAND_TRUTH, quantities=quantities) == 1 / 3
    mse = (0.25 + 0.25 + 0.36) / 3
    assert value("lqp-mse", HAND_SCORES, HAND_TRUTH, quantities=quantities) == pytest.approx(mse)
    # Emitted: 0 1 2; 0 3; 1. Right: 0 1; none; 1.
    assert value("i-p@lqp", HAND_SCORES, HAND_TRUTH, quantities=quantities) == 3 / 6
    assert value("i-r@lqp", HAND_SCORES, HAND_TRUTH, quantities=quantities) == 3 / 6
    assert value("n+@lqp", HAND_SCORES, HAND_TRUTH, quantities=quantities) == 2


def test_quantities_round_half_up_and_stay_in_the_vocabulary() -> None:
    found = quantities_to_emit([0.5, 1.5, 2.5, 2.49, -1, 7], n_tags=4)
    np.testing.assert_array_equal(found, [1, 2, 3, 2, 0, 4])


def test_what_is_no_candidate_is_never_emitted_and_counts_as_missed() -> None:
    scores, truth = [[-np.inf, 0.2, 0.1]], [[1, 1, 0]]
    assert value("miap", scores, truth) == 1 / 2
    assert value("map", np.transpose(scores), np.transpose(truth)) == 1 / 2
    assert value("ndcg@3", scores, truth) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert value("i-p@3", scores, truth) == 1 / 2
    assert value("i-p@lqp", scores, truth, quantities=[3]) == 1 / 2
    assert value("accuracy@3", [[-np.inf, 0.1]], [[1, 0]]) == 0


def test_what_has_no_relevant_item_is_left_out_and_counted() -> None:
    scores, truth = [[0.9, 0.1], [0.8, 0.2]], [[1, 0], [0, 0]]
    by_tag = parse_measure("map").compute(scores, truth)
    assert (by_tag.value, by_tag.n, by_tag.n_left_out, by_tag.unit) == (1, 1, 1, "tag")
    np.testing.assert_array_equal(by_tag.per_item, [1, np.nan])
    for text in ("miap", "ndcg@1", "accuracy@1", "p@1", "r@1", "f1@1"):
        by_image = parse_measure(text).compute(scores, truth)
        assert (by_image.value, by_image.n, by_image.n_left_out) == (1, 1, 1)
        assert by_image.unit == "image"
        np.testing.assert_array_equal(by_image.per_item, [1, np.nan])
    everyone = parse_measure("miap-all").compute(scores, truth)
    assert (everyone.value, everyone.n, everyone.n_left_out) == (1 / 2, 2, 0)


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in DECISIONS])
def test_nothing_at_all_is_not_a_number(name: str) -> None:
    nothing = example(name).compute(np.zeros((0, 3)), np.zeros((0, 3)), quantities=[])
    assert nothing.n == 0
    assert math.isnan(nothing.value)


# --- literal definitions ----------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 6), st.integers(1, 5))
@settings(deadline=None, max_examples=100)
def test_equal_the_literal_definitions(seed: int, n_images: int, n_tags: int, at: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, size=(n_images, n_tags)).astype(float)
    grades = rng.integers(0, 4, size=(n_images, n_tags)) * (rng.random((n_images, n_tags)) < 0.5)
    grades[0, 0] = 1
    ids, tags = rng.permutation(n_images).tolist(), rng.permutation(n_tags).tolist()
    judged = Judged(scores, grades, image_ids=ids, tags=tags)

    by_tag = [reference.average_precision(scores[:, t], grades[:, t], ids) for t in range(n_tags)]
    by_image = [
        reference.average_precision(row, grade, tags)
        for row, grade in zip(scores, grades, strict=True)
    ]
    ndcg = [
        reference.ndcg(row.tolist(), grade.tolist(), tags, at)
        for row, grade in zip(scores, grades, strict=True)
    ]
    truth = [set(np.flatnonzero(row).tolist()) for row in grades]
    emitted = reference.emitted_top(scores, tags, at)
    expected = {
        "map": reference.mean(by_tag),
        "miap": reference.mean(by_image),
        f"ndcg@{at}": reference.mean(ndcg),
    } | {
        f"{name}@{at}": known
        for name, known in reference.label_measures(emitted, truth, n_tags).items()
    }
    found = {text: parse_measure(text).apply(judged).value for text in expected}
    assert found == pytest.approx(expected, abs=1e-12)


# --- what must not matter, and what must ------------------------------------------------------


@pytest.mark.parametrize("name", MEASURES)
def test_the_order_of_pictures_and_tags_does_not_matter(name: str) -> None:
    rng = np.random.default_rng(11)
    scores = rng.integers(0, 5, size=(12, 7)) / 4
    truth = rng.random((12, 7)) < 0.3
    ids, tags, quantities = np.arange(12), np.arange(7), rng.uniform(0, 4, 12)
    images, columns = rng.permutation(12), rng.permutation(7)
    here = example(name).compute(scores, truth, ids, tags=tags, quantities=quantities)
    there = example(name).compute(
        scores[images][:, columns],
        truth[images][:, columns],
        ids[images],
        tags=tags[columns],
        quantities=quantities[images],
    )
    assert there.value == pytest.approx(here.value, abs=1e-12)
    assert (there.n, there.n_left_out, there.unit) == (here.n, here.n_left_out, here.unit)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_map_reads_only_the_order_within_each_tag(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 4, size=(10, 5)).astype(float)
    truth = rng.random((10, 5)) < 0.4
    truth[0] = True
    mapped = np.column_stack([np.exp(scores[:, 0]), scores[:, 1] ** 3, *scores.T[2:]])
    shifted = scores - rng.integers(0, 9, size=5)
    expected = value("map", scores, truth)
    assert value("map", mapped, truth) == expected
    assert value("map", shifted, truth) == expected


def test_subtracting_a_constant_a_tag_moves_miap() -> None:
    scores, truth = np.array([[0.9, 0.5], [0.8, 0.6]]), np.array([[0, 1], [1, 1]])
    prior = np.array([0.6, 0.1])
    assert value("map", scores - prior, truth) == value("map", scores, truth)
    assert value("miap", scores, truth) == pytest.approx((1 / 2 + 1) / 2)
    assert value("miap", scores - prior, truth) == 1


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_scores_of_any_number_type_are_read(kind: type) -> None:
    scores = np.array([[1, 0], [0, 1]], dtype=kind)
    assert value("map", scores, [[1, 0], [0, 1]]) == 1
    assert value("miap", scores, np.array([[1, 0], [0, 1]], dtype=kind)) == 1


def test_float64_scores_are_not_rounded() -> None:
    assert value("map", [[1.0], [1.0 + 1e-12]], [[0], [1]], ids=[1, 0]) == 1


# --- a measure is a value ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "map", "miap", "miap-all", "ndcg@5", "accuracy@1", "p@5", "r>0.5", "f1@lqp", "c-p@5",
        "c-r@5", "c-f1@5", "c-f1>0.5", "c-f1>-1.25", "c-f1@lqp", "i-f1@3", "h-f1@5", "n+@5",
        "n+>1e-05", "lqp-accuracy", "lqp-mse", "ece@15", "ece-width@10",
    ],
)  # fmt: skip
def test_prints_parses_and_hashes(text: str) -> None:
    measure = parse_measure(text)
    assert str(measure) == text
    assert parse_measure(f" {text.upper()} ") == measure
    assert {measure: 1}[parse_measure(str(measure))] == 1


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_states_its_convention_and_reports_its_count(name: str) -> None:
    measure = example(name)
    assert len(measure.convention) > 40
    if not name.startswith(("lqp", "ece")):
        assert "tied" in measure.convention or name == "miap-all"
    result = measure.compute(HAND_SCORES / 4, HAND_TRUTH, quantities=[1.0, 2.0, 3.0])
    assert result.n > 0
    assert 0 <= result.value <= result.n
    if result.per_item is not None:
        left_out = int(np.isnan(result.per_item).sum())
        assert (result.per_item.size - left_out, left_out) == (result.n, result.n_left_out)
        total = np.nansum(result.per_item)
        assert result.value == pytest.approx(total if name == "n+" else total / result.n)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no measure"),
        ("auc", "no measure is called 'auc'; there are map, miap"),
        ("map@5", "map@5 cannot be measured; map is written map alone"),
        ("ndcg", "ndcg cannot be measured; ndcg is written ndcg with @5"),
        ("ndcg@0", "ndcg@0 cannot be measured"),
        ("ndcg>0.5", "cannot be measured"),
        ("ndcg@lqp", "cannot be measured"),
        ("c-f1", "c-f1 is written c-f1 with @5, @lqp or >0.5"),
        ("c-f1@five", "'c-f1@five' is no measure"),
        ("c-f1@5>0.5", "'c-f1@5>0.5' is no measure"),
        ("c-f1>half", "has no number after '>'"),
        ("c-f1>nan", "cannot be measured"),
        ("ece", "ece is written ece with @15, a number of bins"),
    ],
)
def test_what_is_no_measure_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_measure(text)


@pytest.mark.parametrize(
    ("scores", "truth", "more", "message"),
    [
        ([[np.nan]], [[1]], {}, "a score is NaN"),
        ([[0.5]], [[1, 0]], {}, r"truth of shape \(1, 2\) for scores of shape \(1, 1\)"),
        ([0.5], [1], {}, r"scores is float64 of shape \(1,\)"),
        ([["a"]], [[1]], {}, "scores is <U1"),
        ([[0.5]], [["a"]], {}, "truth is <U1"),
        ([[0.5]], [[-1]], {}, "grade of truth is negative"),
        ([[0.5]], [[np.nan]], {}, "grade of truth is negative or not finite"),
        ([[0.5], [0.1]], [[1], [0]], {"ids": ["a"]}, "1 image_ids for 2"),
        ([[0.5], [0.1]], [[1], [0]], {"ids": ["a", "a"]}, "1 image_ids are repeated"),
    ],
)
def test_what_cannot_be_judged_is_refused(scores, truth, more, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Measure("map").compute(scores, truth, **more)


@pytest.mark.parametrize("text", ["c-f1@lqp", "lqp-accuracy", "lqp-mse"])
def test_missing_quantities_are_asked_for(text: str) -> None:
    with pytest.raises(InputError, match="; give quantities="):
        value(text, HAND_SCORES, HAND_TRUTH)
    with pytest.raises(InputError, match="each picture has one finite number"):
        value(text, HAND_SCORES, HAND_TRUTH, quantities=[1.0, np.nan, 2.0])
