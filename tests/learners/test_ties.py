"""One score that ranks as the engine ranks."""

from itertools import pairwise

import numpy as np
import pytest

from learners.ranking import rank_tags
from learners.ties import folded


@pytest.fixture
def votes():
    rng = np.random.default_rng(0)
    scores = (rng.integers(0, 4, (60, 17)) / 3).astype(np.float32)
    return scores, (rng.integers(0, 3, (60, 17)).astype(np.float32), rng.integers(0, 3, 17))


def test_folded_scores_rank_as_the_engine_ranks(votes):
    scores, tie_breaks = votes
    result = folded(scores, tie_breaks)
    assert result.dtype == np.float32
    assert np.array_equal(rank_tags(result, 17), rank_tags(scores, 17, tie_breaks))
    assert all(len(set(row)) == 17 for row in result.tolist())


def test_one_monotone_map_for_the_whole_matrix(votes):
    scores, tie_breaks = votes
    result = folded(scores, tie_breaks).ravel()
    keys = [
        (score, *(np.broadcast_to(key, scores.shape).ravel()[i] for key in tie_breaks), -(i % 17))
        for i, score in enumerate(scores.ravel())
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    for a, b in pairwise(order):
        assert result[a] == result[b] if keys[a] == keys[b] else result[a] < result[b]


def test_what_is_no_candidate_stays_none(votes):
    scores, tie_breaks = votes
    scores = scores.copy()
    scores[3, 4] = -np.inf
    result = folded(scores, tie_breaks)
    assert np.array_equal(result == -np.inf, scores == -np.inf)


def test_scores_without_ties_stay_as_they_are():
    scores = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    scores[0, :3] = -np.inf
    assert folded(scores, (np.ones(6),)) is scores
