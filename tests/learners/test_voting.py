import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import learners.votes
from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch, TagMatrix
from learners.metrics import Judged, parse_measure
from learners.ranking import rank_tags
from learners.votes import Weights, exclude, tag_votes, voters
from learners.voting import KNN, TagVote
from tests.reference import voting as reference

PAD, FAR = -1, np.inf

# Rows 2, 3, 5, 8, 9 vote; row 4 is a picture that nobody has tagged. Row 9 is the last one: a
# pad that is used as an index would make it vote.
TAGS = TagMatrix.from_lists(
    [2, 3, 5, 8, 9],
    [[0], [0, 1], [1], [], [2]],
    n_tags=3,
    owners=[10, 10, -1, -1, 11],
)


def near(rows: list[list[int]], distances: list[list[float]] | None = None) -> Neighbors:
    found = np.array(rows)
    if distances is None:
        steps = np.arange(found.shape[1], dtype=np.float32) / 10
        distances = np.where(found < 0, np.float32(np.inf), steps)
    return Neighbors(found, np.asarray(distances, dtype=np.float32))


def test_the_first_that_vote_are_chosen_and_the_rest_skipped() -> None:
    found = voters(near([[4, 3, 2, 5], [9, PAD, PAD, PAD]]), TAGS, n_neighbors=2)
    np.testing.assert_array_equal(found.positions, [[1, 0], [4, PAD]])
    np.testing.assert_array_equal(found.rows, [[3, 2], [9, PAD]])
    np.testing.assert_allclose(found.distances, [[0.1, 0.2], [0, FAR]])
    np.testing.assert_array_equal(found.weights, [[1, 1], [1, 0]])
    np.testing.assert_array_equal(found.n_found, [2, 1])
    np.testing.assert_array_equal(found.complete, [True, False])


def test_an_owner_votes_once_by_the_nearest_picture() -> None:
    found = voters(near([[2, 3, 5, 8, 9]]), TAGS, n_neighbors=4, unique_owner=True)
    np.testing.assert_array_equal(found.rows, [[2, 5, 8, 9]])


def test_pictures_of_unknown_owner_are_each_their_own() -> None:
    found = voters(near([[5, 8, 3, 2]]), TAGS, n_neighbors=4, unique_owner=True)
    np.testing.assert_array_equal(found.rows, [[5, 8, 3, PAD]])
    assert not found.complete.any()


def test_the_owner_rule_is_off_where_no_owner_is_known() -> None:
    nobody = TagMatrix.from_lists([2, 3], [[0], [0]], n_tags=1)
    assert voters(near([[2, 3]]), nobody, 2, unique_owner=True).complete.all()


def test_the_same_owner_votes_again_on_another_query() -> None:
    found = voters(near([[2, 9], [3, 9]]), TAGS, n_neighbors=2, unique_owner=True)
    np.testing.assert_array_equal(found.rows, [[2, 9], [3, 9]])


def test_similarity_weights_are_never_negative() -> None:
    neighbors = near([[2, 3, 5, PAD]], [[0.25, 1.0, 1.5, FAR]])
    found = voters(neighbors, TAGS, 4, weights=Weights.SIMILARITY)
    np.testing.assert_allclose(found.weights, [[0.75, 0, 0, 0]])


def test_knn_by_hand() -> None:
    neighbors = near([[3, 2, 5], [PAD, PAD, PAD]], [[0.2, 0.4, 0.5], [FAR] * 3])
    uniform = KNN(n_neighbors=3).fit(Batch(), TAGS).predict_scores(Batch(neighbors=neighbors))
    np.testing.assert_allclose(uniform, [[2 / 3, 2 / 3, 0], [0, 0, 0]])
    similar = KNN(n_neighbors=3, weights=Weights.SIMILARITY).fit(Batch(), TAGS)
    scores = similar.predict_scores(Batch(neighbors=neighbors))
    np.testing.assert_allclose(scores, [[1.4 / 1.9, 1.3 / 1.9, 0], [0, 0, 0]], rtol=1e-6)


def test_knn_with_voters_of_no_weight_scores_zero() -> None:
    learner = KNN(n_neighbors=2, weights=Weights.SIMILARITY).fit(Batch(), TAGS)
    neighbors = near([[3, 2]], [[1.0, 1.2]])
    np.testing.assert_array_equal(learner.predict_scores(Batch(neighbors=neighbors)), 0)


def test_equal_votes_go_by_similarity_then_frequency_then_name() -> None:
    tags = TagMatrix.from_lists(
        [0, 1, 2, 3], [[3], [2], [0, 1, 4], [1, 4]], n_tags=6
    )  # votes of rows 0 and 1 tie; tags 0, 1, 4, 5 have none; 1 and 4 are the more frequent
    learner = KNN(n_neighbors=2).fit(Batch(), tags)
    batch = Batch(neighbors=near([[1, 0]], [[0.1, 0.2]]))
    ranked = rank_tags(learner.predict_scores(batch), 6, learner.tie_breaks(batch))
    np.testing.assert_array_equal(ranked, [[2, 3, 1, 4, 0, 5]])


def test_tagvote_by_hand_counts_the_prior_of_the_voters_found() -> None:
    # Owner 10 votes once: voters 3, 5, 9. n = 5 pictures, n_t = 2, 2, 1.
    learner = TagVote(n_neighbors=100).fit(Batch(), TAGS)
    scores = learner.predict_scores(Batch(neighbors=near([[3, 2, 5, 9, PAD]])))
    np.testing.assert_allclose(scores, [[1 - 3 * 0.4, 2 - 3 * 0.4, 1 - 3 * 0.2]], rtol=1e-6)
    np.testing.assert_allclose(learner.prior_, [0.4, 0.4, 0.2])
    assert learner.prior_.dtype == np.float32


def test_the_prior_moves_miap_and_never_map() -> None:
    rng = np.random.default_rng(3)
    common = np.array([0.7, 0.5, 0.3, 0.2, 0.1, 0.1, 0.05])
    present = rng.random((80, 7)) < common
    tags = TagMatrix.from_lists(np.arange(80), [np.flatnonzero(row) for row in present], 7)
    neighbors = near([list(rng.permutation(80)[:10]) for _ in range(40)])
    scores = TagVote(n_neighbors=10).fit(Batch(), tags).predict_scores(Batch(neighbors=neighbors))
    votes = tag_votes(voters(neighbors, tags, 10), tags)
    truth = rng.random((40, 7)) < common
    with_prior, without = Judged(scores, truth), Judged(votes, truth)
    map_, miap = parse_measure("map"), parse_measure("miap")
    assert map_.apply(with_prior).value == map_.apply(without).value
    assert miap.apply(with_prior).value != pytest.approx(miap.apply(without).value, abs=0.01)


@pytest.mark.parametrize("step", [1, 7, 100])
def test_votes_do_not_depend_on_how_the_work_is_cut(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbors = near([[3, 2, 5], [9, 8, PAD], [PAD] * 3, [4, 4, 4], [8, 5, 2]])
    chosen = voters(neighbors, TAGS, 3)
    whole = tag_votes(chosen, TAGS)
    monkeypatch.setattr(learners.votes, "STEP_SIZE", step)
    np.testing.assert_array_equal(tag_votes(chosen, TAGS), whole)
    np.testing.assert_array_equal(whole[0], [2, 2, 0])
    assert not whole[2:4].any()


def test_a_part_of_the_voters_votes_for_its_part() -> None:
    chosen = voters(near([[3, 2, 5], [9, 8, 2]]), TAGS, 3, weights=Weights.SIMILARITY)
    first = chosen.part(slice(0, 2), slice(0, 1))
    rest = chosen.part(slice(0, 2), slice(1, 3))
    np.testing.assert_allclose(
        tag_votes(first, TAGS) + tag_votes(rest, TAGS), tag_votes(chosen, TAGS)
    )
    np.testing.assert_array_equal(tag_votes(first.weighing_one(), TAGS), [[1, 1, 0], [0, 0, 1]])


def test_a_picture_and_its_copies_are_left_out_wherever_they_stand() -> None:
    neighbors = near([[7, 3, 5, 8], [3, 5, 7, 8], [8, PAD, PAD, PAD], [3, 7, 8, 5]])
    rows, groups = [3, 5, 7, 8], [0, 1, 0, 2]  # rows 3 and 7 have the same content
    left = exclude(neighbors, query_groups=[0, 1, 2, -1], rows=rows, groups=groups)
    np.testing.assert_array_equal(
        left.rows, [[5, 8, PAD, PAD], [3, 7, 8, PAD], [PAD] * 4, [3, 7, 8, 5]]
    )
    np.testing.assert_allclose(
        left.distances, [[0.2, 0.3, FAR, FAR], [0, 0.2, 0.3, FAR], [FAR] * 4, [0, 0.1, 0.2, 0.3]]
    )


def test_a_neighbour_of_unknown_group_stays() -> None:
    left = exclude(near([[99, 3]]), query_groups=[0], rows=[3], groups=[0])
    np.testing.assert_array_equal(left.rows, [[99, PAD]])
    left = exclude(near([[99, 3]]), query_groups=[0], rows=[], groups=[])
    np.testing.assert_array_equal(left.rows, [[99, 3]])


def test_groups_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match="1 query groups for 2 queries"):
        exclude(near([[3], [5]]), query_groups=[0], rows=[3, 5], groups=[0, 1])
    with pytest.raises(InputError, match="1 groups for 2 rows"):
        exclude(near([[3], [5]]), query_groups=[0, 1], rows=[3, 5], groups=[0])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[TagMatrix, Neighbors, int, np.random.Generator]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_images, n_tags, k = draw(st.integers(1, 12)), draw(st.integers(1, 4)), draw(st.integers(1, 9))
    rows = rng.choice(20, size=n_images, replace=False)
    lists = [np.flatnonzero(rng.random(n_tags) < 0.4) for _ in range(n_images)]
    owners = rng.integers(-1, draw(st.integers(0, 4)), size=n_images)
    tags = TagMatrix.from_lists(rows, lists, n_tags, owners)
    found = np.stack([rng.permutation(20)[:k] for _ in range(3)])
    found[np.arange(k) >= rng.integers(0, k + 1, size=3)[:, None]] = PAD
    return tags, near(found.tolist()), draw(st.integers(1, 10)), rng


@given(worlds(), st.booleans())
@settings(deadline=None, max_examples=100)
def test_voters_equal_the_literal_loop(world, unique_owner: bool) -> None:
    tags, neighbors, n_neighbors, _ = world
    found = voters(neighbors, tags, n_neighbors, unique_owner)
    for query in range(3):
        expected = reference.voters(
            neighbors.rows[query], neighbors.distances[query], tags, n_neighbors, unique_owner
        )
        n_found = found.n_found[query]
        assert found.positions[query, :n_found].tolist() == [position for position, _ in expected]
        assert (found.positions[query, n_found:] == PAD).all()
        assert found.complete[query] == (len(expected) == n_neighbors)


@given(worlds())
@settings(deadline=None, max_examples=50)
def test_exclusion_equals_the_literal_loop(world) -> None:
    tags, neighbors, _, rng = world
    groups = rng.integers(0, 4, size=tags.n_images)
    own = rng.integers(-1, 4, size=3)
    left = exclude(neighbors, query_groups=own, rows=tags.rows, groups=groups)
    group_of = dict(zip(tags.rows.tolist(), groups.tolist(), strict=True))
    for query in range(3):
        expected = reference.without_group(neighbors.rows[query], own[query], group_of)
        assert left.rows[query].tolist() == expected + [PAD] * (
            neighbors.rows.shape[1] - len(expected)
        )
