"""Trained learners follow pictures and tags without training, or go with a line that says so."""

import json
import logging

import numpy as np
import pytest

from engine import Workspace
from engine.building import BuildSettings
from engine.commands.build import summary
from engine.generations import GenerationFolders
from engine.queries import read_queries
from engine.tagged import TaggedPictures
from engine.tagger import Tagger
from engine.trained import load_learner, load_own_index
from indexing.errors import ArtifactError
from indexing.index import load_index
from tests.engine.conftest import COLORS, write_picture
from tests.engine.stand_ins import Turned

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


@pytest.fixture
def trained(built):
    for name in ("fading", "turned", "means"):
        built.train(name)
    Turned.seen.clear()
    return built


def change(library):
    """Add a picture with a new tag, take two away, retag one so that a tag goes, move one."""
    write_picture(library / "more.png", COLORS["green"], seed=900)
    (library / "more.png.txt").write_text("Emerald\ncolour")
    for name in ("red0.png", "red1.png"):
        (library / name).unlink()
    for i in range(2, 8):
        (library / f"red{i}.png.txt").write_text("crimson")
    (library / "blue0.png").rename(library / "azure.png")
    (library / "blue0.png.txt").rename(library / "azure.png.txt")


def answers(workspace, pictures, learner):
    found = [answer.to_json() for answer in workspace.tag(pictures, learner=learner, explain=True)]
    return [{**answer, "seconds": 0} for answer in found]


def test_learners_follow_what_came_went_and_was_retagged(trained, library, new, tmp_path):
    before = load_learner(trained._folders.current()[0], "means").means_
    vocabulary = TaggedPictures.load(trained._folders.current()[0]).vocabulary
    assert vocabulary == ("Blue", "colour", "Green", "Red")
    change(library)
    report = trained.build()
    assert report.dropped == {}
    assert Turned.seen == []
    folder, manifest = trained._folders.current()
    tagged = TaggedPictures.load(folder)
    assert tagged.vocabulary == ("Blue", "colour", "crimson", "Emerald", "Green")
    # What was learned of a tag stays with it; nothing is known of a new one.
    means = load_learner(folder, "means").means_
    np.testing.assert_array_equal(means[[0, 1, 4]], before[[0, 1, 2]])
    assert not means[[2, 3]].any()
    # One new, two gone, six retagged; a moved picture votes as before.
    for name in ("fading", "turned", "means"):
        assert manifest["learners"][name]["n_changed"] == 9
        assert manifest["learners"][name]["trained_on"] == {"pictures": 24, "tags": 4}
    # Neighbours are those of a workspace that never held anything else.
    anew = Workspace(tmp_path / "anew")
    anew.build(library, BuildSettings(extractor="toy"))
    for name in ("fading", "turned"):
        anew.train(name)
        there, here = answers(anew, [new], name), answers(trained, [new], name)
        assert there == here
        assert "Emerald" in [tag["tag"] for tag in here[0]["tags"]]


def test_a_tag_that_is_spelled_another_way_stays_what_was_learned(trained, library):
    before = load_learner(trained._folders.current()[0], "means").means_
    for i in range(8):
        (library / f"red{i}.png.txt").write_text("RED\ncolour")
    trained.build()
    folder, _ = trained._folders.current()
    assert TaggedPictures.load(folder).vocabulary == ("Blue", "colour", "Green", "RED")
    np.testing.assert_array_equal(load_learner(folder, "means").means_, before)
    assert before.any(axis=1).all()


@pytest.mark.parametrize("factory", ["auto", "exact", "HNSW8"])
def test_an_own_index_is_brought_up_to_date(workspace, library, factory):
    workspace.build(library, BuildSettings(extractor="toy", index=factory))
    workspace.train("turned")
    change(library)
    write_picture(library / "untagged.png", COLORS["red"], seed=12)
    workspace.build()
    folder, _ = workspace._folders.current()
    tagged = TaggedPictures.load(folder)
    index = load_own_index(folder, "turned", "cpu")
    np.testing.assert_array_equal(index.rows, tagged.tags.rows)
    assert load_index(folder / "index").n_images == len(tagged.tags.rows) + 1
    learner = load_learner(folder, "turned")
    tagger = Tagger(GenerationFolders(workspace.root))
    picture = next(entry for entry in workspace.entries() if entry.record.image_id == "more.png")
    (queries,) = read_queries([picture.record.path], tagger.extractor)
    found = index.search(learner.space(tagger.vectors(queries)), 1)
    assert (found.rows[0, 0], found.distances[0, 0]) == (picture.row, pytest.approx(0, abs=1e-6))


def test_another_form_of_index_keeps_what_was_trained(trained, new):
    before = answers(trained, [new], "turned")
    report = trained.build(None, BuildSettings(index="exact"))
    assert report.dropped == {}
    assert answers(trained, [new], "turned") == before
    folder, _ = trained._folders.current()
    assert load_index(folder / "learners" / "turned" / "index").description.backend == "exact"


def test_training_again_is_suggested_after_a_fifth_of_the_votes(built, library):
    built.train("fading")
    for i in range(4):
        (library / f"red{i}.png.txt").write_text("crimson")
    report = built.build()
    assert report.learners["fading"]["n_changed"] == 4
    assert "have changed since" not in summary(report)
    (library / "red0.png.txt").write_text("scarlet")
    report = built.build()
    assert report.learners["fading"]["n_changed"] == 5
    again = "5 votes have changed since fading was trained on 24: 'engine train fading' again"
    assert again in summary(report).splitlines()
    assert again in summary(built.build()).splitlines()
    built.train("fading")
    assert built.info()["learners"]["fading"]["n_changed"] == 0


@pytest.mark.parametrize("is_little", [False, True])
def test_one_that_cannot_follow_is_dropped_with_a_line(built, library, new, is_little):
    built.train("fading", {"is_rigid": True})
    built.train("turned")
    if is_little:
        write_picture(library / "untagged.png", COLORS["red"], seed=12)
    else:
        change(library)
    report = built.build()
    assert report.dropped == {"fading": "rigid learners cannot follow; train it again"}
    assert report.to_json()["dropped"] == report.dropped
    line = (
        "fading is dropped: rigid learners cannot follow; train it again; "
        "'engine train fading' makes it again"
    )
    assert line in summary(report).splitlines()
    folder, manifest = built._folders.current()
    assert set(manifest["learners"]) == {"knn", "tagvote", "turned"}
    assert not (folder / "learners" / "fading").exists()
    assert built.tag_one(new).learner == "turned"
    assert built.build().dropped == {}


def test_another_network_and_another_corpus_drop_what_was_trained(trained, library, tmp_path):
    report = trained.build(None, BuildSettings(extractor="toy:1"))
    assert report.dropped == dict.fromkeys(
        ("fading", "turned", "means"), "it was trained on the features of toy"
    )
    assert not (trained._folders.current()[0] / "learners").exists()
    trained.train("fading")
    other = tmp_path / "other"
    other.mkdir()
    write_picture(other / "a.png", COLORS["red"], 50_000)
    (other / "a.png.txt").write_text("a")
    report = trained.build(other, BuildSettings(replace=True))
    assert report.dropped == {"fading": "it was trained on another corpus"}
    assert set(report.learners) == {"knn", "tagvote"}


def test_a_library_whose_tags_all_went_keeps_no_trained_learner(trained, library):
    for path in library.glob("*.txt"):
        path.unlink()
    report = trained.build()
    assert set(report.dropped) == {"fading", "turned", "means"}
    assert report.dropped["means"] == "no picture has a tag any more"


FILES = ("learner.json", "learner.npz", "index/index.json", "index/rows.npy")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_damaged_learner_is_named_and_the_next_build_goes_on_without(trained, new, name, damage):
    knn = answers(trained, [new], "knn")
    rows = [entry.row for entry in trained.entries()]
    path = trained._folders.current()[0] / "learners" / "turned" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    message = (
        r"the trained learner 'turned' cannot be read .*; run 'engine build' to go on without "
        r"it and 'engine train turned' to make it again, or name another with --learner"
    )
    with pytest.raises(ArtifactError, match=message):
        list(Workspace(trained.root).tag([new], learner="turned"))
    assert answers(Workspace(trained.root), [new], "knn") == knn
    report = trained.build()
    assert report.is_changed
    assert report.dropped == {"turned": "its files are damaged, or of another version"}
    assert set(report.learners) == {"knn", "tagvote", "fading", "means"}
    assert [entry.row for entry in trained.entries()] == rows
    assert answers(trained, [new], "knn") == knn
    assert not trained.build().is_changed


def test_training_another_leaves_a_damaged_learner_behind(trained, new):
    path = trained._folders.current()[0] / "learners" / "turned" / "learner.npz"
    path.unlink()
    trained.train("fading")
    folder, manifest = trained._folders.current()
    assert set(manifest["learners"]) == {"knn", "tagvote", "fading", "means"}
    assert not (folder / "learners" / "turned").exists()
    assert not trained.build().is_changed


def test_a_damaged_generation_says_which_learners_go_with_it(trained, library, caplog, settings):
    (trained._folders.current()[0] / "vocabulary.json").write_text("[")
    with caplog.at_level(logging.WARNING):
        report = trained.build(library, settings)
    assert (
        "is damaged, and has to be made again, without fading, turned, means: train" in caplog.text
    )
    assert set(report.learners) == {"knn", "tagvote"}


def test_a_learner_of_another_version_is_damage_that_sizes_do_not_show(trained, new):
    path = trained._folders.current()[0] / "learners" / "turned" / "learner.json"
    head = json.loads(path.read_text())
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))
    assert head["format"] == 1
    with pytest.raises(
        ArtifactError, match=r"a saved learner of format 9; .* 'engine train turned'"
    ):
        list(Workspace(trained.root).tag([new], learner="turned"))
    report = trained.build()
    assert set(report.dropped) == {"turned"}
    assert set(report.learners) == {"knn", "tagvote", "fading", "means"}
    assert not trained.build().is_changed


def test_a_learner_that_cannot_be_read_keeps_nobody_out_of_its_place(trained, monkeypatch):
    monkeypatch.setattr("engine.training.running.is_worse", lambda *of: of[1] is not None)
    assert not trained.train("turned").is_written
    path = trained._folders.current()[0] / "learners" / "turned" / "learner.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))
    assert trained.train("turned").is_written


def test_another_learner_in_its_folder_does_not_answer_in_its_name(trained, new):
    folders = trained._folders.current()[0] / "learners"
    for name in ("learner.json", "learner.npz"):
        (folders / "turned" / name).write_bytes((folders / "fading" / name).read_bytes())
    with pytest.raises(ArtifactError, match=r"a saved learner 'fading' where a 'turned' was"):
        list(Workspace(trained.root).tag([new], learner="turned"))
