"""Neighbours for voters: held against a literal loop, with copies, owners and few pictures."""

import numpy as np
import pytest

import engine.neighborhood
from engine.neighborhood import Search, leave_one_out_neighbors
from learners.base import Batch
from learners.voting import KNN, TagVote
from tests.engine.literal import N_DIMS, corpus, reference

SIZES = {
    "no copies": [1] * 40,
    "copies": [1, 2, 3, 1, 1, 4, 1, 1, 2] * 3,
    "more copies than are spared": [30, 1, 1, 12, 2, 1, 1, 1, 9, 1],
    "nothing but copies": [25],
    "two groups": [20, 15],
    "fewer than are asked for": [1, 1, 2],
}


@pytest.mark.parametrize("unique_owner", [False, True])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("n_neighbors", [1, 5, 13])
def test_leave_one_out_is_what_a_literal_loop_finds(sizes, n_neighbors, unique_owner):
    tagged, index, source, group = corpus(sizes, n_owners=5 if unique_owner else 0)
    rows = tagged.tags.rows
    found = leave_one_out_neighbors(
        index, tagged, rows, source, n_neighbors, unique_owner=unique_owner
    )
    assert found.rows.shape == (len(rows), n_neighbors)
    for place, row in enumerate(rows):
        vector = source(np.array([row]))[0]
        expected = reference(tagged, source, vector, group, group[place], n_neighbors, unique_owner)
        got = found.rows[place]
        assert got[got >= 0].tolist() == expected
        assert np.isinf(found.distances[place, len(expected) :]).all()
        assert (np.diff(found.distances[place, : len(expected)]) >= 0).all()


def test_some_of_the_pictures_may_ask_in_any_number_and_order_of_groups(monkeypatch):
    monkeypatch.setattr(engine.neighborhood, "_ASKED_AT_ONCE", 3)
    tagged, index, source, group = corpus([1, 2, 3, 1, 1, 4, 1, 1, 2, 12])
    asking = np.arange(1, tagged.tags.n_images, 2)
    steps = []
    found = leave_one_out_neighbors(
        index,
        tagged,
        tagged.tags.rows[asking],
        source,
        6,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    for place, got in zip(asking, found.rows, strict=True):
        vector = source(tagged.tags.rows[[place]])[0]
        expected = reference(tagged, source, vector, group, group[place], 6)
        assert got[got >= 0].tolist() == expected
    assert steps[-1] == (len(asking), len(asking))
    assert steps == sorted(steps)


def test_copies_are_searched_once(monkeypatch):
    tagged, index, source, _ = corpus([300, *[1] * 20])
    asked = []
    search = type(index).search
    monkeypatch.setattr(
        type(index),
        "search",
        lambda self, queries, k, **more: (
            asked.append(len(queries) * k),
            search(self, queries, k, **more),
        )[1],
    )
    leave_one_out_neighbors(index, tagged, tagged.tags.rows, source, 10)
    # 21 contents ask for 18, and one of them goes on: 72, 288, all 320.
    assert sum(asked) == 21 * 18 + 72 + 288 + 320


@pytest.mark.parametrize(
    ("learner", "unique_owner"),
    [(KNN(n_neighbors=7), False), (TagVote(n_neighbors=6), True)],
    ids=["knn", "tagvote"],
)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_learner_gets_all_the_voters_it_needs(learner, unique_owner, sizes):
    tagged, index, source, group = corpus(sizes, seed=1, n_owners=9 if unique_owner else 0)
    fitted = learner.fit(Batch(), tagged.tags)
    draws = np.random.default_rng(2)
    known = source(tagged.tags.rows[:4])
    queries = np.concatenate([known, draws.normal(size=(5, N_DIMS)).astype(np.float32)])
    own_groups = np.concatenate([tagged.groups[:4], np.full(len(queries) - len(known), -1)])
    found = fitted.voters(Search(index, queries, tagged, own_groups).voters_of(fitted))
    for place, query in enumerate(queries):
        own = group[place] if place < len(known) else -1
        expected = reference(tagged, source, query, group, own, fitted.n_neighbors, unique_owner)
        got = found.rows[place]
        assert got[got >= 0].tolist() == expected


def test_learners_of_one_index_share_the_widest_search(monkeypatch):
    tagged, index, source, group = corpus([1, 2, 3, 1, 12, 4, 1, 1, 2] * 3, n_owners=3)
    asked = []
    search = type(index).search
    monkeypatch.setattr(
        type(index),
        "search",
        lambda self, queries, k, **more: (
            asked.append((len(queries), k)),
            search(self, queries, k, **more),
        )[1],
    )
    queries = source(tagged.tags.rows[:4])
    shared = Search(index, queries, tagged, tagged.groups[:4])
    some = [KNN(n_neighbors=n).fit(Batch(), tagged.tags) for n in (3, 11, 5)]
    shared.foresee(11)
    for learner in some:
        found = learner.voters(shared.voters_of(learner)).rows
        assert found.shape == (4, learner.n_neighbors)
        for place, got in enumerate(found):
            expected = reference(
                tagged, source, queries[place], group, group[place], learner.n_neighbors
            )
            assert got.tolist() == expected
    # Queries with many copies go on by themselves; all others were searched for once.
    assert [k for n, k in asked if n == 4] == [11 + 8]


def test_nobody_asks_and_nobody_votes():
    tagged, index, source, _ = corpus([1, 1])
    none = leave_one_out_neighbors(index, tagged, np.empty(0, np.int64), source, 3)
    assert none.rows.shape == (0, 3)
