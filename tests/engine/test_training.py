"""Training: a generation with one more learner, measured on pictures it has not seen."""

import json
import shutil

import numpy as np
import pytest

from engine import Workspace
from engine.building import BuildSettings
from engine.generations import GenerationFolders
from engine.held_out import hold_out
from engine.tagged import TaggedPictures
from indexing.errors import ArtifactError, InputError, LockedError
from tests.engine.conftest import COLORS, write_picture
from tests.engine.stand_ins import Fading, Turned

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def answers(workspace, pictures, **options):
    found = [answer.to_json() for answer in workspace.tag(pictures, explain=True, **options)]
    return [{**answer, "seconds": 0} for answer in found]


def files(folder):
    """Return content and inode of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def state(workspace):
    """Return all that a training must not touch when it fails."""
    return (workspace.root / "current").read_text(), files(workspace.root / "generations")


@pytest.mark.parametrize("name", ["fading", "turned", "means"])
def test_a_trained_learner_answers_and_no_other_answer_changes(built, library, new, name):
    pictures = [new, *sorted(library.glob("*0.png"))]
    before = {
        learner: json.dumps(answers(built, pictures, learner=learner))
        for learner in ("knn", "tagvote")
    }
    searched = [answer.to_json() for answer in built.search(pictures)]
    report = built.train(name)
    assert (report.n_pictures, report.n_tags, report.held_out["n_pictures"]) == (24, 4, 7)
    for learner, said in before.items():
        assert json.dumps(answers(built, pictures, learner=learner)) == said
    assert [answer.to_json() for answer in built.search(pictures)] == searched
    answer = built.tag_one(new)
    assert answer.learner == name == report.answers_with
    assert {ranked.tag for ranked in answer.tags[:2]} == {"colour", "Green"}


def test_the_old_generation_stays_and_the_new_one_shares_its_files(built):
    before, _ = built._folders.current()
    was = files(before)
    built.train("turned")
    folder, manifest = built._folders.current()
    assert files(before) == was
    now = files(folder)
    added = {f"learners/turned/{name}" for name in ("learner.json", "learner.npz")}
    added |= {name for name in now if name.startswith("learners/turned/index/")}
    assert now.keys() == was.keys() | added
    assert "learners/turned/index/index.json" in added
    for name in was.keys() - {"generation.json"}:
        assert now[name] == was[name]
    assert set(manifest["file_bytes"]) == now.keys() - {"generation.json"}


def test_files_are_copied_where_links_cannot_be_made(built, new, monkeypatch):
    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    built.train("fading")
    assert built.tag_one(new).learner == "fading"
    assert built._folders.current_if_whole() is not None


def test_the_manifest_says_what_was_trained_and_how_good_it_is(built):
    report = built.train("turned", {"n_neighbors": 4})
    entry = built.info()["learners"]["turned"]
    assert entry["params"] == report.params
    assert entry["params"]["n_neighbors"] == 4
    assert entry["trained_on"] == {"pictures": 24, "tags": 4}
    assert 0 < entry["seconds"] == report.seconds
    assert entry["held_out"] == report.held_out
    assert set(report.held_out["before"]) == set(report.held_out["after"])
    assert set(report.held_out["after"]) == {"map", "miap", "c-f1@5"}
    assert entry["n_changed"] == 0
    assert (entry["index"]["form"], entry["index"]["n_dims"]) == ("Flat", 3)
    json.dumps(built.info(), allow_nan=False)


def test_it_is_fitted_without_some_then_on_all_with_what_was_chosen(built):
    report = built.train("fading", {"n_neighbors": 5})
    (first, few, few_tags), (second, all_, tags) = Fading.seen
    tagged = TaggedPictures.load(built._folders.current()[0])
    kept, _ = hold_out(tagged)
    np.testing.assert_array_equal(few_tags.rows, tagged.tags.rows[kept])
    np.testing.assert_array_equal(tags.rows, tagged.tags.rows)
    assert (few_tags.n_tags, first["decay"], second["decay"]) == (4, None, 10)
    assert report.params["decay"] == 10
    assert few.neighbors.rows.shape == (17, 5)
    assert all_.neighbors.rows.shape == (24, 5)
    # Nobody of those held out, and nobody itself, is among the neighbours.
    assert set(few.neighbors.rows.ravel()) <= set(few_tags.rows)
    assert not (all_.neighbors.rows == tags.rows[:, None]).any()


def test_features_come_with_copies_and_layers(built, library):
    (library / "again.png").write_bytes((library / "red0.png").read_bytes())
    (library / "again.png.txt").write_text("Red")
    built.build()
    built.train("turned")
    _, batch, tags = Turned.seen[-1]
    assert batch.features.shape == (25, 51)
    assert batch.blocks == (48, 3)
    assert batch.neighbors is None
    rows = {entry.record.image_id: entry.row for entry in built.entries()}
    first, second = (batch.groups[tags.positions(rows[name])] for name in ("again.png", "red0.png"))
    assert first == second
    assert len(set(batch.groups)) == 24
    np.testing.assert_allclose(np.linalg.norm(batch.features, axis=1), 1, rtol=1e-5)


def test_a_picture_does_not_vote_for_itself_in_a_learned_space_either(built, library):
    odd = write_picture(library / "odd.png", COLORS["green"], seed=6_000)
    (library / "odd.png.txt").write_text("zebra")
    (library / "copy.png").write_bytes(odd.read_bytes())
    (library / "copy.png.txt").write_text("zebra")
    built.build()
    built.train("turned")
    (answer,) = built.tag([odd], learner="turned", explain=True)
    first, *others = answer.tags
    assert (first.tag, first.is_confirmed, first.vote, first.voters) == ("zebra", True, 0, ())
    assert "Green" in [ranked.tag for ranked in others]
    voters = {voter.image_id for ranked in others for voter in ranked.voters}
    assert voters
    assert not voters & {"odd.png", "copy.png"}


def test_the_best_trained_learner_answers_where_it_is_no_worse_than_knn(built, new):
    for name in ("fading", "means"):
        built.train(name)
    folder, manifest = built._folders.current()

    def answers_with(**after):
        for name, value in after.items():
            manifest["learners"][name]["held_out"]["after"]["c-f1@5"] = value
            manifest["learners"][name]["held_out"]["before"]["c-f1@5"] = 0.5
        (folder / "generation.json").write_text(json.dumps(manifest))
        return Workspace(built.root).tag_one(new).learner

    assert answers_with(fading=0.6, means=0.7) == "means"
    assert answers_with(fading=0.8, means=0.7) == "fading"
    assert answers_with(fading=0.4, means=0.5) == "means"
    assert answers_with(fading=0.4, means=0.49) == "knn"
    assert answers_with(fading=None, means=None) == "knn"
    assert next(built.tag([new], learner="fading")).learner == "fading"


def test_training_again_takes_the_place_of_what_was_trained(built, new):
    built.train("turned", {"n_dims": 3})
    built.train("fading")
    built.train("turned", {"n_dims": 2})
    info = built.info()
    assert info["learners"]["turned"]["index"]["n_dims"] == 2
    assert set(info["learners"]) == {"knn", "tagvote", "fading", "turned"}
    for name in ("turned", "fading"):
        assert next(built.tag([new], learner=name)).tags


def test_the_workspace_forms_the_own_index_too(workspace, library):
    workspace.build(library, BuildSettings(extractor="toy", index="HNSW8"))
    workspace.train("turned")
    assert workspace.info()["learners"]["turned"]["index"]["form"] == "HNSW8"
    # A form that the learned width does not take.
    workspace.build(library, BuildSettings(extractor="toy", index="PCA17,Flat"))
    workspace.train("turned")
    assert workspace.info()["index"]["form"] == "PCA17,Flat"
    assert workspace.info()["learners"]["turned"]["index"]["form"] == "Flat"


def test_what_cannot_be_trained_is_said_before_any_work(built):
    before = state(built)
    for name, params, message in (
        ("fadding", {}, r"can be trained is called 'fadding'; fading, turned"),
        (
            "knn",
            {},
            r"the learner 'knn' is not trained; fading, turned, means, certain are accepted",
        ),
        ("fading", {"decai": 1}, r"'fading' has no parameter 'decai'; it takes .*decay"),
        ("fading", {"n_neighbors": 0}, r"n_neighbors is 0; it is at least 1"),
    ):
        # Not even the lock is asked for.
        with built._folders.lock(), pytest.raises(InputError, match=message):
            built.train(name, params)
    assert state(built) == before


def test_too_few_pictures_are_counted(workspace, tmp_path, settings, caplog):
    folder = tmp_path / "few"
    folder.mkdir()
    for i in range(9):
        write_picture(folder / f"{i}.png", COLORS["red"], seed=i)
        (folder / f"{i}.png.txt").write_text("sea")
    for name in ("copy", "empty"):
        (folder / f"{name}.png").write_bytes((folder / "0.png").read_bytes())
        (folder / f"{name}.png.txt").write_text("sea" if name == "copy" else "")
    workspace.build(folder, settings)
    with pytest.raises(
        InputError, match=r"9 different pictures with tags; fading is trained on 10"
    ):
        workspace.train("fading")
    write_picture(folder / "10.png", COLORS["red"], seed=10)
    (folder / "10.png.txt").write_text("sea")
    workspace.build()
    assert workspace.train("fading").held_out["n_pictures"] == 4
    assert "11 pictures with tags are few" in caplog.text


def test_nothing_is_trained_where_nothing_was_built(workspace):
    with pytest.raises(ArtifactError, match="does not exist; the folder of a workspace is"):
        workspace.train("fading")
    assert not workspace.root.exists()


def test_a_damaged_workspace_is_built_before_it_is_trained(built, caplog):
    (built._folders.current()[0] / "tags.npz").write_bytes(b"")
    with pytest.raises(ArtifactError, match="is damaged; a whole workspace can be trained; run"):
        built.train("fading")
    assert "is damaged, and has to be made again" in caplog.text


def test_two_writers_exclude_each_other(built):
    with (
        GenerationFolders(built.root).lock(),
        pytest.raises(LockedError, match="one writer at a time"),
    ):
        built.train("fading")


def test_stopped_at_any_stage_the_workspace_is_as_before(built, new):
    built.train("fading")
    before, said = state(built), answers(built, [new])
    stages = []
    built.train("turned", on_progress=lambda *stage: stages.append(stage))
    assert ("measuring on held-out pictures: steps", 1, 2) in stages
    assert ("training on everything: steps", 2, 2) in stages
    shutil.rmtree(built._folders.current()[0])
    (built.root / "current").write_text(before[0])
    for moment in range(len(stages)):
        left = iter(range(moment))

        def stop(*stage, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            built.train("turned", on_progress=stop)
        assert (built.root / "current").read_text() == before[0]
    assert Workspace(built.root).info()["learners"].keys() == {"knn", "tagvote", "fading"}
    assert answers(Workspace(built.root), [new]) == said


@pytest.mark.parametrize(
    "place",
    [
        "learners.voting.VotingLearner._fit",
        "engine.training.keeping.save_learner",
        "engine.training.keeping.save_index",
        "engine.training.keeping.inherit",
        "engine.generations._make_durable",
        "engine.generations.GenerationFolders._point_at",
    ],
)
@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError, OSError])
def test_a_fault_at_any_step_leaves_the_workspace(built, new, place, fault, monkeypatch):
    pointer, said = (built.root / "current").read_text(), answers(built, [new])

    def fail(*arguments, **more):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(fault):
            built.train("turned")
    assert (built.root / "current").read_text() == pointer
    assert answers(Workspace(built.root), [new]) == said
    assert not list((built.root / "generations").glob("*.partial"))
    built.train("turned")
    assert built.tag_one(new).learner == "turned"
