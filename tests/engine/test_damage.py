"""Damage: said in one line, mended by the next build, and never at the price of a feature."""

import contextlib
import json
import logging
import shutil

import pytest
from click.testing import CliRunner

from engine import Workspace
from engine.building import BuildSettings
from engine.cli import cli
from engine.emission import Emission
from indexing.errors import ArtifactError, EngineError
from indexing.extractors import EXTRACTORS
from tests.engine.conftest import COLORS, PARAMS, write_picture
from tests.toy_extractor import ToyExtractor

FILES = (
    "catalogue.parquet",
    "generation.json",
    "index/index.json",
    "index/rows.npy",
    "probe.npy",
    "refused.parquet",
    "tags.npz",
    "transform/transform.json",
    "vocabulary.json",
)


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_build_mends_a_damaged_generation(built, library, new, name, damage, caplog):
    path = built._folders.current()[0] / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with contextlib.suppress(EngineError):  # and nothing else
        list(Workspace(built.root).tag([new], explain=True))
    with caplog.at_level(logging.WARNING):
        report = built.build(library, BuildSettings(extractor="toy"))
    assert report.is_changed
    assert report.n_extracted == 0
    assert "made again" in caplog.text
    assert [ranked.tag for ranked in built.tag_one(new).tags] == ["colour", "Green"]


@pytest.mark.parametrize("name", ["tags.npz", "vocabulary.json"])
def test_tags_that_do_not_belong_together_are_refused(built, new, name):
    folder = built._folders.current()[0]
    if name == "vocabulary.json":
        (folder / name).write_text(json.dumps(["only one"]))
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])
    with pytest.raises(ArtifactError, match=r"the tags of .* cannot be read"):
        Workspace(built.root).tag_one(new)


def test_other_weights_are_seen_when_the_network_is_named_again(built, new, monkeypatch):
    monkeypatch.setitem(EXTRACTORS, "toy", "tests.engine.test_damage:open_other_weights")
    with pytest.raises(ArtifactError, match="run 'engine build --extractor toy' to extract them"):
        Workspace(built.root).tag_one(new)
    report = built.build(None, BuildSettings(extractor="toy"))
    assert report.n_extracted == 24
    assert built.tag_one(new).tags


def open_other_weights(argument, device):
    return ToyExtractor(weights="other")


def test_a_workspace_that_was_made_anew_elsewhere_is_noticed(built, library, new, settings):
    assert built.tag_one(new).tags[1].tag == "Green"
    shutil.rmtree(built.root)
    for path in library.glob("green*.txt"):
        path.write_text("Emerald")
    Workspace(built.root).build(library, settings)
    assert [ranked.tag for ranked in built.tag_one(new).tags] == ["Emerald"]


@pytest.mark.parametrize("name", ["learner.json", "learner.npz"])
def test_a_training_names_the_learners_that_are_lost_with_it(trained, name):
    path = trained._folders.current()[0] / "learners" / "hybrid" / name
    content = path.read_bytes()
    path.unlink()  # other names of the file stay as they were
    path.write_bytes(content[:-9])
    where = ("-w", str(trained.root))
    result = CliRunner().invoke(cli, ["train", "means", *where], catch_exceptions=False)
    assert (
        "hybrid is dropped: its files are damaged, or of another version; 'engine train hybrid' "
        "makes it again\n'engine tag' "
    ) in result.stdout
    assert set(trained.info()["learners"]) == {"knn", "tagvote", "fading", "turned", "means"}
    result = CliRunner().invoke(cli, ["train", "means", "--json", *where], catch_exceptions=False)
    assert json.loads(result.stdout)["dropped"] == {}


def test_what_is_trained_again_is_not_lost(trained):
    for name in ("hybrid", "means"):
        (trained._folders.current()[0] / "learners" / name / "learner.npz").write_bytes(b"")
        assert trained.train(params=PARAMS).dropped == {}
        assert {"hybrid", "means"} <= set(trained.info()["learners"])


def test_an_earlier_training_that_is_kept_costs_no_other(trained, monkeypatch):
    trained.train("means")
    (trained._folders.current()[0] / "learners" / "hybrid" / "learner.json").write_bytes(b"{")
    monkeypatch.setattr("engine.training.running.is_worse", lambda *figures: True)
    report = trained.train("means")
    assert (report.is_written, report.dropped) == (False, {})
    assert "hybrid" in trained.info()["learners"]


def test_a_feature_that_is_not_finite_stops_no_other_picture(built, library, new, monkeypatch):
    monkeypatch.setitem(EXTRACTORS, "toy", "tests.engine.test_damage:open_sometimes_broken")
    dark = write_picture(new.parent / "dark.png", (1, 1, 1), seed=1)
    broken, fine = Workspace(built.root).tag([dark, new])
    assert broken.error == "unreadable: no finite feature comes of it"
    assert fine.tags


def open_sometimes_broken(argument, device):
    class SometimesBroken(ToyExtractor):
        def extract(self, pixels):
            features = super().extract(pixels)
            return features * float("nan") if pixels.mean() < 40 else features

    return SometimesBroken()


def test_tagvote_answers_every_voted_tag_before_any_other(built, new):
    (answer,) = built.tag([new], learner="tagvote", emission=Emission(top=2))
    assert {ranked.tag for ranked in answer.tags} == {"colour", "Green"}


def test_a_search_for_more_than_there_is_gives_what_there_is(built, new):
    (answer,) = built.search([new], k=10**9)
    assert len(answer.results) == 24


def test_a_library_tagged_with_nothing_prints_json(workspace, tmp_path, settings):
    folder = tmp_path / "nothing"
    folder.mkdir()
    for i in range(3):
        write_picture(folder / f"{i}.png", COLORS["red"], seed=i)
        (folder / f"{i}.png.txt").write_text("")
    report = workspace.build(folder, settings)
    assert "NaN" not in json.dumps(report.to_json())
    json.dumps(workspace.info(), allow_nan=False)
