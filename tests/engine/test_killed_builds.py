"""A build that is killed at any moment goes on, and ends like one that was left alone."""

import json
import random
import signal

import numpy as np
import pytest
from PIL import Image

from engine import Workspace
from indexing.store import WorkspaceStore
from tests.engine.self_killing import run_until

N_KILLS = 20

# Small batches, so that there is something between the first commit and the last; a picture that
# is extracted is an event, too.
PREPARATION = """
import faiss, lmdb, pyarrow.parquet
import engine.building, engine.commands.build, engine.tagger
import indexing.corpora.folder, indexing.index.factory
from indexing import ingest
from tests.toy_extractor import ToyExtractor

ingest._BATCH_PICTURES = 8
extract = ToyExtractor.extract
ToyExtractor.extract = lambda self, pixels: (sys.audit("extract"), extract(self, pixels))[1]
"""


def build(library, workspace, last_event=0):
    """Build in a process of its own, which kills itself at one of its events."""
    arguments = ["build", str(library), "-w", str(workspace), "--extractor", "toy", "--json"]
    return run_until(last_event, arguments, PREPARATION)


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
    calm = build(library, tmp_path / "calm")
    assert json.loads(calm.stdout)["indexed"] == 121
    n_events = int(calm.stderr.splitlines()[-1])
    expected = state(tmp_path / "calm")
    moments = random.Random(0)
    n_killed = n_resumed = 0
    for number in range(N_KILLS):
        root = tmp_path / f"killed{number}"
        killed = build(library, root, moments.randint(1, n_events))
        n_killed += killed.returncode == -signal.SIGKILL
        finished = build(library, root)
        assert finished.returncode == 0, finished.stderr
        n_resumed += 0 < json.loads(finished.stdout)["extracted"] < 120
        assert state(root) == expected
    # The test would mean nothing if the builds had ended before they were killed, or if all of
    # them had been killed before they had done anything.
    assert n_killed >= N_KILLS - 2
    assert n_resumed >= N_KILLS // 4
