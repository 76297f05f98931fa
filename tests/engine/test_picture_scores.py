"""What is said of every indexed picture: as each would be answered, a part of them at a time."""

import shutil

import numpy as np
import pytest

from engine.generations import GenerationFolders
from engine.picture_scores import IndexedPictures
from engine.tagger import Tagger
from engine.text_search import TextSearch


def test_every_learner_is_asked_as_engine_tag_asks_it(built):
    """The best tag of a picture in the kept scores is what the engine answers for it."""
    tagger = Tagger(GenerationFolders(built.root), opens_network=False)
    pictures = IndexedPictures(tagger)
    found = pictures.tag_scores()
    paths = [entry.record.path for entry in pictures.entries]
    searching = TextSearch(tagger)
    assert searching("red", k=3).learner == found.learner
    answers = list(built.tag(paths))
    for place, answer in enumerate(answers):
        of = {tagger.tagged.vocabulary[i]: found.scores[i, place] for i in range(4)}
        for ranked in answer.tags:
            assert of[ranked.tag] == pytest.approx(ranked.score, abs=1e-6)


def test_pictures_are_scored_the_same_however_many_at_a_time(built, library, monkeypatch):
    named = {"blue2.png": "Odd", "green4.png": "Even", "red7.png": "Far"}
    for name, tag in named.items():
        (library / f"{name}.txt").write_text(tag)
    built.build()
    tagger = Tagger(GenerationFolders(built.root), opens_network=False)
    pictures = IndexedPictures(tagger)
    whole = pictures.tag_scores()
    shutil.rmtree(built.root / "scores")
    monkeypatch.setattr("engine.picture_scores._SCORED_AT_ONCE", 7)
    assert [len(part) for part in pictures.features()] == [7, 7, 7, 3]
    parts = pictures.tag_scores()
    for field in ("scores", "ties", "given", "unscored"):
        np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field), err_msg=field)
    # Facts that no other picture speaks for.
    assert {
        (pictures.entries[place].record.image_id, tagger.tagged.vocabulary[column])
        for place, column in parts.unscored.tolist()
    } == set(named.items())
