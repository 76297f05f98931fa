"""What a method may see: no truth, no copies, nothing that was given."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import Dataset, content_groups, exercises
from benchmarks.exercises import Answers, Exercise
from benchmarks.planted import planted
from benchmarks.protocols import Completion, Protocol, Vocabulary
from benchmarks.scoring import scored
from benchmarks.solving import Solution, solve
from benchmarks.tuning import Tuning, choose
from indexing.errors import InputError
from indexing.index import Neighbors
from indexing.records import Corpus, ImageRecord
from learners.metrics import parse_measure
from learners.tag_matrix import TagMatrix


def reachable(thing: object, seen: dict[int, object]) -> Iterator[object]:
    """Walk all that can be got at from an object: attributes, items, bases of views."""
    if id(thing) in seen or isinstance(thing, type):
        return
    seen[id(thing)] = thing
    yield thing
    inner = [*vars(thing).values()] if hasattr(thing, "__dict__") else []
    inner += [getattr(thing, name, None) for name in getattr(type(thing), "__slots__", ())]
    if isinstance(thing, dict):
        inner += [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner += [*thing]
    elif isinstance(thing, np.ndarray):
        inner.append(thing.base)
    for one in inner:
        yield from reachable(one, seen)


def exercised(exercise: Exercise) -> Exercise:
    """Have everything computed that is computed when it is asked for."""
    exercise.neighbors(5)
    exercise.training_neighbors(5)
    return exercise


PROTOCOLS = [Protocol(), Protocol(n_folds=3), Protocol(completion=Completion()),
             Protocol(n_examples=3)]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_no_truth_can_be_reached_from_an_exercise(protocol):
    dataset, features = planted()
    posed, _ = exercises(protocol, dataset, features)
    for one in posed:
        things = list(reachable(exercised(one.exercise), {}))
        assert not any(isinstance(thing, Answers | Dataset | Corpus) for thing in things)
        for thing in things:
            # No array of all pictures' tags, whose rows would hold the truth too.
            if isinstance(thing, TagMatrix) and thing is not one.exercise.questions.given:
                assert set(thing.rows) <= set(one.exercise.training.tags.rows)
            if isinstance(thing, np.ndarray):
                assert not np.shares_memory(thing, one.answers.truth)
                assert thing.shape != one.answers.truth.shape or thing.dtype == np.float32
        asked = set(one.answers.image_ids.tolist())
        assert not asked & set(one.exercise.training.image_ids.tolist())


def test_the_answers_do_not_change_what_a_method_answers():
    dataset, features = planted()
    records = tuple(
        dataclasses.replace(r, labels=("tag00", "tag23")) if r.split == "test" else r
        for r in dataset.corpus.records
    )
    other = Dataset(
        name="other",
        corpus=dataclasses.replace(dataset.corpus, records=records),
        groups=dataset.groups,
    )
    answered = []
    for data in (dataset, other):
        (posed,), _ = exercises(Protocol(), data, features)
        params = choose("knn", {}, posed.exercise, list, Tuning(), seed=0).params
        answered.append((params, solve("knn", params, posed.exercise, seed=0).scores))
    assert answered[0][0] == answered[1][0]
    assert np.array_equal(answered[0][1], answered[1][1])


def test_copies_of_asked_pictures_are_reported_and_left_out_of_training():
    dataset, features = planted()
    (posed,), facts = exercises(Protocol(), dataset, features)
    assert "00399.jpg" not in posed.exercise.training.image_ids
    assert posed.exercise.training.n_images == 399
    assert facts["left_out_of_training_as_copies"] == 1
    assert [[one["image_id"] for one in same] for same in facts["copies_across_splits"]] == [
        ["00399.jpg", "00400.jpg"]
    ]


@pytest.mark.parametrize("n_folds", [None, 3])
def test_few_examples_are_learned_from(n_folds):
    dataset, features = planted()
    posed, _ = exercises(Protocol(n_examples=2, n_folds=n_folds), dataset, features)
    assert len(posed) == (n_folds or 1)
    for one in posed:
        assert dict(one.where)["examples"] == 2
        assert one.exercise.training.n_images <= 48
        assert np.median(one.exercise.training.tags.counts) <= 4


def test_with_no_example_all_pictures_are_known_and_none_is_tagged():
    dataset, features = planted()
    (few,), _ = exercises(Protocol(n_examples=0), dataset, features)
    (all_of_them,), _ = exercises(Protocol(), dataset, features)
    assert dict(few.where)["examples"] == 0
    assert not few.exercise.training.tags.indices.size
    np.testing.assert_array_equal(
        few.exercise.training.image_ids, all_of_them.exercise.training.image_ids
    )
    np.testing.assert_array_equal(few.answers.truth, all_of_them.answers.truth)
    solved = solve("hybrid", {"members": "knn,tagprop,heads,words"}, few.exercise, seed=0)
    assert np.isfinite(solved.scores).all()


def test_pictures_of_equal_bytes_share_a_group(tmp_path):
    for name, data in {"a": b"one", "b": b"two", "c": b"one"}.items():
        (tmp_path / name).write_bytes(data)
    records = tuple(ImageRecord(image_id=n, path=tmp_path / n) for n in ("a", "b", "c", "gone"))
    groups = content_groups(Corpus(root=tmp_path, format="folder", records=records))
    assert groups.tolist() == [0, 1, 0, -1]


def test_training_neighbors_leave_out_a_picture_and_its_copies():
    dataset, features = planted(n_train=40, n_test=5)
    groups = np.full(45, -1, np.int64)
    groups[[3, 8, 20]] = 7
    features[[8, 20]] = features[3]
    data = dataclasses.replace(dataset, groups=groups)
    (posed,), _ = exercises(Protocol(), data, features)
    found = posed.exercise.training_neighbors(39)
    vectors = posed.exercise.training.vectors.astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in range(40):
        own = {3, 8, 20} if row in (3, 8, 20) else {row}
        rows = found.rows[row][found.rows[row] >= 0].tolist()
        assert set(rows) == set(range(40)) - own
        assert np.all(np.diff(unit[rows] @ unit[row]) < 1e-6)


def test_labels_outside_the_vocabulary_are_told():
    records = (
        ImageRecord(image_id="a", path=Path("a"), tags=("Sea", "sky"), split="train"),
        ImageRecord(image_id="b", path=Path("b"), tags=("sea",), split="train"),
        ImageRecord(image_id="c", path=Path("c"), labels=("SEA", "moon"), split="test"),
    )
    corpus = Corpus(root=Path(), format="folder", records=records)
    dataset = Dataset(name="three", corpus=corpus, groups=np.full(3, -1))
    features = np.eye(3, dtype=np.float32)
    protocol = Protocol(vocabulary=Vocabulary(most_frequent=1))
    (posed,), facts = exercises(protocol, dataset, features)
    assert posed.answers.vocabulary.tolist() == ["sea"]
    assert posed.answers.truth.tolist() == [[True]]
    assert facts["labels_outside_vocabulary"] == ["moon"]
    with pytest.raises(InputError, match="no labelled picture in the split 'val'; it has test, t"):
        exercises(Protocol(evaluation="val"), dataset, features)


def test_what_was_given_is_neither_candidate_nor_truth():
    dataset, _ = planted()
    (posed,), _ = exercises(Protocol(completion=Completion()), dataset, None)
    given = posed.exercise.questions.given.toarray()
    assert given.any()
    assert not (given & posed.answers.truth).any()
    assert np.array_equal(given, posed.answers.given)
    labels = [set(r.labels) for r in dataset.corpus.records if r.split == "test"]
    tags = posed.answers.vocabulary
    for row, true in enumerate(labels):
        assert set(tags[posed.answers.truth[row]]) == true - set(tags[given[row]])


def solution(scores: np.ndarray) -> Solution:
    return Solution(scores=scores.astype(np.float32), tie_breaks=(), quantities=None, params={},
                    fit_seconds=0, predict_seconds=0)  # fmt: skip


def test_copying_what_was_given_wins_nothing():
    dataset, _ = planted()
    (posed,), _ = exercises(Protocol(completion=Completion()), dataset, None)
    noise = np.random.default_rng(0).random(posed.answers.truth.shape)
    copying = noise + 10 * posed.exercise.questions.given.toarray()
    for measure in map(parse_measure, ("map", "miap", "ndcg@5", "c-f1@5", "i-f1@5", "n+@5")):
        values = [
            measure.apply(scored(solution(scores), posed.answers).judged).value
            for scores in (noise, copying)
        ]
        assert values[0] == values[1]
    judged = scored(solution(posed.exercise.questions.given.toarray()), posed.answers).judged
    assert np.all(judged.scores[posed.answers.given] == -np.inf)


def test_neighbors_are_widened_when_more_are_asked_for():
    dataset, features = planted()
    (posed,), _ = exercises(Protocol(), dataset, features)
    few = posed.exercise.neighbors(3)
    many = posed.exercise.neighbors(399)
    assert isinstance(few, Neighbors)
    assert few.rows.shape == (120, 3)
    assert many.rows.shape == (120, 399)
    assert np.array_equal(few.rows, many.rows[:, :3])
    assert all(len(set(row)) == 399 for row in many.rows.tolist())
