"""What people confirmed for the very picture: whether its score is the learner's own."""

import json

import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.commands.answer_table import table
from engine.contact_sheet import write_contact_sheet
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


def test_a_fact_is_not_called_more_or_less_likely():
    def line(**more):
        ranked = RankedTag("sea", 1.5, probability=0.9, **more)
        return table(TagAnswer("a.jpg", "hybrid", (ranked,))).splitlines()[1]

    assert line() == "  sea   1.500  p 0.900"
    assert line(is_confirmed=True) == "  sea   1.500  confirmed"
    assert line(is_confirmed=True, is_scored=False) == "  sea       -  confirmed"


def test_a_sheet_says_why_probabilities_may_stand_in_another_order(trained, new, tmp_path):
    notes = []
    for learner in ("knn", "hybrid"):
        sheet = tmp_path / f"{learner}.html"
        ask = ["tag", str(new), "--learner", learner, "--sheet", str(sheet)]
        assert CliRunner().invoke(cli, [*ask, "-w", str(trained.root)]).exit_code == 0
        page = sheet.read_text(encoding="utf-8")
        notes.append(page.partition('<p class="note">')[2].partition("</p>")[0])
    assert notes == [
        "",
        "In the order of the scores, which help rare tags. Shown is how likely a tag is, which is "
        "not helped, and so may stand in another order.",
    ]


def test_a_sheet_draws_no_bar_beside_a_fact(tmp_path):
    facts = RankedTag("sea", -6.5, probability=0.003, is_confirmed=True)
    others = RankedTag("sky", 1.5, probability=0.75)
    sheet = tmp_path / "sheet.html"
    write_contact_sheet(sheet, [TagAnswer("a.jpg", "hybrid", (facts, others))], title="t")
    page = sheet.read_text(encoding="utf-8")
    assert "<li><b>sea</b><span></span><span>confirmed</span></li>" in page
    assert '<li><b>sky</b><i style="--share:75%"></i><span>0.75</span></li>' in page
