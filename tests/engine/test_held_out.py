"""What is held out shares no bytes with what is kept, and is measured as it is answered."""

import numpy as np
import pytest

from engine import held_out
from engine.held_out import hold_out, measure
from engine.serving import Served
from engine.tagged import TaggedPictures
from indexing.index import ArraySource, Metric, build_index
from learners.base import Batch, TagMatrix
from learners.metrics import parse_measure
from learners.voting import KNN


def pictures(group, tag_lists, n_tags):
    group = np.asarray(group)
    contents = np.zeros((len(group), 32), np.uint8)
    contents[:, 0], contents[:, 1] = group // 256, group % 256
    tags = TagMatrix.from_lists(np.arange(len(group)), tag_lists, n_tags)
    return TaggedPictures(tags, contents, tuple(map(str, range(n_tags))))


@pytest.mark.parametrize(
    ("sizes", "n_held"),
    [
        ([1] * 200, 60),
        ([1] * 1_000, 200),
        ([1] * 3_000, 300),
        ([5] * 40, 60),
        ([150] + [1] * 50, 50),
        ([2] * 10, 6),
        ([9, 9], 9),
        ([60] * 3 + [1] * 30, 63),
    ],
)
def test_enough_is_held_out_to_tell_and_copies_stay_together(sizes, n_held):
    group = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    tagged = pictures(group, [[0]] * len(group), 1)
    kept, held = hold_out(tagged)
    assert sorted([*kept, *held]) == list(range(len(group)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert len(held) == n_held
    assert not set(group[kept]) & set(group[held])
    np.testing.assert_array_equal(hold_out(tagged)[1], held)
    if len(sizes) > 2 and sizes[0] != 150:
        assert hold_out(tagged, seed=1)[1].tolist() != held.tolist()


def test_no_more_is_held_out_than_tells_something(monkeypatch):
    tagged = pictures(np.arange(300), [[0]] * 300, 2)
    monkeypatch.setattr(held_out, "_MOST_PICTURES", 7)
    assert len(hold_out(tagged)[1]) == 7
    monkeypatch.setattr(held_out, "_MOST_PICTURES", 25)
    monkeypatch.setattr(held_out, "_FEWEST_PICTURES", 3)
    monkeypatch.setattr(held_out, "_MOST_CELLS", 24)
    assert len(hold_out(tagged)[1]) == 12


def test_what_is_measured_is_what_is_answered(monkeypatch):
    """Scores and ties by a literal vote; several runs of queries."""
    monkeypatch.setattr(held_out, "_ASKED_AT_ONCE", 7)
    draws = np.random.default_rng(3)
    n_images, n_tags, n_neighbors = 60, 9, 3
    vectors = draws.normal(size=(n_images, 4)).astype(np.float32)
    lists = [draws.choice(n_tags, draws.integers(1, 4), replace=False) for _ in range(n_images)]
    tagged = pictures(np.arange(n_images), lists, n_tags)
    rows = tagged.tags.rows
    source = ArraySource(rows, vectors)
    index = build_index("exact", 4, Metric.COSINE, rows, source)
    held_places = np.arange(0, n_images, 3)
    kept_places = np.setdiff1d(np.arange(n_images), held_places)
    kept, held = tagged.take(kept_places), tagged.take(held_places)
    knn = KNN(n_neighbors=n_neighbors).fit(Batch(), kept.tags)
    found = measure(Served(learner=knn, index=lambda: index), kept, held, source, (4,))

    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    truth, scores = held.tags.toarray(), np.zeros((len(held_places), n_tags))
    frequency = kept.tags.toarray().sum(axis=0)
    for query, place in enumerate(held_places):
        nearest = sorted(kept_places, key=lambda other: -unit[place] @ unit[other])[:n_neighbors]
        keys = []
        for tag in range(n_tags):
            voters = [other for other in nearest if tag in lists[other]]
            alike = sum(float(unit[place] @ unit[other]) for other in voters)
            keys.append((len(voters), alike, frequency[tag], -tag))
        for rank, tag in enumerate(sorted(range(n_tags), key=lambda tag: keys[tag])):
            scores[query, tag] = rank
    # Measures within a picture see the order alone; MAP compares pictures too.
    for name in ("miap", "c-f1@5"):
        assert found[name] == pytest.approx(parse_measure(name).compute(scores, truth).value)
    assert 0 < found["map"] < 1


def test_without_a_tag_there_is_nothing_to_measure():
    tagged = pictures(np.arange(4), [[0], [1], [], []], 2)
    rows = tagged.tags.rows
    source = ArraySource(rows, np.eye(4, dtype=np.float32))
    index = build_index("exact", 4, Metric.COSINE, rows, source)
    kept, held = tagged.take(np.array([0, 1])), tagged.take(np.array([2, 3]))
    knn = KNN(n_neighbors=1).fit(Batch(), kept.tags)
    found = measure(Served(learner=knn, index=lambda: index), kept, held, source, (4,))
    assert found == {"map": None, "miap": None, "c-f1@5": None}


def test_what_is_held_out_stays_so_where_others_come_and_go():
    everything = pictures(np.arange(600), [[0]] * 600, 1)
    held = set(hold_out(everything)[1].tolist())
    # One goes and one comes: the places are others, the pictures the same.
    now = [*range(1, 600), 700]
    changed = pictures(now, [[0]] * 600, 1)
    assert len(held ^ {now[place] for place in hold_out(changed)[1].tolist()}) <= 2
