"""Directions in word space: ConSE, Fast0Tag, and what scores any word."""

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.words.class_names import imagenet_names, imagenet_synsets
from indexing.words.table import make_word_table
from learners.base import Batch, TagMatrix
from learners.words import (
    ClassWords,
    WordScorer,
    WordVectors,
    direction_scores,
    mixed_directions,
    mixture,
)
from learners.words.fast0tag import Fast0Tag, principal_directions
from learners.words.held_out import held_out_tag_scores
from tests.reference import words as literal


def drawn(n_images: int = 30, n_tags: int = 8) -> tuple[np.ndarray, TagMatrix, np.ndarray]:
    rng = np.random.default_rng(1)
    present = rng.random((n_images, n_tags)) < 0.3
    tags = TagMatrix.from_lists(range(n_images), [np.flatnonzero(p) for p in present], n_tags)
    words = rng.normal(size=(n_tags, 4)).astype(np.float32)
    return rng.normal(size=(n_images, 5)).astype(np.float32), tags, words


def test_a_mixture_of_the_best_classes_worked_by_hand() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    vectors = np.array([[1, 0], [0, 1], [-1, 0]])
    np.testing.assert_allclose(mixture(probabilities, vectors), [[0.3, 0.3], [-0.3, 0.3]])
    np.testing.assert_allclose(mixture(probabilities, vectors, 2), [[0.5, 0.3], [-0.5, 0.3]])
    np.testing.assert_allclose(mixture(probabilities, vectors, 9), [[0.3, 0.3], [-0.3, 0.3]])
    with pytest.raises(InputError, match="one column a vector"):
        mixture(probabilities, vectors[:2])


def test_directions_score_words_by_cosine() -> None:
    rng = np.random.default_rng(0)
    directions, words = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    expected = [[literal.cosine(d, w) for w in words] for d in directions]
    np.testing.assert_allclose(direction_scores(directions, words), expected, atol=1e-6)
    words[2], directions[1] = 0, 0
    scores = direction_scores(directions, words)
    assert scores[0, 2] == scores[2, 2] == -1
    assert not scores[1].any()
    with pytest.raises(InputError, match="vectors of one width"):
        direction_scores(directions, words[:, :3])


def test_directions_add_up() -> None:
    mixed = mixed_directions((1, np.array([[3, 0], [0, 0]])), (2, np.array([[0, 2], [0, 0]])))
    np.testing.assert_allclose(mixed, [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_classes_go_by_their_first_name_that_has_a_vector() -> None:
    table = make_word_table(["hen", "cock", "sky"], np.array([[1, 0], [0, 2], [-1, 0]]), "a test")
    names = [("zzz", "hen"), ("cock", "hen"), ("zzz",)]
    classes = ClassWords.of(names, WordVectors(table))
    np.testing.assert_array_equal(classes.vectors, [[1, 0], [0, 1], [0, 0]])
    scores = classes.word_scores(np.array([[0.6, 0.2, 0.2]]), classes.vectors)
    np.testing.assert_allclose(scores, [[0.6 / np.hypot(0.6, 0.2), 0.2 / np.hypot(0.6, 0.2), -1]])


def test_the_classes_of_imagenet_are_named_in_the_usual_order() -> None:
    names, synsets = imagenet_names(), imagenet_synsets()
    assert len(names) == len(synsets) == len(set(synsets)) == 1000
    assert (synsets[0], synsets[291], synsets[999]) == ("n01440764", "n02129165", "n15075141")
    assert names[0] == ("tench", "Tinca tinca")
    assert names[291][0] == "lion"


def test_a_direction_ranks_the_tags_of_its_picture_first() -> None:
    _, tags, words = drawn()
    unit = words / np.linalg.norm(words, axis=1, keepdims=True)
    for ridge in (1e-3, 1.0, 1e6):
        directions = principal_directions(tags, unit, ridge)
        for i in range(tags.n_images):
            expected = literal.principal_direction(
                tags.tags_of(i).tolist(), unit.astype(np.float64), ridge
            )
            np.testing.assert_allclose(directions[i], expected, atol=1e-8)
    # Orthogonal words: a direction is the mean of its tags, and no other tag comes near.
    basis = np.eye(8, dtype=np.float32)
    directions = principal_directions(tags, basis, 0.5)
    present = tags.toarray()
    assert ((directions @ basis > 1e-6) == present).all()


def test_what_the_classes_say_is_learned_too() -> None:
    features, tags, words = drawn()
    directions = np.random.default_rng(5).normal(size=(30, 4)).astype(np.float32)
    learner = Fast0Tag(class_weight=0.7, regularization=0.3)
    learner.fit(Batch(features=features, words=words, directions=directions), tags)
    asked = np.random.default_rng(6).normal(size=(4, 5)).astype(np.float32)
    expected = literal.scores(asked, features, tags, words, 1, 0.3, 1, directions, 0.7)
    np.testing.assert_allclose(learner.predict_scores(Batch(features=asked)), expected, atol=1e-6)
    plain = Fast0Tag(class_weight=0, regularization=0.3)
    plain.fit(Batch(features=features, words=words, directions=directions), tags)
    expected = literal.scores(asked, features, tags, words, 1, 0.3, 1)
    np.testing.assert_allclose(plain.predict_scores(Batch(features=asked)), expected, atol=1e-6)


def test_words_that_nobody_used_are_scored_as_tags_are() -> None:
    features, tags, words = drawn()
    learner = Fast0Tag().fit(Batch(features=features, words=words), tags)
    assert isinstance(learner, WordScorer)
    asked = Batch(features=features[:3])
    scores = learner.word_scores(asked, words)
    np.testing.assert_allclose(scores, learner.predict_scores(asked), atol=1e-6)
    new = np.random.default_rng(9).normal(size=(2, 4)).astype(np.float32)
    expected = [[literal.cosine(d, w) for w in new] for d in learner.directions(asked)]
    np.testing.assert_allclose(learner.word_scores(asked, new), expected, atol=1e-6)


def test_a_word_without_pictures_is_found_by_its_neighbour_in_word_space() -> None:
    """Planted: pictures of two kinds; a new word lies beside the first kind's tag."""
    rng = np.random.default_rng(2)
    kind = np.arange(60) % 2
    features = (np.eye(2)[kind] * 4 + rng.normal(size=(60, 2))).astype(np.float32)
    words = np.array([[1, 0, 0], [0, 1, 0], [0.9, 0, 0.3]], dtype=np.float32)
    tags = TagMatrix.from_lists(range(60), [[k] for k in kind], 3)
    learner = Fast0Tag().fit(Batch(features=features, words=words), tags)
    unseen = learner.predict_scores(Batch(features=features))[:, 2]
    assert unseen[kind == 0].min() > unseen[kind == 1].max()
    scores = learner.predict_scores(Batch(features=features))
    assert learner.chance_ == pytest.approx(np.quantile(scores, 0.95), abs=1e-6)


def test_classes_alone_teach_where_nobody_has_tagged_anything() -> None:
    features, tags, words = drawn()
    directions = np.random.default_rng(5).normal(size=(30, 4)).astype(np.float32)
    untagged = TagMatrix.from_lists(range(30), [[]] * 30, 8)
    learner = Fast0Tag().fit(Batch(features=features, words=words, directions=directions), untagged)
    expected = literal.scores(features, features, untagged, words, 1, 0.1, 1, directions)
    scores = learner.predict_scores(Batch(features=features))
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert scores.std() > 0.1
    nothing = Fast0Tag().fit(Batch(features=features, words=words), untagged)
    assert not nothing.predict_scores(Batch(features=features)).any()
    nameless = Fast0Tag().fit(
        Batch(features=features, words=0 * words, directions=directions), tags
    )
    assert not nameless.predict_scores(Batch(features=features)).any()


def test_new_tags_wait_for_the_next_training() -> None:
    features, tags, words = drawn()
    learner = Fast0Tag().fit(Batch(features=features, words=words), tags)
    now = TagMatrix.from_lists([0], [[0]], 3)
    moved = learner.rebased(now, np.array([4, -1, 0]))
    asked = Batch(features=features[:5])
    scores = moved.predict_scores(asked)
    before = learner.predict_scores(asked)
    np.testing.assert_array_equal(scores[:, [0, 2]], before[:, [4, 0]])
    assert (scores[:, 1] == -1).all()


def test_tags_held_out_together_score_as_those_held_out_one_by_one() -> None:
    features, tags, words = drawn()
    words[6] = 0
    directions = np.random.default_rng(5).normal(size=(30, 4)).astype(np.float32)
    batch = Batch(features=features, words=words, directions=directions)
    asked = np.random.default_rng(6).normal(size=(7, 5)).astype(np.float32)
    columns = np.array([1, 4, 6])
    learner = Fast0Tag(class_weight=0.3, n_units=20, width=1.5)
    scores = held_out_tag_scores(learner, batch, tags, columns, asked)
    for place, column in enumerate(columns):
        lists = [[t for t in tags.tags_of(i) if t != column] for i in range(30)]
        less = TagMatrix.from_lists(range(30), lists, 8)
        alone = Fast0Tag(class_weight=0.3, n_units=20, width=1.5).fit(batch, less)
        expected = alone.predict_scores(Batch(features=asked))[:, column]
        np.testing.assert_allclose(scores[:, place], expected, atol=1e-5)
    assert held_out_tag_scores(learner, batch, tags, columns[:0], asked).shape == (7, 0)
    with pytest.raises(InputError, match="fit one learner a tag"):
        held_out_tag_scores(learner, Batch(features=features, words=words), tags, columns, asked)


def test_words_of_another_number_or_width_are_refused() -> None:
    features, tags, words = drawn()
    with pytest.raises(InputError, match="7 word vectors for 8 tags"):
        Fast0Tag().fit(Batch(features=features, words=words[:7]), tags)
    with pytest.raises(InputError, match="directions of shape"):
        Fast0Tag().fit(
            Batch(features=features, words=words, directions=np.zeros((30, 3), np.float32)), tags
        )
    for name, value in (("ranking_ridge", 0), ("regularization", 0), ("class_weight", -1)):
        with pytest.raises(InputError, match=name):
            Fast0Tag(**{name: value})
