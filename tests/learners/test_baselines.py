import numpy as np
import pytest

from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch, TagMatrix
from learners.baselines import LabelTransfer, RandomScores, TagFrequency
from learners.metrics import Measure
from learners.table import make_learner
from tests.reference import baselines as reference

# Eight pictures; tag 0 is on five of them, tag 1 on four, tag 2 on two, tag 3 on one.
TAGS = TagMatrix.from_lists(
    range(8), [[0, 1], [0, 1], [0], [0, 2], [1, 3], [0, 1, 2], [], []], n_tags=5
)


def near(*rows: int) -> Neighbors:
    distances = np.arange(len(rows), dtype=np.float32) / 10
    return Neighbors(
        np.array([rows]), np.where(np.array([rows]) < 0, np.float32(np.inf), distances)
    )


def copied(neighbors: Neighbors, n_neighbors: int) -> np.ndarray:
    learner = LabelTransfer(n_neighbors=n_neighbors).fit(Batch(), TAGS)
    return learner.predict_scores(Batch(neighbors=neighbors))[0]


def test_random_scores_are_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    scores = RandomScores().fit(Batch(), TAGS).predict_scores(Batch(features=features))
    assert scores.min() >= 0
    assert scores.max() < 1
    np.testing.assert_allclose(scores.mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_allclose(np.corrcoef(scores.T) - np.eye(5), 0, atol=0.2)
    truth = rng.random(scores.shape) < 0.2
    assert Measure("map").compute(scores, truth).value == pytest.approx(0.2, abs=0.05)


def test_random_scores_are_a_picture_own_and_change_with_the_seed() -> None:
    features = np.array([[1, 2], [1, np.nextafter(np.float32(2), 3)]], dtype=np.float32)
    learner = RandomScores(seed=5).fit(Batch(), TAGS)
    one, other = learner.predict_scores(Batch(features=features))
    assert not np.any(one == other)
    alone = learner.predict_scores(Batch(features=np.asfortranarray(features)[1:]))
    np.testing.assert_array_equal(alone[0], other)
    elsewhere = RandomScores(seed=6).fit(Batch(), TAGS).predict_scores(Batch(features=features))
    assert not np.any(elsewhere[0] == one)


def test_frequency_by_hand() -> None:
    learner = TagFrequency().fit(Batch(), TAGS)
    scores = learner.predict_scores(Batch(features=np.ones((2, 1), np.float32)))
    np.testing.assert_allclose(scores, [[5 / 8, 4 / 8, 2 / 8, 1 / 8, 0]] * 2)


def test_copying_by_hand() -> None:
    # Tag 0 alone is copied from picture 2. Of the four further voters, two carry tag 1, which
    # goes with tag 0 three times of five; two carry tag 2, which does so twice; one tag 3.
    scores = copied(near(2, 3, 4, 5, 7), 5)
    expected = [1 + 5 / 8, 2 / 4 * 4 / 6, 2 / 4 * 3 / 6, 1 / 4 * 1 / 6, 0]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_the_nearest_picture_without_tags_leaves_local_frequency() -> None:
    np.testing.assert_allclose(copied(near(6, 4, 0), 3), [0.5, 1, 0, 0.5, 0])


def test_one_voter_lends_its_tags_alone() -> None:
    np.testing.assert_allclose(copied(near(0, 4, 3), 1), [1 + 5 / 8, 1 + 4 / 8, 0, 0, 0])


@pytest.mark.parametrize("seed", range(5))
def test_scores_rank_as_the_greedy_transfer_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random((60, 12)) < rng.uniform(0.05, 0.5, 12)
    tags = TagMatrix.from_lists(range(60), [np.flatnonzero(y) for y in present], 12)
    rows = rng.permuted(np.tile(np.arange(60), (20, 1)), axis=1)[:, :6]
    neighbors = Neighbors(rows, np.tile(np.arange(6, dtype=np.float32), (20, 1)))
    scores = (
        LabelTransfer(n_neighbors=6).fit(Batch(), tags).predict_scores(Batch(neighbors=neighbors))
    )
    for query in range(20):
        distances = neighbors.distances[query]
        first, rest = reference.transferred(rows[query], distances, tags, 6)
        expected = [*first, *rest]
        assert set(np.flatnonzero(scores[query])) == set(expected)
        # Equal priorities may come in any order: their scores are equal.
        assert np.all(np.diff(scores[query][expected]) <= 1e-7)
        assert not rest or not first or scores[query][first].min() > scores[query][rest].max()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("random", {"seed": -1}, "seed is -1; it is at least 0"),
        ("random", {"seed": 0.5}, "seed is 0.5; it is a whole number"),
        ("copy", {"n_neighbors": 0}, "n_neighbors is 0; it is at least 1"),
        ("2pknn", {"n_label_neighbors": 0}, "n_label_neighbors is 0; it is at least 1"),
        ("2pknn", {"weight_decay": -1}, "weight_decay is -1; it is a number of at least 0"),
        ("2pknn", {"weight_decay": "36"}, "weight_decay is '36'; it is a number of at least 0"),
        ("2pknn", {"weight_decay": np.nan}, "weight_decay is nan; it is a number of at least 0"),
        ("cca-knn", {"regularization": 0}, "regularization is 0; it is a number above 0"),
        ("cca-knn", {"n_dims": 0}, "n_dims is 0; it is at least 1"),
        ("cca-knn", {"n_neighbors": True}, "n_neighbors is True; it is a whole number"),
    ],
)
def test_values_that_are_not_accepted(name: str, params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_learner(name, **params)
