"""Learners that look at pictures: decoded anew, trained, stopped, gone on with, and asked."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.building import BuildSettings
from engine.cli import cli
from engine.pixels import StoredPixels
from engine.serving import Questions, Served, training_batch
from engine.tagged import TaggedPictures
from engine.trained import load_learner
from indexing.errors import CorpusError, InputError
from indexing.extractors import open_extractor
from indexing.pixels import Framing, decode
from learners.base import Batch
from learners.multiscale import MSCNN
from tests.engine.conftest import COLORS, write_picture

SMALL = {
    "backbone": "timm:test_efficientnet",
    "pretrained": False,
    "size": 16,
    "n_trained_scales": 1,
    "epochs": 3,
    "learning_rate": 0.003,
}
FRAMING = Framing(size=16)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def stored(workspace) -> tuple[StoredPixels, TaggedPictures]:
    entries = {entry.row: entry for entry in workspace.entries()}
    folder = workspace.root / "generations" / f"{workspace.info()['generation']:06}"
    return StoredPixels(entries, workspace.root), TaggedPictures.load(folder)


def test_pictures_are_decoded_as_the_learner_sees_them(built):
    pixels, tagged = stored(built)
    told = []
    rows = tagged.tags.rows[[5, 2]]
    squares = pixels(rows, FRAMING, lambda *facts: told.append(facts))
    paths = {entry.row: entry.record.path for entry in built.entries()}
    expected = [decode(Path(paths[row]).read_bytes(), FRAMING) for row in rows.tolist()]
    np.testing.assert_array_equal(squares, expected)
    assert told == [(1, 2), (2, 2)]
    assert pixels(rows[:0], FRAMING).shape == (0, 16, 16, 3)
    learner = MSCNN(**SMALL)
    batch = training_batch(learner, tagged, None, None, (), pixels)
    assert (batch.features, batch.blocks, batch.neighbors) == (None, None, None)
    np.testing.assert_array_equal(batch.pixels[[5, 2]], expected)
    np.testing.assert_array_equal(batch.groups, tagged.groups)
    asked = Questions(
        tagged, np.zeros((2, 3), np.float32), rows * 0, (), squares=lambda framing: squares
    )
    batch = asked.batch(Served(learner=learner, index=lambda: None))
    assert batch.features is None
    np.testing.assert_array_equal(batch.pixels, expected)
    with pytest.raises(InputError, match=r"'mscnn' needs more than a workspace holds \(PIXELS\)"):
        training_batch(learner, tagged, None, None, ())


def test_pictures_that_have_gone_or_changed_are_named(built, library):
    pixels, tagged = stored(built)
    (library / "red3.png").write_bytes((library / "red4.png").read_bytes())
    with pytest.raises(CorpusError, match=r"red3\.png: it is not the picture any more .*build'"):
        pixels(tagged.tags.rows, FRAMING)
    (library / "red3.png").unlink()
    with pytest.raises(CorpusError, match=r"red3\.png: .*; a learner that looks at pictures needs"):
        built.train("mscnn", SMALL)
    assert set(built.info()["learners"]) == {"knn", "tagvote"}
    built.build()
    built.train("mscnn", {**SMALL, "epochs": 1})
    assert "mscnn" in built.info()["learners"]


def test_what_was_trained_answers_without_torch(built, new):
    report = built.train("mscnn", SMALL)
    assert report.n_pictures == 24
    assert not (built.root / "training").exists()
    generation = built.root / "generations" / f"{built.info()['generation']:06}"
    learner = load_learner(generation, "mscnn")
    scores = learner.predict_scores(Batch(pixels=decode(new.read_bytes(), FRAMING)[None]))[0]
    expected = dict(zip(TaggedPictures.load(generation).vocabulary, scores.tolist(), strict=True))
    program = (
        "import sys\n"
        "from indexing.extractors import EXTRACTORS\n"
        "EXTRACTORS['toy'] = 'tests.toy_extractor:open_toy'\n"
        "from engine.cli import cli\n"
        "cli.main(standalone_mode=False)\n"
        "heavy = 'torch', 'timm', 'scipy', 'numba', 'sklearn', 'pandas'\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    arguments = [
        "tag",
        str(new),
        "-w",
        str(built.root),
        "--learner",
        "mscnn",
        "--json",
        "--top",
        "4",
    ]
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    answer = json.loads(result.stdout)
    assert answer["learner"] == "mscnn"
    assert {tag["tag"]: tag["score"] for tag in answer["tags"]} == pytest.approx(expected, abs=1e-5)
    assert result.stderr.split() == []


class Stopped(KeyboardInterrupt):
    pass


def stop_at(stage: str, share: float):
    def stop(told: str, done: int, total: int) -> None:
        if told == stage and done > share * total:
            raise Stopped

    return stop


def answers(workspace, picture: Path) -> list[tuple[str, float]]:
    (answer,) = workspace.tag([picture], learner="mscnn")
    return [(tag.tag, tag.score) for tag in answer.tags]


def test_a_training_that_was_stopped_goes_on(built, new, settings, library, workspace):
    calm = type(workspace)(workspace.root.with_name("calm"))
    calm.build(library, settings)
    calm.train("mscnn", SMALL)
    held_out, everything = "measuring on held-out pictures", "training on everything"
    for stage in (
        f"{held_out}: frozen maps for cnn",
        f"{held_out}: cnn",
        f"{everything}: fusion",
        f"{everything}: label quantity",
    ):
        with pytest.raises(Stopped):
            built.train("mscnn", SMALL, stop_at(stage, 0.5))
        assert set(built.info()["learners"]) == {"knn", "tagvote"}
        (state,) = (built.root / "training" / "mscnn").iterdir()
        assert list(state.glob("held-out/*.*"))
    stages = []
    built.train("mscnn", SMALL, lambda stage, done, total: stages.append(stage))
    trained = {stage.rpartition(": ")[2] for stage in stages}
    assert "label quantity" in trained
    assert not trained & {"cnn", "fusion", "frozen maps for cnn", "frozen maps for fusion"}
    assert not (built.root / "training").exists()
    assert answers(built, new) == answers(calm, new)


def test_the_state_of_another_training_is_thrown_away(built):
    for params in (SMALL, {**SMALL, "fusion": False}):
        with pytest.raises(Stopped):
            built.train("mscnn", params, stop_at("measuring on held-out pictures: cnn", 0.5))
    stages = []
    with pytest.raises(Stopped):
        built.train(
            "mscnn",
            SMALL,
            lambda *told: (stages.append(told), stop_at("training on everything: cnn", 0)(*told)),
        )
    assert ("measuring on held-out pictures: cnn", 16, 48) in stages
    built.build(settings=BuildSettings(extractor="toy"))  # nothing has changed
    assert (built.root / "training").exists()
    next(Path(entry.record.path) for entry in built.entries()).unlink()
    built.build()
    assert not (built.root / "training").exists()


def test_ctrl_c_says_that_it_can_go_on(built, monkeypatch):
    def stop(network):
        raise KeyboardInterrupt

    monkeypatch.setattr("learners.multiscale.exported.ExportedNetwork.of", stop)
    settings = [f"--set={key}={json.dumps(value)}" for key, value in SMALL.items()]
    result = CliRunner().invoke(cli, ["train", "mscnn", "-w", str(built.root), *settings])
    assert result.exit_code == 130
    assert "Stopped: the workspace answers as before, and the same command goes on." in (
        result.stderr
    )


def test_the_trained_network_is_an_extractor(built, library, new, tmp_path):
    folder = tmp_path / "network"
    settings = [f"--set={key}={json.dumps(value)}" for key, value in SMALL.items()]
    arguments = ["train", "mscnn", "-w", str(built.root), *settings, "--export", str(folder)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    extractor = open_extractor(f"compiled:{folder}")
    generation = built.root / "generations" / f"{built.info()['generation']:06}"
    learner = load_learner(generation, "mscnn")
    square = decode(new.read_bytes(), FRAMING)[None]
    np.testing.assert_array_equal(extractor.extract(square), learner.extractor().extract(square))
    root = tmp_path / "again"
    result = CliRunner().invoke(
        cli, ["build", str(library), "-w", str(root), "--extractor", f"compiled:{folder}"]
    )
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(cli, ["search", str(new), "-w", str(root), "--json"])
    found = json.loads(result.stdout)["results"]
    assert len(found) == 10


def test_what_cannot_be_exported_is_refused_before_it_is_trained(built, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for learner, folder, message in (
        ("heads", tmp_path / "free", "the learner 'heads' has no network of its own; mscnn has"),
        ("mscnn", tmp_path / "full", "has content; a new or an empty folder is accepted"),
    ):
        arguments = ["train", learner, "-w", str(built.root), "--export", str(folder)]
        result = CliRunner().invoke(cli, arguments)
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
    with pytest.raises(InputError, match="the learner 'knn' has no network of its own"):
        built.export("knn", tmp_path / "free")
