"""Intervals hold nothing that a measure cannot be."""

import numpy as np
import pytest

import benchmarks.scoring
from benchmarks.scoring import Scored
from learners.metrics import Interval, Judged, confidence_intervals, parse_measure


def rare():
    """Twelve labels of one picture each, all of them found."""
    truth = np.zeros((30, 12), dtype=bool)
    truth[np.arange(12), np.arange(12)] = True
    return Judged(truth.astype(float), truth, quantities=truth.sum(axis=1))


def test_no_more_labels_are_recalled_than_there_are():
    measure = parse_measure("n+@1")
    (plain,) = confidence_intervals([measure], rare(), n_replicates=200, seed=0).values()
    assert plain.high > 12
    entry = Scored(rare(), None).measured((measure,), seed=0, n_replicates=200)["n+@1"]
    assert entry == {"value": 12, "n": 12, "low": plain.low, "high": 12}


@pytest.mark.parametrize(
    ("name", "low", "high"), [("map", 0, 1), ("c-f1@5", 0, 1), ("n+@5", 0, 12), ("lqp-mse", 0, 20)]
)
def test_ends_are_cut_to_what_the_measure_can_be(monkeypatch, name, low, high):
    def far(measures, judged, **more):
        return {measure: Interval(0.5, -0.1, 20.0, 1.0) for measure in measures}

    monkeypatch.setattr(benchmarks.scoring, "confidence_intervals", far)
    entry = Scored(rare(), None).measured((parse_measure(name),), seed=0)[name]
    assert (entry["low"], entry["high"]) == (low, high)
