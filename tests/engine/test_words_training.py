"""The learner of word space in a workspace: trained, asked, and honest about what it lacks."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from engine import Workspace
from engine.building import BuildSettings
from engine.tagged import TaggedPictures
from engine.training.word_space import TaggedWords
from indexing.extractors.classifier import Classifier
from learners.base import Batch, TagMatrix
from learners.words import ClassWords, open_word_vectors
from tests.engine.conftest import COLORS, write_picture


def test_it_is_trained_and_answers_by_word_space(built, tmp_path) -> None:
    built.train("words")
    new = write_picture(tmp_path / "new.png", COLORS["green"], seed=999)
    (answer,) = built.tag([new], learner="words")
    scores = {ranked.tag: ranked.score for ranked in answer.tags}
    assert set(scores) == {"Red", "Green", "Blue", "colour"}
    assert max(scores, key=scores.get) in {"Green", "colour"}
    assert scores["Green"] > max(scores["Red"], scores["Blue"])
    assert all(-1 <= score <= 1 for score in scores.values())


def test_tags_without_a_vector_are_told(
    workspace: Workspace, library, settings: BuildSettings, caplog: pytest.LogCaptureFixture
) -> None:
    for sidecar in sorted(library.glob("red*.txt")):
        sidecar.write_text("Red\ncolour\nzzxqyw\n", encoding="utf-8")
    workspace.build(library, settings)
    with caplog.at_level(logging.WARNING):
        workspace.train("words")
    assert "1 of 5 tags has no vector in GloVe 6B, 50 dims, and words tell nothing" in caplog.text
    assert "zzxqyw" in caplog.text


@pytest.mark.parametrize("n_classes", [0, 3, 1000])
def test_the_classes_of_imagenet_point_where_their_names_lie(
    n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(4, 6)).astype(np.float32)
    weights = rng.normal(size=(n_classes, 5)).astype(np.float32)
    classifier = Classifier(weights, np.zeros(n_classes, np.float32))
    monkeypatch.setattr("engine.training.word_space.open_classifier", lambda extractor: classifier)
    tagged = TaggedPictures(
        TagMatrix.from_lists([0, 2, 3], [[0], [], [1]], 2),
        np.zeros((3, 32), np.uint8),
        ("sky", "tiger"),
    )
    vectors = SimpleNamespace(features=lambda rows: raw[rows])
    known = TaggedWords.of(tagged, vectors, lambda: SimpleNamespace(n_classes=n_classes))
    batch = known.added_to(Batch(features=raw[:3]), tagged)
    words = open_word_vectors()
    np.testing.assert_array_equal(batch.words, [words.vector("sky"), words.vector("tiger")])
    if n_classes != 1000:
        assert batch.directions is None
        return
    from indexing.words.class_names import imagenet_names

    names = ClassWords.of(imagenet_names(), words).vectors
    for place, row in enumerate([0, 2, 3]):
        shares = np.exp(weights @ raw[row, :5])
        expected = (shares / shares.sum()) @ names
        np.testing.assert_allclose(batch.directions[place], expected, atol=1e-5)
    part = known.added_to(Batch(features=raw[[0, 2]]), tagged.take(np.array([0, 2])))
    np.testing.assert_array_equal(part.directions, batch.directions[[0, 2]])
