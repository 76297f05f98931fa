import numpy as np
import pytest

import learners.selection
from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch, TagMatrix
from learners.metrics import LabelCounts, Measure
from learners.ranking import rank_tags
from learners.selection import choose_n_neighbors
from learners.votes import exclude
from learners.voting import KNN


def clusters(size: int, n_clusters: int = 12, noise: float = 0.0, seed: int = 0):
    """Pictures of clusters with a tag each: the others of the cluster are the nearest.

    Returns the tags and each picture's neighbours without itself.
    """
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), size)
    shown = np.where(rng.random(cluster.size) < noise, rng.permutation(cluster), cluster)
    rows = 3 * np.arange(cluster.size) + 1
    tags = TagMatrix.from_lists(rows, [[tag] for tag in shown], n_clusters)
    apart = (cluster[:, None] != cluster) + rng.random((cluster.size, cluster.size)) / 2
    np.fill_diagonal(apart, 0)
    order = np.argsort(apart, axis=1)
    distances = np.take_along_axis(apart, order, axis=1).astype(np.float32)
    found = Neighbors(rows[order], distances)
    groups = np.arange(cluster.size)
    return tags, exclude(found, query_groups=groups, rows=rows, groups=groups)


def test_where_the_nearest_agree_no_strangers_vote() -> None:
    tags, neighbors = clusters(size=8)
    choice = choose_n_neighbors(neighbors, tags, tags, (1, 3, 7, 14, 90), Measure("c-f1", at=1))
    # 14 voters still put the right tag first, but half of them are of other clusters.
    assert choice.curve[7] == choice.curve[14] == 1
    assert choice.curve[90] < 0.9
    assert choice.share_errors[3] == choice.share_errors[7] == 0 < choice.share_errors[14]
    assert choice.n_neighbors == 7


def test_noise_asks_for_more_voters() -> None:
    tags, neighbors = clusters(size=12, noise=0.35)
    choice = choose_n_neighbors(neighbors, tags, tags, (1, 11), Measure("c-f1", at=1))
    assert choice.n_neighbors == 11
    assert choice.curve[11] > choice.curve[1] + 0.1


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
@pytest.mark.parametrize("text", ["c-f1", "i-f1", "h-f1", "n+"])
def test_the_curve_is_that_of_knn_asked_anew(
    text: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learners.selection, "STEP_SIZE", step)
    tags, neighbors = clusters(size=6, n_clusters=7, noise=0.5)
    choice = choose_n_neighbors(neighbors, tags, tags, (1, 2, 5), Measure(text, at=2))
    truth = tags.toarray()
    for n_neighbors, value in choice.curve.items():
        learner = KNN(n_neighbors=n_neighbors).fit(Batch(), tags)
        asked = Batch(neighbors=neighbors)
        alike, counts = learner.tie_breaks(asked)
        ranked = rank_tags(learner.predict_scores(asked), 2, (alike, counts - truth))
        emitted = np.zeros(truth.shape, dtype=bool)
        np.put_along_axis(emitted, ranked, True, axis=1)
        counted = LabelCounts.of(emitted, truth)
        expected = {
            "c-f1": counted.c_f1, "i-f1": counted.i_f1, "h-f1": counted.h_f1,
            "n+": counted.n_recalled,
        }[text]()  # fmt: skip
        assert value == pytest.approx(float(expected), abs=1e-12)


def test_of_those_within_the_error_of_the_best_the_shares_decide() -> None:
    tags, neighbors = clusters(size=10, noise=0.3, seed=2)
    choice = choose_n_neighbors(neighbors, tags, tags, range(1, 40), Measure("c-f1", at=1))
    margin = min(choice.standard_error, 0.01)
    best = max(choice.curve.values())
    close = {n for n, value in choice.curve.items() if value >= best - margin}
    assert 1 < len(close) < 39
    assert choice.n_neighbors in close
    assert choice.share_errors[choice.n_neighbors] == min(choice.share_errors[n] for n in close)
    assert 0 < choice.standard_error < 0.2


def test_the_share_error_is_the_mean_square_by_hand() -> None:
    # One query with voters 1 and 2: shares 1/2, 1/2, 0; true is tag 0 alone.
    tags = TagMatrix.from_lists([0, 1, 2], [[0], [0], [1]], n_tags=3)
    near = Neighbors(np.array([[1, 2]]), np.array([[0.1, 0.2]], dtype=np.float32))
    choice = choose_n_neighbors(near, tags, tags.take([0]), (1, 2), Measure("i-f1", at=1))
    assert choice.share_errors == pytest.approx({1: 0, 2: (1 / 4 + 1 / 4 + 0) / 3})


def test_the_standard_error_is_that_of_other_samples() -> None:
    errors, values = [], []
    for seed in range(60):
        tags, neighbors = clusters(size=12, noise=0.4, seed=seed)
        choice = choose_n_neighbors(neighbors, tags, tags, (5,), Measure("i-f1", at=1))
        errors.append(choice.standard_error)
        values.append(choice.curve[5])
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.4)


def test_more_neighbours_than_there_are_cannot_be_chosen() -> None:
    tags = TagMatrix.from_lists([0, 1, 2, 3], [[0]] * 4, n_tags=2)
    rows = np.array([[1, 2, 3, -1], [0, 2, 3, -1], [0, 1, 3, -1], [0, 1, 2, -1]])
    near = Neighbors(rows, np.where(rows < 0, np.inf, 0.5).astype(np.float32))
    assert choose_n_neighbors(near, tags, tags).n_neighbors == 3
    nobody = Neighbors(np.full((4, 4), -1), np.full((4, 4), np.inf, dtype=np.float32))
    assert choose_n_neighbors(nobody, tags, tags, (2, 5)).n_neighbors == 2


def test_a_picture_s_own_tags_do_not_fill_its_list() -> None:
    # Tag 1 is the picture's own alone; without it tag 0 is the more frequent.
    tags = TagMatrix.from_lists([0, 1, 2], [[1], [0], [2]], n_tags=3)
    nobody = Neighbors(np.full((1, 1), -1), np.full((1, 1), np.inf, dtype=np.float32))
    choice = choose_n_neighbors(nobody, tags, tags.take([0]), (1,), Measure("i-f1", at=2))
    assert choice.curve[1] == 0


def test_nothing_sampled_gives_the_smallest_number() -> None:
    tags = TagMatrix.from_lists([0], [[0]], n_tags=1)
    nothing = Neighbors(np.empty((0, 4), np.int64), np.empty((0, 4), np.float32))
    choice = choose_n_neighbors(nothing, tags, tags.take([]))
    assert choice.n_neighbors == 1
    assert np.isnan(choice.standard_error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": ()}, "give at least one"),
        ({"candidates": (0, 3)}, "whole numbers, at least 1"),
        ({"measure": Measure("map")}, "neighbours cannot be chosen by map"),
        ({"measure": Measure("c-f1", above=0.5)}, "neighbours cannot be chosen by c-f1>0.5"),
        ({"measure": Measure("ndcg", at=5)}, "neighbours cannot be chosen by ndcg@5"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused(changes, message: str) -> None:
    tags, neighbors = clusters(size=2, n_clusters=3)
    with pytest.raises(InputError, match=message):
        choose_n_neighbors(neighbors, tags, tags, **changes)
    with pytest.raises(InputError, match="truth of 2 pictures and 3 tags for 6 queries"):
        choose_n_neighbors(neighbors, tags, tags.take([0, 1]))
