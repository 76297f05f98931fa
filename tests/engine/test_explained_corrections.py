"""What was taught stands in the explanation: who speaks against a tag, and who lacks it."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.commands.answer_table import table
from engine.contact_sheet import write_contact_sheet
from engine.emission import Emission
from engine.results import RankedTag, TagAnswer, Voter
from tests.engine.conftest import COLORS, write_picture

EVERYTHING = Emission(top=99)


@pytest.fixture
def near(tmp_path):
    return write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)


def explained(workspace, image, tag, learner="knn"):
    (answer,) = workspace.tag([image], learner=learner, emission=EVERYTHING, explain=True)
    (ranked,) = [ranked for ranked in answer.tags if ranked.tag == tag]
    return ranked


def test_a_voter_against_a_tag_is_shown_and_the_weights_sum_to_the_vote(built, library, near):
    built.teach(library / "green3.png", remove=["colour"])
    command = ["tag", str(near), "--learner", "knn", "--explain", "-w", str(built.root)]
    lines = CliRunner().invoke(cli, command).stdout.splitlines()
    of_colour = lines[next(i for i, line in enumerate(lines) if "colour" in line) + 1 :]
    weights = []
    for line in of_colour:
        found = re.match(r"      (-?\d\.\d{3})  (\S+)", line)
        if found is None:
            break
        weights.append(float(found[1]))
    assert sum(weights) == pytest.approx(explained(built, near, "colour").score, abs=0.01)
    (against,) = [line for line in of_colour if line.startswith("      -")]
    assert re.fullmatch(
        r"      -0\.\d{3}  green3\.png  \(distance 0\.\d{3}; against it: it was removed there\)",
        against,
    )


def test_many_against_a_tag_are_counted_apart():
    voters = [Voter(f"{i}.jpg", f"{i}.jpg", 0.1, weight) for i, weight in enumerate(7 * [0.1])]
    voters += [Voter(f"no{i}.jpg", f"no{i}.jpg", 0.2, -0.01 * (1 + i)) for i in range(7)]
    ranked = RankedTag("sea", 0.4, voters=tuple(voters))
    lines = table(TagAnswer("a.jpg", "knn", (ranked,), voter="knn")).splitlines()
    assert lines[7] == "      0.200  and 2 more"
    note = "(distance 0.200; against it: it was removed there)"
    assert lines[8:10] == [f"      -0.070  no6.jpg  {note}", f"      -0.060  no5.jpg  {note}"]
    assert lines[-1] == "      -0.030  and 2 more"


def test_a_sheet_shows_who_voted_for_a_tag_whatever_it_votes_against(library, near, tmp_path):
    pictures = sorted(library.glob("*.png"))
    weights = [0.5, *(12 * [0.04])]
    voters = [
        Voter(path.name, str(path), 0.1, weight)
        for path, weight in zip(pictures, weights, strict=False)
    ]
    against = (replace(voters[0], weight=-0.5), replace(voters[1], image_id="other", weight=-0.04))
    tags = (RankedTag("a", 1.0, voters=tuple(voters)), RankedTag("b", 0.1, voters=against))
    write_contact_sheet(
        tmp_path / "sheet.html", [TagAnswer(str(near), "knn", tags, voter="knn")], title="Tags"
    )
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "voted by these, and 1 more" in page
    assert page.index(f'title="{pictures[0].name}: ') < page.index(f'title="{pictures[1].name}: ')
    assert "other" not in page


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("learner", ["knn", "turned", "means"])
def test_the_nearest_picture_without_a_tag_may_be_one_that_was_taught(
    built, library, near, learner, tmp_path
):
    for name in ("turned", "means"):
        built.train(name)
    before = explained(built, near, "Green", learner).nearest_without
    taught = write_picture(tmp_path / "taught.png", COLORS["green"], seed=5_002)
    built.teach(taught, add=["Meadow"])
    found = explained(built, near, "Green", learner).nearest_without
    assert (found.path, found.tags) == (str(taught), ("Meadow",))
    assert found.distance < before.distance
    # However far apart the learner sees the two.
    command = ["tag", str(near), "--learner", learner, "--explain", "-w", str(built.root)]
    lines = CliRunner().invoke(cli, command).stdout.splitlines()
    line = (
        f"nearest without it, as 'engine search' has it: {taught}  (distance {found.distance:.3f})"
    )
    assert f"      {line}" in lines
    # It never is the picture itself, nor one that has the tag.
    assert explained(built, taught, "Green", learner).nearest_without.path != str(taught)
    built.teach(taught, add=["Green"])
    assert explained(built, near, "Green", learner).nearest_without == before
