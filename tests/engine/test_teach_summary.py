"""What ``engine teach`` says of a correction is what it does to others."""

import pytest
from click.testing import CliRunner

from engine.building import BuildSettings
from engine.cli import cli
from engine.emission import Emission
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def said():
    def teach(workspace, image, *arguments):
        command = ["teach", str(image), *arguments, "-w", str(workspace.root)]
        return CliRunner().invoke(cli, command, catch_exceptions=False).stdout.splitlines()[1:-1]

    return teach


@pytest.fixture
def near(tmp_path):
    return write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)


def scores(workspace, image):
    (answer,) = workspace.tag([image], emission=Emission(top=99))
    return {ranked.tag: ranked.score for ranked in answer.tags}


def test_a_picture_of_which_only_removals_are_known_speaks_against_them(built, new, near, said):
    before = scores(built, near)
    assert said(built, new, "--remove", "green,grene") == [
        "no picture here is tagged grene; did you mean 'Green'?",
        "nobody has said what this picture shows: it does not vote, but speaks against green near "
        "it",
    ]
    after = scores(built, near)
    assert after["Green"] < before["Green"]
    assert said(built, new, "--remove", "bleu") == [
        "no picture here is tagged bleu; did you mean 'Blue'?",
        "nobody has said what this picture shows: it does not vote",
    ]
    assert scores(built, near) == after
    assert said(built, new, "--add", "colour") == [
        "nobody had tagged this picture here: it votes from now on"
    ]


def test_one_that_is_not_to_be_learned_from_corrects_its_own_answer_alone(
    workspace, library, near, said
):
    pictures = sorted(library.glob("*.png"))
    lines = [f"{path},{path.stem[:-1]},{'train' if path.stem[-1] != '0' else 'test'}\n"
             for path in pictures]  # fmt: skip
    table = library.parent / "table.csv"
    table.write_text("image,tags,split\n" + "".join(lines))
    workspace.build(table, BuildSettings(extractor="toy"))
    held, before = library / "green0.png", scores(workspace, near)
    for arguments in (("--remove", "green"), ("--add", "red")):
        assert said(workspace, held, *arguments) == [
            "this picture is not to be learned from: its own answer is corrected, and no other"
        ]
    assert scores(workspace, near) == before
    assert next(iter(scores(workspace, held))) == "red"
    assert "green" not in scores(workspace, held)
