"""A tag that a trained learner does not know is named until it is trained again."""

import pytest
from click.testing import CliRunner

from engine.building import BuildSettings
from engine.cli import cli
from engine.commands.build import summary
from engine.commands.wording import tags_not_answered
from learners.table import learner_class
from tests.engine.conftest import COLORS, PARAMS, write_picture

pytestmark = pytest.mark.usefixtures("stand_ins")


def test_a_new_tag_is_named_by_build_and_info(built, library):
    for name in ("fading", "means"):
        built.train(name)
    (library / "red0.png.txt").write_text("Wombat")
    line = (
        "1 tag is new since means was trained, and is not answered by it: Wombat; "
        "engine train means"
    )
    lines = summary(built.build()).splitlines()
    assert line in lines
    assert not any("since fading" in text for text in lines)
    # It stays new whatever comes after, and another spelling is the same tag.
    (library / "red0.png.txt").write_text("WOMBAT")
    (library / "red1.png.txt").write_text("emu")
    many = (
        "2 tags are new since means was trained, and are not answered by it: emu, WOMBAT; "
        "engine train means"
    )
    assert many in summary(built.build()).splitlines()
    info = CliRunner().invoke(cli, ["info", "-w", str(built.root)]).stdout.splitlines()
    assert f"           {many}" in info
    # What is gone is not missed.
    (library / "red0.png.txt").write_text("Red")
    (library / "red1.png.txt").write_text("Red")
    assert "is new since" not in summary(built.build())
    (library / "red0.png.txt").write_text("emu")
    built.build()
    built.train("means")
    assert "is new since" not in summary(built.build())


def test_many_new_tags_are_counted():
    line = tags_not_answered(["heads", "words"], list("abcdefgh"), "hybrid")
    assert line.startswith("8 tags are new since heads and words were trained, and are not")
    assert line.endswith(" answered by them: a, b, c, d, e and 3 more; engine train hybrid")


def test_where_a_mixture_answers_its_training_is_advised(trained, library):
    assert trained.info()["answers_with"] == "hybrid"
    (library / "red0.png.txt").write_text("Wombat")
    means = (
        "1 tag is new since means was trained, and is not answered by it: Wombat; "
        "engine train hybrid"
    )
    assert [line for line in summary(trained.build()).splitlines() if " new since" in line] == [
        means
    ]
    info = CliRunner().invoke(cli, ["info", "-w", str(trained.root)]).stdout.splitlines()
    # Of the learner by itself, and of the copy that the hybrid holds.
    assert [line.strip() for line in info if " new since" in line] == [means, means]
    trained.train(params=PARAMS)
    assert "is new since" not in summary(trained.build())
    info = CliRunner().invoke(cli, ["info", "-w", str(trained.root)]).stdout
    assert "is new since" not in info


def test_where_many_votes_have_changed_one_training_is_advised(trained, library):
    for i in range(6):
        (library / f"red{i}.png.txt").write_text("Blue")
    lines = [line for line in summary(trained.build()).splitlines() if " votes have" in line]
    assert lines == [
        "6 votes have changed since hybrid, fading, turned and means were trained on 24: 'engine "
        "train hybrid' again"
    ]


def test_learners_say_whether_they_answer_new_tags():
    assert not learner_class("heads").answers_new_tags
    for name in ("knn", "tagvote", "tagprop"):
        assert learner_class(name).answers_new_tags


def test_a_library_that_was_renamed_keeps_what_was_trained(built, library, tmp_path):
    built.train("turned")
    rows = {entry.content: entry.row for entry in built.entries()}
    library.rename(tmp_path / "renamed")
    report = built.build(tmp_path / "renamed", BuildSettings(replace=True))
    assert report.dropped == {}
    assert (report.n_extracted, report.learners["turned"]["n_changed"]) == (0, 0)
    assert {entry.content: entry.row for entry in built.entries()} == rows
    assert next(built.tag([tmp_path / "renamed" / "red0.png"], learner="turned")).tags


@pytest.mark.parametrize(("n_others", "is_kept"), [(24, True), (25, False)])
def test_half_of_the_voting_contents_must_be_known(built, library, tmp_path, n_others, is_kept):
    built.train("fading")
    other = tmp_path / "other"
    library.rename(other)
    for i in range(n_others):
        write_picture(other / f"new{i}.png", COLORS["red"], seed=7_000 + i)
        (other / f"new{i}.png.txt").write_text("Red")
    write_picture(other / "untagged.png", COLORS["red"], seed=9_000)
    report = built.build(other, BuildSettings(replace=True))
    assert report.dropped == ({} if is_kept else {"fading": "it was trained on another corpus"})
    assert ("fading" in report.learners) is is_kept


def test_the_refusal_says_what_becomes_of_trained_learners(built, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_picture(other / "a.png", COLORS["red"], 5)
    fault = CliRunner().invoke(cli, ["build", str(other), "-w", str(built.root)]).exception
    assert str(fault).endswith(
        "or let the new corpus take its place with --replace (what was trained goes, unless half "
        "of the new tagged pictures or more are the old ones)"
    )


def test_one_vote_is_one_vote(built, library):
    built.train("fading")
    (library / "red0.png.txt").write_text("crimson")
    built.build()
    info = CliRunner().invoke(cli, ["info", "-w", str(built.root)]).stdout
    assert "1 vote has changed since" in info


def test_one_neighbour_is_one_neighbour(built, monkeypatch):
    report = built.build()
    report.learners["knn"]["params"]["n_neighbors"] = 1
    assert "; knn asks 1 neighbour\n" in summary(report)


def test_without_a_tag_nobody_answers(workspace, tmp_path, settings):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_picture(folder / "a.png", COLORS["red"], 1)
    workspace.build(folder, settings)
    assert workspace.info()["answers_with"] is None
    text = CliRunner().invoke(cli, ["info", "-w", str(workspace.root)]).stdout
    assert "answers unless another is named" not in text
    assert "\nlearners   none answers: no picture has a tag\n" in text
