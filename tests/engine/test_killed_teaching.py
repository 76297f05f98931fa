"""A correction that is killed at any moment is there whole, or not at all."""

import json
import signal

import pytest

from engine import Workspace
from tests.engine.self_killing import run_until

PREPARATION = """
import faiss, lmdb
import engine.teaching, engine.commands.teach
"""


def run(workspace, last_event, *arguments):
    return run_until(last_event, ["teach", *arguments, "-w", str(workspace)], PREPARATION)


@pytest.mark.parametrize("is_undone", [False, True])
def test_kills_leave_the_correction_whole_or_not_there(built, library, tmp_path, is_undone):
    new = tmp_path / "new.png"
    (library / "blue3.png").rename(new)
    built.teach(library / "green3.png", add=["Meadow"])
    first = built.corrections()
    arguments = ["--undo"] if is_undone else [str(new), "--add", "Sunset"]
    calm = run(built.root, 0, *arguments, "--json")
    assert calm.returncode == 0, calm.stderr
    n_events = int(calm.stderr.splitlines()[-1])
    last = Workspace(built.root).corrections()
    seen = set()
    for event in [*range(1, n_events, max(1, n_events // 6)), n_events]:
        if is_undone:
            built.teach(library / "green3.png", add=["Meadow"])
        else:
            built.undo_teaching()
        assert Workspace(built.root).corrections() == first
        killed = run(built.root, event, *arguments)
        assert killed.returncode == -signal.SIGKILL
        found = Workspace(built.root).corrections()
        assert found in (first, last)
        seen.add(found)
        # Whatever is there is heard, and the next step is taken.
        (answer,) = Workspace(built.root).tag([new])
        assert ("Sunset" in [tag.tag for tag in answer.tags]) == (len(found) == 2)
        if found == first:
            again = run(built.root, 0, *arguments, "--json")
            assert json.loads(again.stdout)["steps"] == len(last)
        assert Workspace(built.root).corrections() == last
    assert seen == {first, last}
