"""A small library of pictures in three colours, and a workspace without a network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import Workspace
from engine.building import BuildSettings
from indexing.extractors import EXTRACTORS
from learners.table import LEARNERS
from tests.engine.stand_ins import STAND_INS

COLORS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (40, 50, 210)}

MEMBERS = "knn,fading,turned,means"
SETTINGS = {"fading": {"n_neighbors": 5}}
PARAMS = {"members": MEMBERS, "settings": SETTINGS}


@pytest.fixture(autouse=True)
def toy_extractor(monkeypatch):
    """Make the extractor ``toy`` known by name."""
    monkeypatch.setitem(EXTRACTORS, "toy", "tests.toy_extractor:open_toy")
    monkeypatch.setitem(EXTRACTORS, "toy:WEIGHTS", "tests.toy_extractor:open_toy")
    monkeypatch.delenv("ENGINE_WORKSPACE", raising=False)


def write_picture(path: Path, color: tuple[int, int, int], seed: int) -> Path:
    """Write a noisy picture of one colour; another seed gives another picture."""
    noise = np.random.default_rng(seed).normal(0, 25, (24, 32, 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def library(tmp_path):
    """Eight tagged pictures of each colour, with sidecars."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number, (name, color) in enumerate(COLORS.items()):
        for i in range(8):
            path = write_picture(folder / f"{name}{i}.png", color, seed=100 * number + i)
            sidecar = path.with_name(path.name + ".txt")
            sidecar.write_text(f"{name.capitalize()}\ncolour\n", encoding="utf-8")
    return folder


@pytest.fixture
def workspace(tmp_path):
    """A workspace, not yet built."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def settings():
    """Build settings that need no network."""
    return BuildSettings(extractor="toy")


@pytest.fixture
def built(workspace, library, settings):
    """The workspace of the library."""
    workspace.build(library, settings)
    return workspace


@pytest.fixture
def stand_ins(monkeypatch):
    """Make three learners known that are trained at once."""
    for name, kind in STAND_INS.items():
        monkeypatch.setitem(LEARNERS, name, f"tests.engine.stand_ins:{kind.__name__}")
    monkeypatch.setattr("engine.training.trainable.TRAINABLE", tuple(STAND_INS))
    # The library of these tests is small.
    monkeypatch.setattr("engine.standing.FEWEST_HELD_OUT", 1, raising=False)
    monkeypatch.setattr("tests.engine.stand_ins.Fading.seen", [])
    monkeypatch.setattr("tests.engine.stand_ins.Turned.seen", [])


@pytest.fixture
def mixing(stand_ins, monkeypatch):
    """Let the hybrid be trained, which mixes learners that are trained at once."""
    monkeypatch.setattr("engine.training.trainable.TRAINABLE", (*STAND_INS, "hybrid"))


@pytest.fixture
def trained(built, mixing):
    """The workspace of the library with a hybrid."""
    built.train(params=PARAMS)
    return built


@pytest.fixture
def new(tmp_path):
    """A green picture that the library does not hold."""
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)
