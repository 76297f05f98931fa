"""The hybrid hears of corrections at once, through members that vote and where none of them do."""

import pytest

from engine.emission import Emission
from tests.engine.conftest import COLORS, write_picture
from tests.engine.stand_ins import STAND_INS

EVERYTHING = Emission(top=99)


@pytest.fixture
def trained(built, stand_ins, monkeypatch):
    monkeypatch.setattr("engine.training.trainable.TRAINABLE", (*STAND_INS, "hybrid"))
    built.train(params={"members": "knn,fading,turned,means"})
    return built


@pytest.fixture
def pictures(tmp_path):
    return {
        color: write_picture(tmp_path / f"{color}.png", COLORS[color], seed=5_001)
        for color in COLORS
    }


def answers(workspace, image):
    (answer,) = workspace.tag([image], learner="hybrid", emission=EVERYTHING)
    return {ranked.tag: (ranked.score, ranked.probability) for ranked in answer.tags}


def test_near_pictures_move_the_right_way_and_far_ones_not_at_all(trained, library, pictures):
    before = {color: answers(trained, image) for color, image in pictures.items()}
    trained.teach(library / "green3.png", add=["Blue"], remove=["colour"])
    after = {color: answers(trained, image) for color, image in pictures.items()}
    for value in (0, 1):  # the score, and the probability
        assert after["green"]["Blue"][value] > before["green"]["Blue"][value]
        assert after["green"]["colour"][value] < before["green"]["colour"][value]
    for color in ("red", "blue"):
        assert after[color] == before[color]
    trained.undo_teaching()
    assert {color: answers(trained, image) for color, image in pictures.items()} == before


def test_a_new_tag_is_answered_near_by_and_changes_no_other(trained, tmp_path, pictures):
    taught = write_picture(tmp_path / "taught.png", COLORS["green"], seed=5_002)
    before = {color: answers(trained, image) for color, image in pictures.items()}
    trained.teach(taught, add=["Meadow"])
    after = {color: answers(trained, image) for color, image in pictures.items()}
    meadow = {color: after[color].pop("Meadow")[0] for color in pictures}
    assert meadow["green"] > max(meadow["red"], meadow["blue"])
    for color in ("red", "blue"):
        assert after[color] == before[color]
    facts = next(trained.tag([taught], learner="hybrid")).tags
    assert [tag.tag for tag in facts if tag.is_confirmed] == ["Meadow"]


def test_sources_sum_to_the_score(trained, library, pictures):
    trained.teach(library / "green3.png", add=["Blue"], remove=["colour"])
    (answer,) = trained.tag(
        [pictures["green"]], learner="hybrid", emission=EVERYTHING, explain=True, together=True
    )
    for ranked in answer.tags:
        assert sum(ranked.sources.values()) == pytest.approx(ranked.score, abs=1e-4)
    assert {"corrections", "together"} <= answer.tags[0].sources.keys()
