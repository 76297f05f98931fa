"""A training that is stopped at any moment leaves the workspace as it was, or trained."""

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine import Workspace
from tests.engine.conftest import COLORS, write_picture

N_STOPS = 12
ROOT = Path(__file__).resolve().parents[2]

# Everything is imported first, so that the events that are counted are those of the training:
# files opened, linked, renamed, removed, folders made, steps of learning. A child a moment.
PROGRAM = """
import json, os, signal, sys
import faiss, lmdb
import engine.commands.train, engine.training, learners.metrics, engine.progress
import indexing.index.factory, indexing.index.exact
import engine.results, engine.workspace
from engine.cli import cli
from learners.table import LEARNERS
from tests.engine.stand_ins import Turned

LEARNERS["turned"] = "tests.engine.stand_ins:Turned"
engine.training.trainable.TRAINABLE = ("turned",)
learn = Turned._fit
Turned._fit = lambda self, *given: (sys.audit("learn"), learn(self, *given))[1]
n_events = 0

def train(root, last_event, how):
    def count(event, arguments):
        global n_events
        n_events += 1
        if n_events == last_event:
            os.kill(os.getpid(), how)

    sys.addaudithook(count)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        code = cli.main(["train", "turned", "-w", root], standalone_mode=False) or 0
    except SystemExit as ending:
        code = ending.code
    finally:
        with open(root + ".events", "w") as file:
            file.write(str(n_events))
    os._exit(code)

ends = []
for root, last_event, how in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        train(root, last_event, how)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(ends))
"""


def trained_at(moments):
    """Train in processes that are sent a signal at one of their events; return how they ended."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(moments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def answers(root, picture):
    """Return what each learner answers."""
    workspace = Workspace(root)
    return {
        name: [(tag.tag, tag.score) for tag in next(workspace.tag([picture], learner=name)).tags]
        for name in workspace.info()["learners"]
    }


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment(built, tmp_path, how):
    new = write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)
    untouched = answers(built.root, new)
    calm = tmp_path / "calm"
    shutil.copytree(built.root, calm)
    assert trained_at([(str(calm), 0, how)]) == [0]
    n_events = int(calm.with_suffix(".events").read_text())
    trained = answers(calm, new)
    assert set(trained) == {"knn", "tagvote", "turned"}
    moments = random.Random(how).sample(range(1, n_events), N_STOPS)
    roots = [tmp_path / f"stopped{number}" for number in range(N_STOPS)]
    for root in roots:
        shutil.copytree(built.root, root)
    ends = trained_at([(str(root), at, how) for root, at in zip(roots, moments, strict=True)])
    n_as_before = 0
    for root, end in zip(roots, ends, strict=True):
        assert end in (-signal.SIGKILL, 130, 0)
        found = answers(root, new)
        assert found in (untouched, trained)
        n_as_before += found == untouched
        if how is signal.SIGINT:
            assert not list((root / "generations").glob("*.partial"))
    assert n_as_before >= N_STOPS - 3
    assert ends.count(0) <= 2
    assert trained_at([(str(root), 0, how) for root in roots]) == [0] * N_STOPS
    for root in roots:
        assert answers(root, new) == trained
