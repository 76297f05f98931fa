"""Measures against other people's programs, and each documented disagreement with them."""

from collections.abc import Mapping

import numpy as np
import pytest
import pytrec_eval
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from indexing.errors import InputError
from learners.metrics import Judged, Measure, parse_measure, reliability_curve

N_IMAGES, N_TAGS = 300, 14


@pytest.fixture(scope="module")
def votes() -> tuple[np.ndarray, np.ndarray]:
    """Integer votes full of ties, and a truth that follows them; one tag is true of nothing."""
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 6, size=(N_IMAGES, N_TAGS))
    truth = rng.random((N_IMAGES, N_TAGS)) < scores / 12
    truth[:, 4] = False
    truth[17] = False
    return scores, truth


@pytest.fixture(scope="module")
def untied(votes) -> tuple[np.ndarray, np.ndarray]:
    """Scores without ties for the same truth."""
    rng = np.random.default_rng(3)
    order = rng.permutation(N_IMAGES * N_TAGS).reshape(N_IMAGES, N_TAGS)
    return (votes[0] + order / order.size) / 6, votes[1]


def names(n: int, seed: int) -> list[str]:
    """Ids whose order is not that of the positions, of several lengths."""
    order = np.random.default_rng(seed).permutation(n)
    return [f"id{position}" for position in order]


def trec(scores, truth, ids: list[str], measure: str) -> Mapping[int, float]:
    """Rank the columns of each row with trec_eval; rows without relevant items left out."""
    key = measure.replace(".", "_")
    relevance = {
        str(row): {ids[i]: int(grade) for i, grade in enumerate(grades)}
        for row, grades in enumerate(truth)
        if np.any(grades)
    }
    run = {
        row: {ids[i]: float(score) for i, score in enumerate(scores[int(row)]) if score > -np.inf}
        for row in relevance
    }
    found = pytrec_eval.RelevanceEvaluator(relevance, {measure}).evaluate(run)
    return {int(row): of_row[key] for row, of_row in found.items()}


def agree(result, oracle: Mapping[int, float]) -> None:
    expected = np.full(result.per_item.shape, np.nan)
    expected[list(oracle)] = list(oracle.values())
    np.testing.assert_allclose(result.per_item, expected, rtol=0, atol=1e-12)
    assert result.value == pytest.approx(np.nanmean(expected), abs=1e-12)
    assert result.n == len(oracle)


# --- trec_eval, ties included -----------------------------------------------------------------


def test_map_is_trec_eval_s_on_tied_votes(votes) -> None:
    scores, truth = votes
    ids = names(N_IMAGES, 5)
    oracle = trec(scores.T, truth.T, ids, "map")
    assert len(oracle) == N_TAGS - 1
    agree(parse_measure("map").compute(scores, truth, ids), oracle)


def test_miap_is_trec_eval_s_on_tied_votes(votes) -> None:
    scores, truth = votes
    tags = names(N_TAGS, 6)
    agree(parse_measure("miap").compute(scores, truth, tags=tags), trec(scores, truth, tags, "map"))


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("p@5", "P.5"),
        ("r@5", "recall.5"),
        ("accuracy@1", "success.1"),
        ("accuracy@5", "success.5"),
        ("ndcg@5", "ndcg_cut.5"),
        ("ndcg@10", "ndcg_cut.10"),
    ],
)
def test_cutoffs_are_trec_eval_s_on_tied_votes(votes, text: str, oracle: str) -> None:
    scores, truth = votes
    tags = names(N_TAGS, 6)
    agree(parse_measure(text).compute(scores, truth, tags=tags), trec(scores, truth, tags, oracle))


def test_graded_ndcg_is_trec_eval_s_given_its_gains(votes) -> None:
    scores, truth = votes
    grades = truth * np.random.default_rng(4).integers(1, 4, size=truth.shape)
    tags = names(N_TAGS, 6)
    # trec_eval's gain is the grade itself: 2^grade - 1 is given to it as the grade.
    oracle = trec(scores, 2**grades - 1, tags, "ndcg_cut.5")
    agree(parse_measure("ndcg@5").compute(scores, grades, tags=tags), oracle)
    linear = trec(scores, grades, tags, "ndcg_cut.5")
    assert np.mean(list(linear.values())) != pytest.approx(np.mean(list(oracle.values())), abs=1e-3)


@pytest.mark.parametrize(("text", "oracle"), [("miap", "map"), ("ndcg@5", "ndcg_cut.5")])
def test_what_is_no_candidate_is_what_trec_eval_was_not_given(
    votes, text: str, oracle: str
) -> None:
    scores, truth = votes
    masked = np.where(np.random.default_rng(7).random(scores.shape) < 0.3, -np.inf, scores)
    tags = names(N_TAGS, 6)
    agree(parse_measure(text).compute(masked, truth, tags=tags), trec(masked, truth, tags, oracle))


def test_resampled_map_is_trec_eval_s_on_the_pictures_written_out(votes) -> None:
    scores, truth = votes
    rng = np.random.default_rng(8)
    masked = np.where(rng.random(scores.shape) < 0.1, -np.inf, scores)
    ids = [f"{name:>6}" for name in names(N_IMAGES, 5)]
    weights = rng.multinomial(N_IMAGES, np.full(N_IMAGES, 1 / N_IMAGES), size=3)
    statistic = Measure("map").statistic(Judged(masked, truth, image_ids=ids))
    for weight, value in zip(weights, statistic.replicate(weights), strict=True):
        drawn = np.repeat(np.arange(N_IMAGES), weight)
        copies = [f"{ids[image]}.{copy}" for copy, image in enumerate(drawn)]
        oracle = trec(masked[drawn].T, truth[drawn].T, copies, "map")
        assert value == pytest.approx(np.mean(list(oracle.values())), abs=1e-12)


def test_trec_eval_compares_scores_in_single_precision() -> None:
    scores, truth = np.array([[1.0], [1.0 + 1e-9]]), np.array([[0], [1]])
    assert parse_measure("map").compute(scores, truth, ["b", "a"]).value == 1
    assert trec(scores.T, truth.T, ["b", "a"], "map")[0] == 1 / 2
    single = scores.astype(np.float32)
    assert parse_measure("map").compute(single, truth, ["b", "a"]).value == 1 / 2


def test_trec_eval_divides_precision_by_the_cutoff_even_where_fewer_are_emitted() -> None:
    scores, truth = np.array([[0.9, 0.5]]), np.array([[1, 1]])
    assert parse_measure("p@5").compute(scores, truth).value == 1
    assert trec(scores, truth, ["a", "b"], "P.5")[0] == 2 / 5


# --- scikit-learn -----------------------------------------------------------------------------


def test_average_precision_is_scikit_learn_s_without_ties(untied) -> None:
    scores, truth = untied
    judged = truth.any(axis=0)
    expected = sklearn_metrics.average_precision_score(truth[:, judged], scores[:, judged])
    assert parse_measure("map").compute(scores, truth).value == pytest.approx(expected, abs=1e-12)
    pictures = truth.any(axis=1)
    expected = sklearn_metrics.average_precision_score(
        truth[pictures], scores[pictures], average="samples"
    )
    assert parse_measure("miap").compute(scores, truth).value == pytest.approx(expected, abs=1e-12)


def test_average_precision_differs_from_scikit_learn_s_under_ties() -> None:
    # scikit-learn takes tied pictures as one step of the curve; trec_eval ranks them by id.
    scores, truth = np.array([[1.0], [1.0]]), np.array([[0], [1]])
    assert sklearn_metrics.average_precision_score(truth, scores) == 1 / 2
    assert parse_measure("map").compute(scores, truth, ids=[0, 1]).value == 1
    assert parse_measure("map").compute(scores, truth, ids=[1, 0]).value == 1 / 2


def test_ndcg_is_scikit_learn_s_without_ties_given_its_gains(untied) -> None:
    scores, truth = untied
    grades = truth * np.random.default_rng(4).integers(1, 4, size=truth.shape)
    pictures = truth.any(axis=1)
    expected = sklearn_metrics.ndcg_score(2.0 ** grades[pictures] - 1, scores[pictures], k=5)
    assert parse_measure("ndcg@5").compute(scores, grades).value == pytest.approx(
        expected, abs=1e-12
    )


def test_ndcg_differs_from_scikit_learn_s_under_ties() -> None:
    # scikit-learn averages over the orders of tied items, trec_eval ranks them by id.
    scores, truth = np.array([[1.0, 1.0]]), np.array([[0, 1]])
    assert parse_measure("ndcg@1").compute(scores, truth).value == 1
    assert sklearn_metrics.ndcg_score(truth, scores, k=1) == 1 / 2


@pytest.fixture(scope="module")
def decided(untied) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, truth and what a threshold emits."""
    scores, truth = untied
    return scores, truth, scores > 0.7


def test_overall_measures_are_scikit_learn_s_micro_averages(decided) -> None:
    scores, truth, emitted = decided
    expected = sklearn_metrics.precision_recall_fscore_support(truth, emitted, average="micro")
    for name, oracle in zip(("i-p", "i-r", "i-f1"), expected[:3], strict=True):
        found = Measure(name, above=0.7).compute(scores, truth).value
        assert found == pytest.approx(oracle, abs=1e-12)


def test_label_means_are_scikit_learn_s_macro_averages_over_labels_with_truth(decided) -> None:
    scores, truth, emitted = decided
    judged = truth.any(axis=0)
    expected = sklearn_metrics.precision_recall_fscore_support(
        truth[:, judged], emitted[:, judged], average="macro", zero_division=0
    )
    for name, oracle in zip(("c-p", "c-r"), expected[:2], strict=True):
        found = Measure(name, above=0.7).compute(scores, truth).value
        assert found == pytest.approx(oracle, abs=1e-12)


def test_c_f1_is_not_scikit_learn_s_macro_f1(decided) -> None:
    scores, truth, emitted = decided
    judged = truth.any(axis=0)
    macro = sklearn_metrics.f1_score(
        truth[:, judged], emitted[:, judged], average="macro", zero_division=0
    )
    c_p, c_r, c_f1 = (
        Measure(name, above=0.7).compute(scores, truth).value for name in ("c-p", "c-r", "c-f1")
    )
    assert c_f1 == pytest.approx(2 * c_p * c_r / (c_p + c_r), abs=1e-12)
    assert abs(c_f1 - macro) > 1e-3


def test_scikit_learn_counts_labels_that_are_true_of_nothing(decided) -> None:
    scores, truth, emitted = decided
    with_all = sklearn_metrics.recall_score(truth, emitted, average="macro", zero_division=0)
    ours = Measure("c-r", above=0.7).compute(scores, truth)
    assert ours.n_left_out == 1
    assert with_all == pytest.approx(ours.value * ours.n / N_TAGS, abs=1e-12)


def test_picture_means_are_scikit_learn_s_sample_averages(decided) -> None:
    scores, truth, emitted = decided
    pictures = truth.any(axis=1)
    expected = sklearn_metrics.precision_recall_fscore_support(
        truth[pictures], emitted[pictures], average="samples", zero_division=0
    )
    for name, oracle in zip(("p", "r", "f1"), expected[:3], strict=True):
        found = Measure(name, above=0.7).compute(scores, truth).value
        assert found == pytest.approx(oracle, abs=1e-12)


def test_top_k_accuracy_is_scikit_learn_s_where_each_picture_has_one_label(untied) -> None:
    scores = untied[0]
    label = np.random.default_rng(9).integers(0, N_TAGS, size=N_IMAGES)
    expected = sklearn_metrics.top_k_accuracy_score(label, scores, k=3, labels=range(N_TAGS))
    found = parse_measure("accuracy@3").compute(scores, np.eye(N_TAGS)[label]).value
    assert found == pytest.approx(expected, abs=1e-12)


# --- calibration ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "strategy"), [("ece", "quantile"), ("ece-width", "uniform")])
@pytest.mark.parametrize("n_bins", [5, 10])  # the tied votes lie on the edges of five bins
@pytest.mark.parametrize("tied", [False, True])
def test_reliability_is_scikit_learn_s(
    untied, votes, name: str, strategy: str, n_bins: int, tied: bool
) -> None:
    scores, truth = (votes[0] / 5, votes[1]) if tied else untied
    probabilities = scores / scores.max()
    frequency, confidence = calibration_curve(
        truth.ravel(), probabilities.ravel(), n_bins=n_bins, strategy=strategy
    )
    curve = reliability_curve(probabilities, truth, n_bins, equal_mass=strategy == "quantile")
    np.testing.assert_allclose(curve.frequency, frequency, atol=1e-12)
    np.testing.assert_allclose(curve.confidence, confidence, atol=1e-12)
    assert curve.count.sum() == scores.size
    result = Measure(name, at=n_bins).compute(probabilities, truth)
    expected = (np.abs(frequency - confidence) * curve.count).sum() / scores.size
    assert result.value == pytest.approx(expected, abs=1e-12)
    assert result.value == pytest.approx(curve.expected_error, abs=1e-12)
    assert (result.n, result.unit) == (scores.size, "decision")


def test_calibration_error_by_hand() -> None:
    scores, truth = [[0.1, 0.2, 0.7, 0.9]], [[0, 1, 1, 1]]
    # Halves: {0.1, 0.2} say 0.15, half of them true; {0.7, 0.9} say 0.8, all true.
    expected = (abs(0.15 - 0.5) + abs(0.8 - 1)) / 2
    assert parse_measure("ece@2").compute(scores, truth).value == pytest.approx(expected)
    assert parse_measure("ece-width@2").compute(scores, truth).value == pytest.approx(expected)


def test_equal_masses_follow_the_probabilities_and_equal_widths_do_not() -> None:
    probabilities, truth = np.array([0.01, 0.02, 0.03, 0.99]), np.array([0, 0, 1, 1])
    assert reliability_curve(probabilities, truth, 2).count.tolist() == [2, 2]
    assert reliability_curve(probabilities, truth, 2, equal_mass=False).count.tolist() == [3, 1]


def test_no_candidate_is_no_decision() -> None:
    scores, truth = [[0.2, -np.inf], [0.8, 1.0]], [[0, 1], [1, 1]]
    result = parse_measure("ece-width@2").compute(scores, truth)
    assert (result.n, result.n_left_out) == (3, 1)
    assert result.value == pytest.approx((0.2 + 0.2) / 3)


@pytest.mark.parametrize("score", [-0.1, 1.1, np.inf])
def test_scores_that_are_no_probabilities_are_refused(score: float) -> None:
    # torchmetrics would apply a sigmoid to them without a word.
    with pytest.raises(InputError, match=r"probabilities in 0 \.\. 1; calibrate the scores"):
        parse_measure("ece@5").compute([[score]], [[1]])
    with pytest.raises(InputError, match="calibrate the scores first"):
        reliability_curve([score], [1])
    with pytest.raises(InputError, match="0 bins were asked for"):
        reliability_curve([0.5], [1], n_bins=0)
