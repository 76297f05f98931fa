import math

import numpy as np
import pytest

from indexing.errors import InputError
from learners.metrics import (
    MEASURES,
    Judged,
    Measure,
    compare,
    confidence_intervals,
    parse_measure,
)
from tests.learners.test_metrics import example


def judged(n_images: int = 60, n_tags: int = 8, seed: int = 0, skill: float = 2.0) -> Judged:
    """Probabilities with ties and impossible tags, and a truth that they follow somewhat."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_images, n_tags)) < 0.25
    noise = np.random.default_rng(seed + 1000).normal(size=truth.shape)
    scores = np.round(1 / (1 + np.exp(-skill * truth - noise)), 1)
    scores[rng.random(truth.shape) < 0.05] = -np.inf
    return Judged(scores, truth, quantities=rng.uniform(0, 4, n_images))


def written_out(of: Judged, weights: np.ndarray) -> Judged:
    """The resample with every drawn picture written out as often as it was drawn."""
    drawn = np.repeat(np.arange(of.n_images), weights)
    assert of.quantities is not None
    return Judged(of.scores[drawn], of.truth[drawn], quantities=of.quantities[drawn])


@pytest.mark.parametrize("name", MEASURES)
def test_drawing_every_picture_once_gives_the_measure(name: str) -> None:
    statistic = example(name).statistic(judged())
    replicate = statistic.replicate(np.ones((1, 60), dtype=np.int64))
    assert replicate[0] == pytest.approx(statistic.result().value, abs=1e-12)


# The quantile bins of ece@4 would move with the resample; they are those of the pictures.
@pytest.mark.parametrize("name", [name for name in MEASURES if name != "ece"])
def test_a_resample_measures_as_if_it_were_written_out(name: str) -> None:
    pictures, measure = judged(), example(name)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=5)
    replicates = measure.statistic(pictures).replicate(weights)
    for weight, replicate in zip(weights, replicates, strict=True):
        expected = measure.apply(written_out(pictures, weight)).value
        assert replicate == pytest.approx(expected, abs=1e-12)


def test_map_counts_exactly_beyond_what_16_bits_hold() -> None:
    # 20,000 + 14,000 drawn pictures stand above the relevant one of the second tag.
    scores = np.array([[0.3, 0.9], [0.1, 0.8], [0.7, 0.5], [0.9, 0.2]])
    pictures = Judged(scores, np.array([[1, 0], [0, 0], [1, 1], [0, 0]]))
    weights = np.array([20_000, 14_000, 2_000, 5])
    replicate = Measure("map").statistic(pictures).replicate(weights[None])
    drawn = np.repeat(np.arange(4), weights)
    expected = Measure("map").compute(pictures.scores[drawn], pictures.truth[drawn]).value
    assert replicate[0] == pytest.approx(expected, abs=1e-12)


def test_a_resample_without_relevant_pictures_has_no_map() -> None:
    pictures = Judged(np.array([[0.9], [0.1]]), np.array([[1], [0]]))
    replicates = Measure("map").statistic(pictures).replicate(np.array([[0, 2], [1, 1]]))
    assert math.isnan(replicates[0])
    assert replicates[1] == 1


def test_the_interval_of_a_share_is_the_known_one() -> None:
    pictures = judged(n_images=400)
    measure = parse_measure("accuracy@2")
    interval = confidence_intervals([measure], pictures, n_replicates=2000)[measure]
    result = measure.apply(pictures)
    known_error = math.sqrt(interval.value * (1 - interval.value) / result.n)
    assert interval.value == result.value
    assert interval.standard_error == pytest.approx(known_error, rel=0.1)
    assert interval.low == pytest.approx(result.value - 1.96 * known_error, abs=0.3 * known_error)
    assert interval.high == pytest.approx(result.value + 1.96 * known_error, abs=0.3 * known_error)


@pytest.mark.parametrize("name", MEASURES)
def test_intervals_hold_the_value_and_follow_the_seed(name: str) -> None:
    measure, pictures = example(name), judged()
    first = confidence_intervals([measure], pictures, n_replicates=200, seed=3)[measure]
    again = confidence_intervals([measure], pictures, n_replicates=200, seed=3)[measure]
    other = confidence_intervals([measure], pictures, n_replicates=200, seed=4)[measure]
    assert first == again
    assert first != other
    assert first.low <= first.value <= first.high
    assert first.low < first.high or name == "n+"
    wider = confidence_intervals([measure], pictures, n_replicates=200, seed=3, confidence=0.99)
    assert wider[measure].low <= first.low <= first.high <= wider[measure].high
    assert wider[measure] != first or name == "n+"


def test_rare_labels_lost_in_resamples_do_not_push_n_plus_out_of_its_interval() -> None:
    truth = np.eye(30, dtype=bool)  # each label is true of one picture: a resample loses a third
    measure = Measure("n+", at=1)
    interval = confidence_intervals([measure], Judged(truth * 1.0, truth), n_replicates=200)[
        measure
    ]
    assert interval.low < interval.value == 30 < interval.high


def test_measures_share_their_resamples() -> None:
    pictures = judged()
    a, b = parse_measure("i-p@2"), parse_measure("map")
    together = confidence_intervals([a, b], pictures, n_replicates=50)
    assert together[b] == confidence_intervals([b], pictures, n_replicates=50)[b]


def test_a_method_against_itself_differs_by_nothing() -> None:
    pictures = judged()
    same = compare(parse_measure("map"), pictures, pictures, n_replicates=100)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_a_better_method_is_found_and_the_comparison_has_a_sign() -> None:
    worse, better = judged(n_images=200, skill=1.0), judged(n_images=200, skill=3.0)
    for text in ("map", "miap", "c-f1@2"):
        measure = parse_measure(text)
        gain = compare(measure, worse, better, n_replicates=300)
        assert gain.value == measure.apply(better).value - measure.apply(worse).value
        assert 0 < gain.low < gain.value < gain.high
        assert gain.p_value == 1 / 301
        loss = compare(measure, better, worse, n_replicates=300)
        assert (loss.value, loss.low) == pytest.approx((-gain.value, -gain.high))


def test_pairs_are_surer_than_two_intervals() -> None:
    one = judged(n_images=200)
    nudged = np.where(np.random.default_rng(5).random(one.scores.shape) < 0.02, 0.5, one.scores)
    other = Judged(nudged, one.truth)
    measure = parse_measure("miap")
    paired = compare(measure, one, other, n_replicates=300)
    alone = confidence_intervals([measure], one, n_replicates=300)[measure]
    assert paired.standard_error < alone.standard_error / 2


def test_chance_differences_are_seldom_significant() -> None:
    measure = parse_measure("miap")
    p_values = []
    for seed in range(40):
        pictures, rng = judged(n_images=40, seed=seed), np.random.default_rng(seed)
        first, second = (
            Judged(rng.permuted(pictures.scores, axis=1), pictures.truth) for _ in range(2)
        )
        p_values.append(compare(measure, first, second, n_replicates=200).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.15
    assert 0.3 < np.mean(p_values) < 0.7


def test_what_cannot_be_resampled_is_refused() -> None:
    pictures = judged()
    with pytest.raises(InputError, match="1 replicates were asked for; at least 2"):
        confidence_intervals([Measure("map")], pictures, n_replicates=1)
    with pytest.raises(InputError, match="confidence is 95; it lies between 0 and 1"):
        confidence_intervals([Measure("map")], pictures, confidence=95)
    with pytest.raises(InputError, match="judged by different truths"):
        compare(Measure("map"), pictures, judged(seed=7))
