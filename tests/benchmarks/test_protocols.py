"""Protocols by hand-worked cases."""

import numpy as np
import pytest

from benchmarks.draws import few_examples, fold_numbers, given_tags
from benchmarks.protocols import Completion, Emission, Emit, Protocol, Vocabulary
from indexing.errors import InputError
from learners.tag_matrix import TagMatrix


def test_a_protocol_is_a_value_that_prints():
    one = Protocol(completion=Completion(), n_examples=2, seed=3)
    assert one == Protocol(completion=Completion(), n_examples=2, seed=3)
    assert hash(one) != hash(Protocol(seed=3))
    assert str(one) == (
        "learn from train, ask about test, all tags of the training split, exactly 5 tags, "
        "2 training pictures a tag, each true tag given with probability 0.5 and up to 2 wrong "
        "ones; what was given is neither candidate nor truth, seed 3"
    )


@pytest.mark.parametrize(
    ("emission", "printed", "names"),
    [
        (Emission(), "exactly 5 tags", {"ndcg@5", "c-f1@5", "n+@5", "accuracy@5"}),
        (Emission(Emit.EXACTLY, 3), "exactly 3 tags", {"ndcg@3", "c-f1@3"}),
        (Emission(Emit.ABOVE, 0.5), "tags that score above 0.5", {"ndcg@5", "c-f1>0.5"}),
        (
            Emission(Emit.PREDICTED_QUANTITY),
            "as many tags as the method predicts",
            {"c-f1@lqp", "lqp-accuracy", "lqp-mse"},
        ),
        (
            Emission(Emit.EACH_WAY),
            "a fixed number of tags, as many as predicted, as many as are true",
            {"c-p@lqp", "i-p@lqp", "i-r@lqp", "h-f1@lqp", "lqp-accuracy", "lqp-mse"},
        ),
    ],
)
def test_an_emission_names_its_measures(emission, printed, names):
    assert str(emission) == printed
    assert names <= set(map(str, emission.measures()))
    assert {"map", "miap"} <= set(map(str, emission.measures()))


def test_a_vocabulary_keeps_the_most_frequent_tags_earlier_names_first():
    counts = np.array([3, 0, 5, 3, 1, 3])
    assert Vocabulary().choose(counts).tolist() == [0, 2, 3, 4, 5]
    assert Vocabulary(most_frequent=3).choose(counts).tolist() == [0, 2, 3]
    assert Vocabulary(min_pictures=3).choose(counts).tolist() == [0, 2, 3, 5]


def test_folds_are_a_seeded_partition_of_even_sizes():
    numbers = fold_numbers(103, 5, seed=1)
    assert sorted(np.bincount(numbers)) == [20, 20, 21, 21, 21]
    assert np.array_equal(numbers, fold_numbers(103, 5, seed=1))
    assert not np.array_equal(numbers, fold_numbers(103, 5, seed=2))
    with pytest.raises(InputError, match="5 folds of 4 pictures"):
        fold_numbers(4, 5, seed=0)


def test_given_tags_are_true_ones_and_a_few_wrong_ones():
    truth = np.random.default_rng(0).random((4_000, 30)) < 0.1
    given = given_tags(truth, Completion(share=0.5, max_wrong=2), seed=7)
    share = (given & truth).sum() / truth.sum()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / truth.sum())
    n_wrong = (given & ~truth).sum(axis=1)
    assert np.all(np.abs(np.bincount(n_wrong, minlength=3) / 4_000 - 1 / 3) < 0.03)
    assert np.array_equal(given, given_tags(truth, Completion(), seed=7))
    assert not np.array_equal(given, given_tags(truth, Completion(), seed=8))


def test_each_true_tag_is_given_independently_of_the_others():
    given = given_tags(np.ones((4_000, 2), dtype=bool), Completion(max_wrong=0), seed=0)
    shares = np.bincount(2 * given[:, 0] + given[:, 1], minlength=4) / 4_000
    assert np.all(np.abs(shares - 0.25) < 4 * np.sqrt(0.1875 / 4_000))


def test_no_wrong_tag_is_given_to_a_picture_that_has_all_tags():
    truth = np.ones((50, 3), dtype=bool)
    given = given_tags(truth, Completion(share=0.0, max_wrong=2), seed=0)
    assert not given.any()


def test_few_examples_by_hand():
    # tag 2 is on picture 4 alone; tag 1 on 1, 4; tag 0 on all but 4.
    tags = TagMatrix.from_lists(range(5), [[0], [0, 1], [0], [0], [1, 2]], n_tags=3)
    for seed in range(10):
        chosen = few_examples(tags, 1, seed=seed)
        # The rarest tag brings picture 4, which serves tag 1 as well; tag 0 needs one more.
        assert 4 in chosen
        assert len(chosen) == 2
    assert few_examples(tags, 2, seed=0).tolist()[-1] == 4
    assert 1 in few_examples(tags, 2, seed=0)
    assert len(few_examples(tags, 50, seed=0)) == 5


def test_few_examples_reach_the_number_and_nest():
    rng = np.random.default_rng(0)
    lists = [np.flatnonzero(row) for row in rng.random((300, 12)) < 0.08]
    tags = TagMatrix.from_lists(range(300), lists, n_tags=12)
    before: set[int] = set()
    for n in (1, 2, 5, 10):
        chosen = few_examples(tags, n, seed=4)
        counts = tags.take(chosen).counts
        assert np.all(counts >= np.minimum(n, tags.counts))
        assert len(chosen) <= 12 * n
        assert before <= set(chosen.tolist())
        before = set(chosen.tolist())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Protocol(n_folds=1), "1 folds; 2 or more"),
        (lambda: Protocol(evaluation="train"), "cannot be evaluated on itself"),
        (lambda: Protocol(n_examples=-1), "-1 training pictures a tag"),
        (lambda: Completion(share=1.0), "a share of 1.0"),
        (lambda: Emission(Emit.EXACTLY, 2.5), "2.5 tags a picture"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
