"""What was taught already is no second step; several tags in one option; the journal's format."""

import json

import pytest
from click.testing import CliRunner

from engine import Workspace
from engine.building import BuildSettings
from engine.cli import cli
from indexing.errors import ArtifactError
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def image(library):
    return library / "green3.png"


@pytest.fixture
def engine(built):
    def run(*arguments, code=0):
        result = CliRunner().invoke(cli, [*map(str, arguments), "-w", str(built.root)])
        assert result.exit_code == code, result.output
        return result

    return run


def signed(workspace):
    """Return the steps as people read them."""
    return [
        "".join([*(f"+{tag}" for tag in step.added), *(f"-{tag}" for tag in step.removed)])
        for step in workspace.corrections()
    ]


def confirmed(workspace, image):
    (answer,) = workspace.tag([image])
    return {ranked.tag for ranked in answer.tags if ranked.is_confirmed}


def test_what_stands_is_not_recorded_and_one_undo_takes_it_back(built, image):
    first = built.teach(image, add=["Sunset"], remove=["Blue"])
    journal = (built.root / "corrections" / "journal.jsonl").read_bytes()
    for add, remove in ((["SUNSET"], ["blue"]), (["Sunset"], []), ([], [" Blue"])):
        again = built.teach(image, add=add, remove=remove)
        assert (first.is_recorded, again.is_recorded, again.n_steps) == (True, False, 1)
        assert (built.root / "corrections" / "journal.jsonl").read_bytes() == journal
    built.undo_teaching()
    assert built.corrections() == ()
    assert confirmed(built, image) == {"Green", "colour"}


def test_what_a_later_step_turned_round_is_recorded_again(built, image):
    for add, remove in ((["a"], []), ([], ["a"]), (["a"], []), (["a"], [])):
        built.teach(image, add=add, remove=remove)
    assert signed(built) == ["+a", "-a", "+a"]
    built.undo_teaching()
    assert "a" not in confirmed(built, image)
    assert built.teach(image, remove=["a"]).is_recorded is False
    built.undo_teaching()
    assert "a" in confirmed(built, image)


def test_one_tag_that_is_new_makes_a_step_and_its_undo_leaves_the_others(built, image):
    built.teach(image, add=["a"])
    assert built.teach(image, add=["a", "b"]).is_recorded
    built.undo_teaching()
    assert confirmed(built, image) == {"Green", "colour", "a"}


def test_a_tag_of_the_sidecar_is_a_correction_all_the_same(built, image):
    assert built.teach(image, add=["Green"]).is_recorded
    sidecar = image.with_name(image.name + ".txt")
    sidecar.write_text("colour\n")
    built.build()
    assert "Green" in confirmed(built, image)


def test_other_pictures_are_taught_the_same(built, library, image):
    built.teach(image, add=["a"])
    assert built.teach(library / "green4.png", add=["a"]).is_recorded


def test_teaching_again_tells_where_the_picture_lies_and_another_network_finds_it(built, tmp_path):
    new = write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)
    built.teach(new, add=["Meadow"])
    moved = new.rename(tmp_path / "moved.png")
    assert built.teach(moved, add=["Meadow"]).is_recorded is False
    assert [step.path for step in built.corrections()] == [moved]
    built.build(settings=BuildSettings(extractor="toy:WEIGHTS"))
    assert built.info()["corrections"]["unseen"] == 0


def test_a_picture_that_this_network_has_not_seen_is_heard_once_it_is_taught_again(built, tmp_path):
    new = write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)
    built.teach(new, add=["Meadow"])
    away = new.rename(tmp_path / "away.png")
    built.build(settings=BuildSettings(extractor="toy:WEIGHTS"))
    assert built.info()["corrections"]["unseen"] == 1
    away.rename(new)
    assert built.teach(new, add=["Meadow"]).is_recorded is False
    assert built.info()["corrections"]["unseen"] == 0


def test_the_command_says_that_it_stands_on_stderr_alone(engine, image):
    engine("teach", image, "--add", "Sunset")
    again = engine("teach", image, "--add", "sunset")
    assert again.stdout == ""
    assert again.stderr == (
        f"{image}  +sunset: taught already, nothing is recorded; 'engine teach --list' shows what "
        "stands\n"
    )
    report = json.loads(engine("teach", image, "--add", "sunset", "--json").stdout)
    assert (report["recorded"], report["steps"]) == (False, 1)
    assert "0 corrections left" in engine("teach", "--undo").stdout


def test_commas_part_tags_as_in_a_sidecar(engine, built, image):
    engine("teach", image, "--add", " Sea  side,,Beach, ", "--add", "beach,Sky", "--remove", "a,b")
    (step,) = built.corrections()
    assert (step.added, step.removed) == (("Sea side", "Beach", "Sky"), ("a", "b"))


@pytest.mark.parametrize("option", ["--add", "--remove"])
def test_an_option_that_names_no_tag_is_refused_before_any_work(engine, option):
    result = engine("teach", "gone.png", option, " ,", code=2)
    assert f"'{option}': ' ,' names none; words with commas between them are" in result.stderr


def test_the_journal_has_a_format_and_earlier_ones_without_are_read(built, image):
    built.teach(image, add=["a"])
    steps = built.corrections()
    journal = built.root / "corrections" / "journal.jsonl"
    kept = json.loads(journal.read_text())
    assert kept.pop("format") == 1
    journal.write_text(json.dumps(kept) + "\n")
    assert Workspace(built.root).corrections() == steps
    built.teach(image, add=["b"])
    lines = journal.read_text().splitlines()
    assert [json.loads(line)["format"] for line in lines] == [1, 1]


@pytest.mark.parametrize("version", [2, "1", None])
def test_a_journal_of_a_later_engine_is_refused_and_left_alone(built, image, version):
    built.teach(image, add=["a"])
    journal = built.root / "corrections" / "journal.jsonl"
    later = {**json.loads(journal.read_text()), "format": version, "added": {"new": "form"}}
    journal.write_text(journal.read_text() + json.dumps(later) + "\n")
    kept = journal.read_bytes()
    says = (
        rf"journal\.jsonl has format {version!r} \(line 2\); this version of the engine reads "
        r"format 1; use the version that wrote it"
    )
    opened = Workspace(built.root)
    for act in (
        opened.corrections,
        opened.undo_teaching,
        opened.info,
        lambda: opened.teach(image, add=["b"]),
        lambda: list(opened.tag([image])),
    ):
        with pytest.raises(ArtifactError, match=says):
            act()
    assert journal.read_bytes() == kept
