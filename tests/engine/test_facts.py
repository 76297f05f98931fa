"""What people confirmed for the very picture: whether its score is the learner's own."""

import json

import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.commands.answer_table import table
from engine.emission import Emission
from engine.results import RankedTag, TagAnswer

EVERYTHING = Emission(top=99)


@pytest.fixture
def image(library):
    """A picture with a tag that no other one has."""
    sidecar = library / "green3.png.txt"
    sidecar.write_text("Green\ncolour\nMine\n", encoding="utf-8")
    return library / "green3.png"


@pytest.fixture
def unscored():
    def tags(workspace, image, **more):
        (answer,) = workspace.tag([image], emission=EVERYTHING, **more)
        assert all(ranked.is_confirmed for ranked in answer.tags if not ranked.is_scored)
        return {ranked.tag for ranked in answer.tags if not ranked.is_scored}

    return tags


@pytest.mark.parametrize("learner", ["knn", "tagvote"])
def test_where_nobody_else_voted_a_fact_has_no_score(image, built, unscored, new, learner):
    assert unscored(built, image, learner=learner) == {"Mine"}
    built.teach(image, add=["Taught", "Blue"], remove=["Mine"])
    assert unscored(built, image, learner=learner) == {"Taught", "Blue"}
    (answer,) = built.tag([image], learner=learner, explain=True)
    (nearest, *_), *_ = (ranked.voters for ranked in answer.tags if ranked.tag == "Green")
    built.teach(nearest.path, add=["Blue"])
    assert unscored(built, image, learner=learner) == {"Taught"}
    assert unscored(built, new, learner=learner) == set()


def test_what_the_picture_was_taught_has_moved_a_score_that_is_no_vote(
    image, trained, unscored, new
):
    for learner in ("means", "hybrid"):
        assert unscored(trained, image, learner=learner) == set()
    (answer,) = trained.tag([image], learner="means", emission=EVERYTHING)
    best = max(answer.tags, key=lambda ranked: ranked.score).tag
    trained.teach(image, add=["Blue", "Taught"], remove=["Mine"])
    for learner in ("means", "hybrid"):
        assert unscored(trained, image, learner=learner) == {"Blue", "Taught"}
        # Its neighbours hear of it, and that is what the learner says of them.
        assert unscored(trained, new, learner=learner) == set()
    # What is best already is not moved by it.
    trained.teach(image, add=[best])
    assert unscored(trained, image, learner="means") == {"Blue", "Taught"}
    # A fact of the sidecar keeps the score that the learner gives it, moved by others or not.
    beside = image.with_name("green4.png")
    trained.teach(beside, remove=["Green"])
    assert unscored(trained, image, learner="means") == {"Blue", "Taught"}


def test_the_table_shows_a_dash_and_json_a_number(image, built):
    def run(*options):
        return CliRunner().invoke(cli, ["tag", str(image), "-w", str(built.root), *options]).stdout

    assert run().splitlines()[1:] == [
        "  colour   1.000  confirmed",
        "  Green    1.000  confirmed",
        "  Mine         -  confirmed",
    ]
    fact = json.loads(run("--json"))["tags"][2]
    assert fact == {"tag": "Mine", "score": 0.0, "probability": None, "confirmed": True}


def test_a_probability_that_was_moved_is_not_shown_either():
    def line(**more):
        ranked = RankedTag("sea", 1.5, probability=0.9, is_confirmed=True, **more)
        return table(TagAnswer("a.jpg", "hybrid", (ranked,))).splitlines()[1]

    assert line() == "  sea   1.500  p 0.900  confirmed"
    assert line(is_scored=False) == "  sea       -  confirmed"
