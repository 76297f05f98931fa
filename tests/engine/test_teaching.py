"""Corrections: heard at once, near by alone, and taken back without a trace."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Workspace
from engine.answering import Emission
from engine.building import BuildSettings
from engine.cli import cli
from indexing.errors import ArtifactError, InputError, LockedError
from tests.engine.conftest import COLORS, write_picture

EVERYTHING = Emission(top=99)


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


@pytest.fixture
def far(tmp_path):
    return write_picture(tmp_path / "far.png", COLORS["blue"], seed=6_000)


def scores(workspace, image, **more):
    """Return the score of every tag, as exactly as it was computed."""
    answer = next(workspace.tag([image], emission=EVERYTHING, **more))
    assert answer.error is None
    return {ranked.tag: ranked.score for ranked in answer.tags}


def answered(workspace, image, **more):
    return [ranked.tag for ranked in next(workspace.tag([image], **more)).tags]


def test_an_added_tag_is_a_fact_and_votes(built, library, new, far):
    before, far_before = scores(built, new), scores(built, far)
    report = built.teach(library / "green3.png", add=["Blue"])
    assert (report.is_read, report.votes, report.new_tags) == (True, True, ())
    (answer,) = built.tag([library / "green3.png"])
    confirmed = {ranked.tag for ranked in answer.tags if ranked.is_confirmed}
    assert confirmed == {"Blue", "Green", "colour"}
    after = scores(built, new)
    assert after.pop("Blue") > before.pop("Blue") == 0
    assert after == before
    assert scores(built, far) == far_before


def test_a_removed_tag_is_forbidden_and_counts_against_it(built, library, new, far):
    before, far_before = scores(built, new), scores(built, far)
    n_voters = len(next(built.tag([new], explain=True)).tags[0].voters)
    built.teach(library / "green3.png", remove=["colour"])
    assert "colour" not in answered(built, library / "green3.png", emission=EVERYTHING)
    after = scores(built, new)
    # It no longer votes for it, and votes against it, and is shown to.
    (answer,) = built.tag([new], explain=True, emission=EVERYTHING)
    for ranked in answer.tags:
        assert sum(voter.weight for voter in ranked.voters) == pytest.approx(ranked.score, abs=1e-6)
        against = [voter.image_id for voter in ranked.voters if voter.weight < 0]
        assert against == (["green3.png"] if ranked.tag == "colour" else [])
    assert after.pop("colour") == pytest.approx(before.pop("colour") - 2 / n_voters)
    assert after == before
    assert scores(built, far) == far_before


def test_copies_answer_with_the_fact_wherever_they_lie(built, library, tmp_path):
    copy = tmp_path / "elsewhere.png"
    shutil.copy(library / "red2.png", copy)
    built.teach(copy, add=["Sunset"], remove=["Red"])
    for image in (copy, library / "red2.png"):
        (answer,) = built.tag([image], emission=EVERYTHING)
        assert [tag.tag for tag in answer.tags if tag.is_confirmed] == ["colour", "Sunset"]
        assert "Red" not in [tag.tag for tag in answer.tags]


@pytest.mark.parametrize("learner", ["knn", "tagvote"])
def test_a_picture_that_is_not_indexed_votes_at_once_with_a_new_tag(built, new, tmp_path, learner):
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    report = built.teach(new, add=["Meadow", "green"])
    assert (report.is_read, report.votes, report.new_tags) == (False, True, ("Meadow",))
    (answer,) = built.tag([near], learner=learner, explain=True)
    meadow = next(ranked for ranked in answer.tags if ranked.tag == "Meadow")
    assert meadow.score > 0
    assert [voter.path for voter in meadow.voters] == [str(new)]
    assert answered(built, new)[:2] == ["Green", "Meadow"]
    assert "new.png" not in [found.image_id for found in next(built.search([near])).results]


def test_one_of_which_only_removals_are_known_speaks_against_them(built, new, tmp_path, far):
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    shutil.copy(new, tmp_path / "copy.png")
    before, far_before = scores(built, near), scores(built, far)
    report = built.teach(new, remove=["Green"])
    assert (report.is_read, report.votes) == (False, False)
    for image in (new, tmp_path / "copy.png"):
        assert "Green" not in answered(built, image, emission=EVERYTHING)
    after = scores(built, near)
    assert after.pop("Green") < before.pop("Green")
    assert after == before
    assert scores(built, far) == far_before


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("learner", ["means", "fading", "turned"])
def test_trained_learners_hear_of_corrections(built, library, new, learner, tmp_path):
    built.train(learner)
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    before = scores(built, near, learner=learner)
    built.teach(new, add=["Meadow", "Blue"])
    built.teach(library / "green3.png", remove=["colour"])
    after = scores(built, near, learner=learner)
    assert after["Blue"] > before["Blue"]
    assert after["colour"] < before["colour"]
    assert "Meadow" in after
    assert [t for t in answered(built, new, learner=learner)[:2]] == ["Blue", "Meadow"]
    built.undo_teaching()
    built.undo_teaching()
    assert scores(built, near, learner=learner) == before


@pytest.mark.usefixtures("stand_ins")
def test_what_corrections_add_is_a_source(built, library, tmp_path):
    built.train("means")
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    built.teach(library / "green3.png", add=["Blue"])
    (answer,) = built.tag([near], learner="means", explain=True, emission=EVERYTHING)
    for ranked in answer.tags:
        assert sum(ranked.sources.values()) == pytest.approx(ranked.score, rel=1e-5)
    assert {ranked.tag: ranked.sources["corrections"] > 0 for ranked in answer.tags} == {
        "Blue": True, "Green": False, "Red": False, "colour": False,
    }  # fmt: skip


def test_steps_are_undone_one_by_one_and_answers_are_as_before(built, library, new):
    states = [scores(built, new)]
    steps = [("green3.png", ["Sunset"], []), ("green4.png", ["Sunset"], ["Green"]),
             ("green3.png", [], ["sunset"])]  # fmt: skip
    for name, add, remove in steps:
        built.teach(library / name, add=add, remove=remove)
        states.append(scores(built, new))
    assert len({json.dumps(state, sort_keys=True) for state in states}) == 4
    assert len(built.corrections()) == 3
    for state in reversed(states[:-1]):
        built.undo_teaching()
        assert scores(built, new) == state
    with pytest.raises(InputError, match=r"no correction is left .*engine teach IMAGE --add"):
        built.undo_teaching()


def test_the_later_step_counts(built, library):
    image = library / "green3.png"
    built.teach(image, add=["Sunset"])
    built.teach(image, remove=["SUNSET"])
    assert "Sunset" not in answered(built, image, emission=EVERYTHING)
    built.teach(image, add=["sunset"])
    assert "sunset" in answered(built, image)


def test_corrections_outlive_builds_and_moved_files(built, library, new, tmp_path):
    built.teach(library / "green3.png", add=["Blue"], remove=["Green"])
    built.teach(new, add=["Meadow"])
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    taught = scores(built, near)
    assert taught["Meadow"] > 0
    write_picture(library / "other.png", COLORS["red"], seed=7_000)
    built.build()
    assert scores(built, near) == taught
    new.unlink()  # the workspace keeps what it needs
    moved = library.rename(tmp_path / "moved")
    (moved / "green3.png").rename(moved / "a.png")
    (moved / "green3.png.txt").rename(moved / "a.png.txt")
    built.build(moved, BuildSettings(replace=True))
    assert scores(built, near) == taught
    assert (moved / "a.png.txt").read_text() == "Green\ncolour\n"
    # What is undone after a build leaves the reader's tags as they are.
    built.undo_teaching()
    built.undo_teaching()
    assert set(answered(built, moved / "a.png")[:2]) == {"Green", "colour"}


def test_a_taught_picture_that_joins_the_corpus_votes_once(built, library, new, tmp_path):
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    built.teach(new, add=["Meadow"])
    shutil.copy(new, library / "new.png")
    built.build()  # nobody has tagged it there
    meadow = next(t for t in next(built.tag([near], explain=True)).tags if t.tag == "Meadow")
    assert len(meadow.voters) == 1
    (library / "new.png.txt").write_text("Green")
    built.build()
    (answer,) = built.tag([near], explain=True)
    meadow = next(ranked for ranked in answer.tags if ranked.tag == "Meadow")
    assert [voter.image_id for voter in meadow.voters] == ["new.png"]


def test_another_network_sees_taught_pictures_where_they_are(built, library, new, tmp_path, caplog):
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)
    gone = write_picture(tmp_path / "gone.png", COLORS["green"], seed=5_002)
    built.teach(library / "green3.png", add=["Blue"])
    built.teach(new, add=["Meadow"])
    built.teach(gone, add=["Lawn"])
    gone.rename(tmp_path / "kept.png")
    built.build(settings=BuildSettings(extractor="toy:WEIGHTS"))
    assert "1 taught pictures are not heard" in caplog.text
    after = scores(built, near)
    assert after["Meadow"] > 0 < after["Blue"]
    assert after["Lawn"] == 0
    assert built.info()["corrections"] == {
        "steps": 3, "pictures": 3, "added": 3, "removed": 0, "unseen": 1,
    }  # fmt: skip
    assert answered(built, tmp_path / "kept.png")[0] == "Lawn"
    (tmp_path / "kept.png").rename(gone)
    built.build(settings=BuildSettings(extractor="toy:WEIGHTS"))
    assert scores(built, near)["Lawn"] > 0


def test_pictures_of_other_splits_have_facts_and_never_vote(tmp_path, library, workspace):
    lines = ["image,tags,split"]
    lines += [f"library/{p.name},{p.stem[:-1]},train" for p in sorted(library.glob("*.png"))]
    lines[-1] = lines[-1].replace("train", "test")
    held = library / lines[-1].split(",")[0].removeprefix("library/")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines))
    workspace.build(table, BuildSettings(extractor="toy"))
    near = write_picture(tmp_path / "near.png", COLORS["red"], seed=5_001)
    before = scores(workspace, near)
    report = workspace.teach(held, add=["Sunset", "green"])
    assert not report.votes
    assert scores(workspace, near) == {**before, "Sunset": 0}
    assert answered(workspace, held)[:2] == ["green", "Sunset"]


@pytest.mark.usefixtures("stand_ins")
def test_training_learns_from_corrected_tags(built, library, new):
    from tests.engine.stand_ins import Fading

    built.teach(library / "green3.png", add=["Blue", "Sunset"], remove=["Green"])
    built.teach(new, add=["Meadow"])
    built.train("fading")
    tags = Fading.seen[-1][2]
    entry = next(e for e in built.entries() if e.record.image_id == "green3.png")
    place = tags.positions([entry.row])[0]
    # Blue, colour, Green, Red: what only corrections know is not trained.
    assert (tags.n_images, tags.n_tags) == (24, 4)
    assert tags.tags_of(place).tolist() == [0, 1]
    taught = scores(built, library / "green3.png", learner="fading")
    built.undo_teaching()
    built.undo_teaching()
    assert answered(built, library / "green3.png", learner="fading")[:2] == ["colour", "Green"]
    assert taught != scores(built, library / "green3.png", learner="fading")


def test_what_cannot_be_taught_is_refused(built, library, tmp_path):
    image = library / "green3.png"
    for add, remove, message in (
        ([], [], "no tag to add or to remove; at least one is accepted; name one"),
        ([" "], [], "a tag is blank; a text is accepted; leave it out"),
        (["a"], ["A "], "'a' is to be added and removed; one of the two is accepted; choose"),
        ("ab", [], "a tag as plain text; lists of tags are accepted; put it into a list"),
    ):
        with pytest.raises(InputError, match=message):
            built.teach(image, add=add, remove=remove)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    for name in ("bad.png", "none.png"):
        with pytest.raises(InputError, match=rf"{name} cannot be read \(.*\); a picture is"):
            built.teach(tmp_path / name, add=["a"])
    with pytest.raises(ArtifactError, match="does not exist"):
        Workspace(tmp_path / "nowhere").teach(image, add=["a"])
    assert not (tmp_path / "nowhere").exists()
    with built._folders.lock(), pytest.raises(LockedError, match="one writer at a time"):
        built.teach(image, add=["a"])
    assert built.corrections() == ()


def test_a_damaged_journal_is_named(built, library):
    built.teach(library / "green3.png", add=["a"])
    journal = built.root / "corrections" / "journal.jsonl"
    for text in ("nonsense\n", '{"content": "00", "added": [], "removed": []}\n', "[]\n"):
        journal.write_text(journal.read_text().split("\n")[0] + "\n" + text)
        with pytest.raises(ArtifactError, match=r"journal.jsonl cannot be used \(line 2: "):
            Workspace(built.root).corrections()


@pytest.mark.parametrize("tags", ['"beach"', '{"beach": 1}', '[" "]', "[3]", "null"])
def test_a_line_of_the_journal_holds_lists_of_tags(built, library, tags):
    built.teach(library / "green3.png", add=["beach"])
    journal = built.root / "corrections" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"added": ["beach"]', f'"added": {tags}'))
    with pytest.raises(ArtifactError, match=r"line 1: a list of tags is wanted"):
        Workspace(built.root).corrections()


@pytest.fixture
def engine(built):
    def run(*arguments, code=0):
        result = CliRunner().invoke(
            cli, [*map(str, arguments), "-w", str(built.root)], catch_exceptions=True
        )
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_the_command_teaches_lists_and_undoes(engine, library, new):
    image = library / "green3.png"
    said = engine("teach", image, "--add", "Sea  side", "--add", "Blue", "--remove", "green")
    assert said.splitlines() == [
        f"{image}  +Sea side, +Blue, -green",
        "Sea side is new here",
        "correction 1; 'engine teach --undo' takes it back",
    ]
    report = json.loads(engine("teach", new, "--remove", "green", "--json"))
    assert report["indexed_as_tagged"] is report["votes"] is False
    assert (report["steps"], report["removed"], report["image"]) == (2, ["green"], str(new))
    assert "does not vote" in (said := engine("teach", new, "--remove", "blue"))
    assert "no picture here" not in said
    assert engine("teach", "--list").splitlines() == [
        f"{image}  +Sea side, +Blue, -green", f"{new}  -green", f"{new}  -blue",
    ]  # fmt: skip
    listed = [json.loads(line) for line in engine("teach", "--list", "--json").splitlines()]
    assert [step["added"] for step in listed] == [["Sea side", "Blue"], [], []]
    assert "taught     3 corrections of 2 pictures: 2 added, 3 removed\n" in engine("info")
    assert engine("teach", "--undo").splitlines() == [f"taken back: {new}  -blue",
                                                      "2 corrections left"]  # fmt: skip
    undone = json.loads(engine("teach", "--undo", "--json"))
    assert (undone["undone"]["removed"], undone["steps"]) == (["green"], 1)
    engine("teach", "--undo")
    assert engine("teach", "--list") == "nothing was taught\n"
    assert "taught" not in engine("info")
    assert not list((library.parent / "workspace" / "corrections").rglob("*.npy"))


def test_a_tag_taken_off_that_nobody_uses_is_said(engine, new):
    said = engine("teach", new, "--remove", "grene", "--remove", "green").splitlines()
    assert said[:2] == [
        f"{new}  -grene, -green",
        "no picture here is tagged grene; did you mean 'Green'?",
    ]


def test_the_command_says_how_it_is_used(engine, library):
    for arguments, message in (
        ([], "Missing argument 'IMAGE' (or --undo, or --list)."),
        ([library / "green3.png"], "Nothing to teach: --add TAG or --remove TAG."),
        (["--undo", "--list"], "--undo and --list stand alone."),
        ([library / "green3.png", "--add", "a", "--undo"], "--undo and --list stand alone."),
    ):
        assert message in engine("teach", *arguments, code=2)


def test_random_corrections_move_neighbours_the_right_way_and_nobody_else(built, library, tmp_path):
    draws = np.random.default_rng(0)
    names = sorted(path.name for path in library.glob("*.png"))
    asked = {
        color: write_picture(tmp_path / f"{color}.png", COLORS[color], seed=8_000)
        for color in COLORS
    }
    tags = ["Red", "Green", "Blue", "colour", "Sunset"]
    for _ in range(12):
        image, tag = draws.choice(names), str(draws.choice(tags))
        is_added = bool(draws.integers(2))
        before = {color: scores(built, path) for color, path in asked.items()}
        built.teach(library / image, **{"add" if is_added else "remove": [tag]})
        after = {color: scores(built, path) for color, path in asked.items()}
        for color in COLORS:
            others = {t: s for t, s in after[color].items() if t != tag}
            assert others == {t: before[color][t] for t in others}
            change = after[color].get(tag, 0) - before[color].get(tag, 0)
            assert change >= 0 if is_added else change <= 0
            if not image.startswith(color):
                assert change == 0
        if draws.integers(2):
            built.undo_teaching()
            assert {color: scores(built, path) for color, path in asked.items()} == before


def test_a_library_that_nobody_tagged_answers_from_the_first_lesson(tmp_path, workspace, settings):
    folder = tmp_path / "untagged"
    folder.mkdir()
    for i in range(4):
        write_picture(folder / f"{i}.png", COLORS["green"], seed=i)
    workspace.build(folder, settings)
    report = workspace.teach(folder / "0.png", add=["Meadow"])
    assert (report.is_read, report.votes) == (False, True)
    assert answered(workspace, folder / "1.png") == ["Meadow"]
    assert workspace.info()["answers_with"] == "knn"
    workspace.undo_teaching()
    with pytest.raises(InputError, match="none of the 4 indexed pictures has a tag to vote with"):
        list(workspace.tag([folder / "1.png"]))
