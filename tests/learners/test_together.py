"""Pictures of one album, against a literal loop and against what must hold of any."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.errors import InputError
from learners.together import Together, album_distances


def drawn(n_pictures, n_tags, seed):
    draws = np.random.default_rng(seed)
    scores = draws.normal(size=(n_pictures, n_tags)).astype(np.float32)
    return scores, draws.normal(size=(n_pictures, 5)).astype(np.float32)


def literal(scores, distances, strength, decay):
    """The formula, cell by cell."""
    out = np.empty_like(scores)
    for i, row in enumerate(scores):
        counts = {
            j: strength * math.exp(-decay * distances[i, j]) for j in range(len(scores)) if j != i
        }
        for t in range(scores.shape[1]):
            total = row[t] + sum(count * scores[j, t] for j, count in counts.items())
            out[i, t] = total / (1 + sum(counts.values()))
    return out


@pytest.mark.parametrize(("strength", "decay"), [(0.2, 4.0), (1.0, 0.0), (3.0, 2.0)])
def test_scores_are_those_of_the_formula(strength, decay):
    scores, vectors = drawn(6, 4, seed=1)
    distances = album_distances(vectors)
    got = Together(strength=strength, decay=decay).scores(scores, distances)
    np.testing.assert_allclose(got, literal(scores, distances, strength, decay), rtol=1e-5)


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_what_holds_of_every_album(seed, n_pictures):
    scores, vectors = drawn(n_pictures, 3, seed)
    distances = album_distances(vectors)
    rule = Together(strength=0.7, decay=1.0)
    got = rule.scores(scores, distances)
    # No tag leaves the range that it has in the album, and the order of the pictures is nothing.
    assert (got <= scores.max(axis=0) + 1e-6).all()
    assert (got >= scores.min(axis=0) - 1e-6).all()
    order = np.random.default_rng(seed).permutation(n_pictures)
    turned = rule.scores(scores[order], distances[np.ix_(order, order)])
    np.testing.assert_allclose(turned, got[order], rtol=1e-5, atol=1e-6)
    alone = Together(strength=0).scores(scores, distances)
    np.testing.assert_array_equal(alone, scores)
    np.testing.assert_allclose(
        rule.scores(np.tile(scores[:1], (n_pictures, 1)), distances),
        np.tile(scores[:1], (n_pictures, 1)), rtol=1e-6,
    )  # fmt: skip


def test_the_nearer_picture_says_more():
    vectors = np.array([[1, 0], [0.9, 0.4], [0, 1]], np.float32)
    scores = np.eye(3, dtype=np.float32)
    first = Together().scores(scores, album_distances(vectors))[0]
    assert first[0] > first[1] > first[2] > 0


def test_probabilities_are_pooled_by_their_odds():
    odds = np.array([[4.0], [1.0]])
    distances = np.array([[0, 0.5], [0.5, 0]], np.float32)
    got = Together(strength=1, decay=0).probabilities(
        (odds / (1 + odds)).astype(np.float32), distances
    )
    np.testing.assert_allclose(got, [[2 / 3], [2 / 3]], rtol=1e-5)  # geometric mean of 4 and 1
    certain = Together().probabilities(np.array([[0.0], [1.0]], np.float32), distances)
    assert np.isfinite(certain).all()
    assert 0 < certain[0, 0] < certain[1, 0] < 1


def test_a_burst_is_nearer_and_only_of_one_camera():
    _, vectors = drawn(5, 1, seed=2)
    plain = album_distances(vectors)
    cameras = np.array([0, 0, 1, -1, -1])
    seconds = np.array([100.0, 110.0, 100.0, 0.0, 0.0])
    got = album_distances(vectors, cameras, seconds)
    expected = plain.copy()
    expected[0, 1] = expected[1, 0] = plain[0, 1] * (1 - math.exp(-1) / 2)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert got.dtype == np.float32
    late = album_distances(vectors, cameras, seconds + np.array([0, 3_600, 0, 0, 0]))
    np.testing.assert_allclose(late, plain, rtol=1e-6)


def test_what_does_not_fit_is_refused():
    scores, vectors = drawn(3, 2, seed=0)
    with pytest.raises(InputError, match=r"distances of shape \(2, 2\) for 3 pictures"):
        Together().scores(scores, album_distances(vectors[:2]))
    for cameras, seconds in ((np.zeros(3, int), None), (None, np.zeros(3)),
                             (np.zeros(2, int), np.zeros(2))):  # fmt: skip
        with pytest.raises(InputError, match="cameras and times of other pictures than the 3"):
            album_distances(vectors, cameras, seconds)
    for params in ({"strength": -0.1}, {"decay": float("nan")}):
        with pytest.raises(InputError):
            Together(**params)
