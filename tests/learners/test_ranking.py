import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.errors import InputError
from learners.ranking import rank_tags
from tests.reference.voting import ranked


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 30), st.integers(0, 40),
    st.integers(0, 3),
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_equals_the_literal_sort(
    seed: int, n_queries: int, n_tags: int, n: int, n_ties: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 2, size=(n_queries, n_tags)).astype(np.float32)
    ties = [rng.integers(0, 3, size=(n_queries, n_tags)) for _ in range(n_ties)]
    if ties:
        ties[-1] = ties[-1][0] if n_queries else np.zeros(n_tags)
    keys = [np.broadcast_to(tie, scores.shape) for tie in ties]
    expected = [ranked(scores[q], [key[q] for key in keys], n) for q in range(n_queries)]
    found = rank_tags(scores, n, ties)
    assert found.dtype == np.int64
    assert found.shape == (n_queries, min(n, n_tags))
    np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


def test_infinite_scores_and_tie_breaks_are_ordered_too() -> None:
    scores = np.array([[-np.inf, 0.0, -np.inf, np.inf]])
    np.testing.assert_array_equal(rank_tags(scores, 3), [[3, 1, 0]])
    ties = [np.array([-np.inf, 0.0, -np.inf, -np.inf])]
    np.testing.assert_array_equal(rank_tags(np.zeros((1, 4)), 3, ties), [[1, 0, 2]])


def test_all_tags_are_given_while_the_vocabulary_lasts() -> None:
    np.testing.assert_array_equal(rank_tags(np.zeros((1, 3)), 5), [[0, 1, 2]])
    assert rank_tags(np.zeros((2, 0)), 5).shape == (2, 0)


@pytest.mark.parametrize(
    ("scores", "n", "ties", "message"),
    [
        ([[np.nan, 1]], 1, (), "is NaN"),
        ([[0, 1]], 1, [np.array([0, np.nan])], "is NaN"),
        ([0.0, 1.0], 1, (), "scores of shape"),
        ([[0.0, 1.0]], 1, [np.zeros(3)], "a tie break of shape"),
        ([[0.0, 1.0]], -1, (), "-1 tags a picture"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, n: int, ties, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rank_tags(scores, n, ties)
