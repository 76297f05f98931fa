"""A build that is killed at any moment goes on, and ends like one that was left alone."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import Workspace
from indexing.store import WorkspaceStore

N_KILLS = 20

# Small batches, so that there is something between the first commit and the last; a slow
# extractor, so that most kills fall into the extraction.
PROGRAM = """
import sys, time
from indexing import ingest
from indexing.extractors import EXTRACTORS
from tests.toy_extractor import ToyExtractor
from engine.cli import main
ingest._BATCH_PICTURES = 8
EXTRACTORS["toy"] = "tests.toy_extractor:open_toy"
extract = ToyExtractor.extract
ToyExtractor.extract = lambda self, pixels: (time.sleep(0.004), extract(self, pixels))[1]
main()
"""
ROOT = Path(__file__).resolve().parents[2]


def build(library, workspace):
    return subprocess.Popen(
        [
            *(sys.executable, "-c", PROGRAM, "build", str(library)),
            *("-w", str(workspace), "--extractor", "toy", "--json"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def state(root):
    """Return everything that a build is judged by."""
    workspace = Workspace(root)
    entries = workspace.entries()
    folder, manifest = workspace._folders.current()
    extractor = manifest["extractor"]
    with WorkspaceStore(root / "store") as store:
        features = store.features(extractor["digest"], extractor["n_dims"])
        vectors = features.fetch([entry.content for entry in entries])
        n_stored = len(features.contents())
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    return entries, workspace.refusals(), vectors.tobytes(), n_stored, vocabulary


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    random_pixels = np.random.default_rng(0)
    for i in range(120):
        pixels = random_pixels.integers(0, 255, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png")
        if i % 3:
            (folder / f"{i:03d}.png.txt").write_text(f"tag{i % 7}\nall")
    (folder / "bad.png").write_bytes(b"nothing")
    (folder / "copy.png").write_bytes((folder / "007.png").read_bytes())
    return folder


def test_twenty_kills_change_nothing(library, tmp_path):
    started = time.monotonic()
    with build(library, tmp_path / "calm") as calm:
        report = json.loads(calm.communicate()[0])
    seconds = time.monotonic() - started
    expected = state(tmp_path / "calm")
    assert report["indexed"] == 121
    moments = random.Random(0)
    n_killed = n_resumed = 0
    for number in range(N_KILLS):
        root = tmp_path / f"killed{number}"
        with build(library, root) as killed:
            time.sleep(moments.uniform(0.2, 1.0) * seconds)
            killed.send_signal(signal.SIGKILL)
        n_killed += killed.returncode == -signal.SIGKILL
        with build(library, root) as finishing:
            report = json.loads(finishing.communicate()[0])
        n_resumed += 0 < report["extracted"] < 120
        assert state(root) == expected
    # The test would mean nothing if the builds had ended before they were killed.
    assert n_killed >= N_KILLS // 2
    assert n_resumed >= 1
