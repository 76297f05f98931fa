"""Corrections in the arrays: votes against, and scores that move near a corrected picture alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch
from learners.corrections import CorrectedTags, nearness, shifts
from learners.tag_matrix import TagMatrix
from learners.tagprop import TagProp
from learners.voting import KNN, TagVote


def corrected(before, added, removed, n_tags, owners=None):
    """Return the matrix of lists of tags, picture by picture."""
    rows = np.arange(len(before))
    now = TagMatrix.from_lists(
        rows, [sorted({*b, *a} - {*r}) for b, a, r in zip(before, added, removed, strict=True)],
        n_tags, owners,
    )  # fmt: skip
    return CorrectedTags(
        rows=now.rows,
        indptr=now.indptr,
        indices=now.indices,
        n_tags=n_tags,
        owners=now.owners,
        forbidden=TagMatrix.from_lists(rows, removed, n_tags),
        before=TagMatrix.from_lists(rows, before, n_tags),
    )


BEFORE = [[0], [0, 1], [1], [2]]
TAGS = corrected(BEFORE, [[], [2], [], []], [[0], [], [0], []], 3)
NEAR = Neighbors(np.array([[1, 0, 2]]), np.array([[0.1, 0.2, 0.4]], np.float32))


def test_a_forbidden_tag_is_a_vote_against_it():
    # Voters 1, 0, 2: tag 0 is carried by 1, forbidden by 0 and 2; tag 1 by 1 and 2; tag 2 by 1.
    batch = Batch(neighbors=NEAR)
    scores = KNN(n_neighbors=3).fit(Batch(), TAGS).predict_scores(batch)
    np.testing.assert_allclose(scores, [[-1 / 3, 2 / 3, 1 / 3]], rtol=1e-6)
    weighted = KNN(n_neighbors=3, weights="similarity").fit(Batch(), TAGS).predict_scores(batch)
    np.testing.assert_allclose(
        weighted, [[(0.9 - 0.8 - 0.6) / 2.3, (0.9 + 0.6) / 2.3, 0.9 / 2.3]], rtol=1e-6
    )
    # What chance gives is counted without corrections: 2, 2 and 1 of 4 pictures.
    voted = TagVote(n_neighbors=3).fit(Batch(), TAGS).predict_scores(batch)
    np.testing.assert_allclose(voted, [[-1 - 1.5, 2 - 1.5, 1 - 0.75]], rtol=1e-6)


def test_tagprop_weighs_a_vote_against_as_it_weighs_votes():
    plain = TagMatrix.from_lists(range(4), BEFORE, 3)
    every = Neighbors(
        np.array([[j for j in range(4) if j != i] for i in range(4)]),
        np.tile(np.array([0.1, 0.2, 0.3], np.float32), (4, 1)),
    )
    learner = TagProp(n_neighbors=3, sigmoids=False).fit(Batch(neighbors=every), plain)
    weights = learner.voters(NEAR).weights[0].astype(float)
    scores = learner.rebased(TAGS, np.arange(3)).predict_scores(Batch(neighbors=NEAR))
    expected = [weights[0] - weights[1] - weights[2], weights[0] + weights[2], weights[0]]
    np.testing.assert_allclose(scores, [expected], rtol=1e-5)


def test_whoever_has_no_corrected_voter_is_answered_bit_for_bit():
    draws = np.random.default_rng(0)
    before = [np.flatnonzero(draws.random(6) < 0.4).tolist() for _ in range(40)]
    taught = [[i % 6] if i < 4 else [] for i in range(40)]
    forbidden = [[(i + 1) % 6] if i < 4 else [] for i in range(40)]
    plain = TagMatrix.from_lists(range(40), before, 6)
    now = corrected(before, taught, forbidden, 6)
    rows = np.stack([4 + draws.permutation(36)[:9] for _ in range(20)])
    rows[::2, 3] = 1  # every second picture has a corrected voter
    near = Batch(neighbors=Neighbors(rows, np.sort(draws.random((20, 9)).astype(np.float32))))
    for learner in (KNN(n_neighbors=9), KNN(n_neighbors=9, weights="similarity"), TagVote()):
        was = learner.fit(Batch(), plain).predict_scores(near)
        ties = learner.tie_breaks(near)
        scores = learner.fit(Batch(), now).predict_scores(near)
        np.testing.assert_array_equal(scores[1::2], was[1::2])
        assert (scores[::2, 1] >= was[::2, 1]).all()
        assert (scores[::2, 2] < was[::2, 2]).all()
        np.testing.assert_array_equal(learner.tie_breaks(near)[0][1::2], ties[0][1::2])
        np.testing.assert_array_equal(learner.tie_breaks(near)[1], ties[1])


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="both present and forbidden"):
        CorrectedTags(
            rows=TAGS.rows, indptr=TAGS.indptr, indices=TAGS.indices, n_tags=3,
            owners=TAGS.owners, forbidden=TagMatrix.from_lists(range(4), [[], [2], [], []], 3),
            before=TAGS.before,
        )  # fmt: skip
    with pytest.raises(InputError, match="4 pictures and 2 tags forbidden, 3 tags before, for 4"):
        CorrectedTags(
            rows=TAGS.rows, indptr=TAGS.indptr, indices=TAGS.indices, n_tags=3,
            owners=TAGS.owners, forbidden=TagMatrix.from_lists(range(4), [[]] * 4, 2),
            before=TAGS.before,
        )  # fmt: skip


def test_a_copy_is_as_near_as_can_be_where_all_neighbours_are_copies():
    distances = np.array([[0.0, 0.1], [0.0, 0.1]], np.float32)
    near = nearness(distances, np.array([0.0, 0.4], np.float32))
    np.testing.assert_allclose(near, [[1, 0], [1, 0.75]], rtol=1e-6)


def test_scores_move_as_the_formula_says():
    scores = np.array([[2.0, -1.0, -3.0, 0.5]], np.float32)
    near = np.array([[0.5, 0.25, 0.9]], np.float32)
    added = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]], bool)
    removed = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)
    # By tag: -(0.25 + 0.81) cut to -1; 0.75; 0.9; 0.25 - 0.25. The median is -1.
    expected = [-1.0 * (2 + 1), 0.75 * (2 + 1), 0.9 * (2 + 3), 0]
    np.testing.assert_allclose(shifts(scores, near, added, removed), [expected], rtol=1e-6)
    # A removal takes a score down to the median and no further, and never raises it.
    added[:], removed[:] = False, True
    expected = [-1.0 * (2 + 1), 0, 0, -1.0 * (0.5 + 1)]
    np.testing.assert_allclose(shifts(scores, near, added, removed), [expected], rtol=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_scores_move_in_the_right_direction_and_stay_in_range(seed):
    draws = np.random.default_rng(seed)
    n_taught, n_tags = draws.integers(1, 5, 2)
    scores = draws.normal(size=(6, n_tags)).astype(np.float32)
    near = nearness(
        draws.random((6, n_taught)).astype(np.float32), draws.random(6).astype(np.float32)
    )
    added = draws.random((n_taught, n_tags)) < 0.4
    removed = (draws.random((n_taught, n_tags)) < 0.4) & ~added
    moved = shifts(scores, near, added, removed)
    assert np.isfinite(moved).all()
    assert (moved[(near == 0).all(axis=1)] == 0).all()
    assert (moved[:, removed.sum(axis=0) == 0] >= 0).all()
    assert (moved[:, added.sum(axis=0) == 0] <= 0).all()
    assert (scores + moved <= scores.max(axis=1, keepdims=True) + 1e-5).all()
    assert (scores + moved >= scores.min(axis=1, keepdims=True) - 1e-5).all()
