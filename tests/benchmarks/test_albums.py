"""Albums of questions: who is in one, what is shared, and that training pictures know nothing."""

import numpy as np
import pytest

from benchmarks.albums import RULES, answered_together, choose_rule
from benchmarks.datasets import exercises
from benchmarks.draws import albums_of
from benchmarks.features import Features
from benchmarks.planted import planted
from benchmarks.posing import folds_of
from benchmarks.protocols import Protocol
from benchmarks.runner import run_suite
from benchmarks.scoring import scored
from benchmarks.solving import solve
from benchmarks.suites import SUITES, FeatureKind, Method, Suite
from indexing.errors import InputError
from learners.metrics import parse_measure
from learners.together import Together

CAREFUL = {"n_train": 120, "n_test": 40}


def posed(**changes):
    dataset, vectors = planted(**CAREFUL)
    return exercises(Protocol(album_size=4, **changes), dataset, vectors)[0]


def literal(scores, vectors, albums, rule):
    """Each picture beside the others of its album, one at a time."""
    out = scores.copy()
    for i in range(len(scores)):
        others = [j for j in range(len(scores)) if albums[j] == albums[i] and j != i]
        counts = []
        for j in others:
            cosine = vectors[i] @ vectors[j]
            cosine /= np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
            counts.append(rule.strength * np.exp(-rule.decay * (1 - cosine)))
        total = scores[i] + sum(n * scores[j] for n, j in zip(counts, others, strict=True))
        out[i] = total / (1 + sum(counts))
    return out


def test_an_album_holds_pictures_of_one_series():
    draws = np.random.default_rng(0)
    numbers = draws.permutation(np.concatenate([np.arange(1000, 1013), np.arange(161000, 161008)]))
    ids = [f"images/{number}.jpeg" for number in numbers]
    albums = albums_of(ids, size=6, seed=3)
    found = [sorted(numbers[albums == album] // 1000) for album in range(albums.max() + 1)]
    assert sorted(map(len, found)) == [1, 2, 6, 6, 6]
    assert all(len(set(series)) == 1 for series in found)
    assert np.array_equal(albums, albums_of(ids, size=6, seed=3))
    assert not np.array_equal(albums, albums_of(ids, size=6, seed=4))
    with pytest.raises(InputError, match=r"'beach\.jpg' is of no series; albums are made of"):
        albums_of(["1000.jpeg", "beach.jpg"], size=2, seed=0)


def test_a_protocol_says_its_albums():
    assert str(Protocol(album_size=6)).endswith("albums of 6 pictures of a series, seed 0")
    with pytest.raises(InputError, match="albums of 1 pictures; 2 or more are accepted"):
        Protocol(album_size=1)


def test_only_questions_know_their_albums():
    for one in posed(n_folds=2):
        questions, training = one.exercise.questions, one.exercise.training
        assert questions.albums.shape == (len(questions.image_ids),)
        assert np.bincount(questions.albums).max() == 4
        assert not hasattr(training, "albums")
    (one_by_one,) = exercises(Protocol(), *planted(**CAREFUL))[0]
    assert one_by_one.exercise.questions.albums is None


def test_what_is_answered_together_is_the_rule_album_by_album():
    (one,) = posed()
    alone = solve("knn", {"n_neighbors": 7}, one.exercise, seed=0)
    rule = Together(strength=0.5, decay=2)
    questions = one.exercise.questions
    got = answered_together(alone, questions, rule)
    expected = literal(alone.scores, questions.vectors, questions.albums, rule)
    np.testing.assert_allclose(got.scores, expected, rtol=1e-5, atol=1e-6)
    assert got.params["together_strength"] == 0.5
    assert got.tie_breaks is alone.tie_breaks
    (other,) = exercises(Protocol(), *planted(**CAREFUL))[0]
    with pytest.raises(InputError, match="answers together, and no albums"):
        answered_together(alone, other.exercise.questions, rule)


def test_the_rule_is_the_best_on_folds_of_the_training_pictures():
    (one,) = posed()
    folds = folds_of(one.exercise.training, 3, album_size=4)
    values = []
    for rule in RULES:
        total = 0.0
        for fold in folds:
            alone = solve("knn", {"n_neighbors": 7}, fold.exercise, seed=0)
            got = answered_together(alone, fold.exercise.questions, rule)
            total += parse_measure("miap").apply(scored(got, fold.answers).judged).value
        values.append(total)
    assert choose_rule("knn", {"n_neighbors": 7}, folds, seed=0) == RULES[np.argmax(values)]
    assert len(set(values)) > 1


def test_methods_run_one_by_one_and_together(tmp_path):
    dataset, vectors = planted(**CAREFUL)
    suite = Suite(
        name="small", about="", reader=None, folder="", methods=(),
        protocols=(Protocol(album_size=4, n_folds=2),),
    )  # fmt: skip
    names = ["knn:n_neighbors=7", "knn:n_neighbors=7+together"]
    features = {FeatureKind.DEEP: Features(name="planted", digest="", vectors=vectors)}
    lines = run_suite(suite, [Method.of(name) for name in names], dataset, features, tmp_path)
    assert [line["method"] for line in lines] == 2 * names
    for number, one in enumerate(posed(n_folds=2)):
        params = lines[2 * number + 1]["params"]
        rule = Together(strength=params["together_strength"], decay=params["together_decay"])
        assert rule in RULES
        alone, together = (
            np.load(tmp_path / line["scores"]) for line in lines[2 * number : 2 * number + 2]
        )
        raw = alone["raw_scores"] if "raw_scores" in alone else alone["scores"]
        shared = together["raw_scores"] if "raw_scores" in together else together["scores"]
        questions = one.exercise.questions
        assert together["image_ids"].tolist() == questions.image_ids.tolist()
        expected = literal(raw, questions.vectors, questions.albums, rule)
        np.testing.assert_allclose(shared, expected, rtol=1e-5, atol=1e-6)


def test_names_of_methods():
    method = Method.of("knn:n_neighbors=7+together/bag-of-words")
    assert (method.together, method.fixed) == (True, (("n_neighbors", 7),))
    assert not Method.of("knn").together
    chosen, missing = SUITES["corel5k-albums"].chosen(None)
    assert missing == ()
    assert [method.together for method in chosen] == [False, True] * 3
