import numpy as np
import pytest

import indexing.index.exact
import learners.vector_voting
from indexing.errors import InputError, NotFittedError
from learners.base import Batch, TagLearner, TagMatrix
from learners.cca_knn import CCAKNN
from learners.metrics import Measure
from learners.two_pass import TwoPassKNN
from learners.votes import tag_votes


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def planted(n_images: int = 300, n_tags: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Tags that a few faint directions of the features tell, among many loud ones that do not."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_images, n_tags)) < 0.3
    told = truth @ rng.normal(size=(n_tags, 40))
    noise = 30 * rng.normal(size=(n_images, 4)) @ rng.normal(size=(4, 40))
    return (told + noise + 0.1 * rng.normal(size=(n_images, 40))).astype(np.float32), truth


def matrix(present: np.ndarray) -> TagMatrix:
    return TagMatrix.from_lists(
        np.arange(len(present)), [np.flatnonzero(y) for y in present], present.shape[1]
    )


def test_the_nearest_of_every_tag_vote_each_once() -> None:
    # Three pictures of tag 0 lie nearer than the only one of tag 1, and so does one that has
    # no tag at all. The one at 10 degrees carries tags 0 and 2 and votes once.
    tags = TagMatrix.from_lists([3, 5, 6, 8, 9], [[0, 2], [0], [0], [], [1]], n_tags=3)
    vectors = on_circle(10, 20, 30, 5, 90)
    learner = TwoPassKNN(n_label_neighbors=2, weight_decay=3)
    found = learner.fit(Batch(features=vectors), tags).voters(on_circle(0))
    np.testing.assert_array_equal(found.positions, [[0, 1, 4]])
    np.testing.assert_array_equal(found.rows, [[3, 5, 9]])
    distances = 1 - np.cos(np.deg2rad([10, 20, 90]))
    np.testing.assert_allclose(found.distances[0], distances, atol=1e-6)
    weights = np.exp(-3 * distances) / np.exp(-3 * distances).sum()
    np.testing.assert_allclose(found.weights[0], weights, rtol=1e-5)
    scores = learner.predict_scores(Batch(features=on_circle(0)))
    expected = [weights[0] + weights[1], weights[2], weights[0]]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)


def test_equally_near_pictures_of_a_tag_vote_in_order_of_row() -> None:
    vectors = np.tile(on_circle(30), (40, 1))
    of_tag_0 = TagMatrix.from_lists(range(40), [[0]] * 40, n_tags=1)
    found = TwoPassKNN(n_label_neighbors=3).fit(Batch(features=vectors), of_tag_0)
    np.testing.assert_array_equal(found.voters(on_circle(0)).positions, [[0, 1, 2]])
    nearest = CCAKNN(n_neighbors=3).fit(Batch(features=vectors), of_tag_0)
    np.testing.assert_array_equal(nearest.voters(on_circle(0)).positions, [[0, 1, 2]])


@pytest.mark.parametrize("n_queries_a_step", [1, 2, 5])
def test_ties_are_ordered_by_row_however_many_steps_there_are(
    n_queries_a_step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sixty copies of each axis, so that products are exact, scattered over the rows.
    rng = np.random.default_rng(0)
    axis = rng.permutation(np.repeat(np.arange(5), 60))
    vectors = np.eye(5, dtype=np.float32)[axis]
    present = rng.random((300, 4)) < 0.4
    monkeypatch.setattr(learners.vector_voting, "_STEP_CELLS", n_queries_a_step * 300)
    monkeypatch.setattr(indexing.index.exact, "TILE", n_queries_a_step * 300)
    asked = np.array([rng.permutation([5, 4, 3, 2, 1]) for _ in range(7)], dtype=np.float32)
    by_distance = [sorted(range(300), key=lambda i, q=q: (-q[axis[i]], i)) for q in asked]

    two_pass = TwoPassKNN(n_label_neighbors=7).fit(Batch(features=vectors), matrix(present))
    found = two_pass.voters(asked)
    for positions, order in zip(found.positions, by_distance, strict=True):
        of_tags = [[i for i in order if present[i, tag]][:7] for tag in range(4)]
        voting = set().union(*of_tags)
        assert positions[positions >= 0].tolist() == [i for i in order if i in voting]

    head, arrays = CCAKNN(n_neighbors=70).fit(Batch(features=vectors), matrix(present)).state()
    as_they_are = {"mean": np.zeros(5), "matrix": np.eye(5), "correlations": np.ones(5)}
    cca = CCAKNN.from_state(head, {**arrays, **as_they_are, "vectors": vectors})
    found = cca.voters(asked)
    assert found.positions.tolist() == [order[:70] for order in by_distance]


def test_far_pictures_still_vote_however_fast_votes_fade() -> None:
    tags = TagMatrix.from_lists([0, 1], [[0], [1]], n_tags=2)
    learner = TwoPassKNN(weight_decay=1e4).fit(Batch(features=on_circle(170, 180)), tags)
    scores = learner.predict_scores(Batch(features=on_circle(0)))
    np.testing.assert_allclose(scores, [[1, 0]], atol=1e-6)


def test_a_zero_vector_is_as_far_from_everybody() -> None:
    tags = TagMatrix.from_lists([0, 1], [[0], [1]], n_tags=2)
    learner = TwoPassKNN().fit(Batch(features=on_circle(0, 90)), tags)
    zero = np.zeros((1, 2), dtype=np.float32)
    np.testing.assert_allclose(learner.predict_scores(Batch(features=zero)), [[0.5, 0.5]])


@pytest.mark.parametrize("learner", [TwoPassKNN(), CCAKNN(n_neighbors=20)])
def test_the_size_of_the_steps_changes_nothing(
    learner: TwoPassKNN | CCAKNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, truth = planted()
    learner.fit(Batch(features=features[:200]), matrix(truth[:200]))
    whole = learner.predict_scores(Batch(features=features[200:]))
    monkeypatch.setattr(learners.vector_voting, "_STEP_CELLS", 7 * 200)
    steps = learner.predict_scores(Batch(features=features[200:]))
    # A product of other shape rounds otherwise, and the decay makes it more.
    np.testing.assert_allclose(steps, whole, atol=1e-5)


@pytest.mark.parametrize("learner", [TwoPassKNN(), CCAKNN(n_neighbors=20)])
def test_scores_are_the_votes_of_the_voters(learner: TwoPassKNN | CCAKNN) -> None:
    features, truth = planted(n_images=80)
    with pytest.raises(NotFittedError, match="call fit"):
        learner.voters(features)
    learner.fit(Batch(features=features[:60]), matrix(truth[:60]))
    found = learner.voters(features[60:])
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    for positions, distances in zip(found.positions, found.distances, strict=True):
        assert np.all(np.diff(distances[positions >= 0]) >= 0)
    scores = learner.predict_scores(Batch(features=features[60:]))
    np.testing.assert_allclose(scores, tag_votes(found, learner.tags_), atol=1e-6)


@pytest.mark.parametrize("learner", [TwoPassKNN(), CCAKNN()])
def test_features_of_another_width_are_refused(learner: TwoPassKNN | CCAKNN) -> None:
    features, truth = planted(n_images=30)
    learner.fit(Batch(features=features), matrix(truth))
    with pytest.raises(InputError, match=r"features of .*39.* 40"):
        learner.predict_scores(Batch(features=features[:, :39]))
    with pytest.raises(InputError, match="one row a picture"):
        learner.predict_scores(Batch(features=features[0]))


def test_two_passes_hear_a_rare_tag() -> None:
    # 50 pictures of a frequent tag around the query, 3 of a rare one just behind them.
    rng = np.random.default_rng(0)
    degrees = [*rng.uniform(-20, 20, 50), 25, 26, -25]
    tags = TagMatrix.from_lists(range(53), [[0]] * 50 + [[1]] * 3, n_tags=2)
    vectors, asked = Batch(features=on_circle(*degrees)), Batch(features=on_circle(0))
    crowded = TwoPassKNN(n_label_neighbors=60, weight_decay=5).fit(vectors, tags)
    heard = TwoPassKNN(n_label_neighbors=3, weight_decay=5).fit(vectors, tags)
    assert crowded.predict_scores(asked)[0, 1] < 0.05
    assert 0.3 < heard.predict_scores(asked)[0, 1] < 0.5


def test_cca_knn_finds_what_the_features_hide() -> None:
    features, truth = planted()
    known, asked = slice(0, 200), slice(200, 300)
    raw, projected = TwoPassKNN(), CCAKNN(n_neighbors=10, regularization=1e-3)
    hit_rate = {}
    for name, learner in {"raw": raw, "projected": projected}.items():
        learner.fit(Batch(features=features[known]), matrix(truth[known]))
        scores = learner.predict_scores(Batch(features=features[asked]))
        hit_rate[name] = Measure("map").compute(scores, truth[asked]).value
    assert hit_rate["raw"] < 0.55
    assert hit_rate["projected"] > 0.95


def test_all_pictures_of_the_same_tags_teach_no_direction_and_still_vote() -> None:
    features, _ = planted(n_images=20)
    tags = TagMatrix.from_lists(range(20), [[0]] * 20, n_tags=2)
    learner = CCAKNN(n_neighbors=4).fit(Batch(features=features), tags)
    assert learner.projection_.matrix.shape == (40, 0)
    scores = learner.predict_scores(Batch(features=features[:2]))
    np.testing.assert_array_equal(scores, [[1, 0], [1, 0]])
    head, arrays = learner.state()
    again = TagLearner.from_state(head, arrays)
    np.testing.assert_array_equal(again.predict_scores(Batch(features=features[:2])), scores)
